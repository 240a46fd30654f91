// SPDX-License-Identifier: MIT
import { type Inventory, takeInventory } from "../core/inventory.ts";
import { formatBytes } from "../core/units.ts";
import { native } from "../ffi/index.ts";
import { viewFrom } from "./from-option.ts";
import { type NamespaceRow, pickColumns } from "./list-columns.ts";
import { plainTable } from "./table.ts";

/** @param from a capture; allocators are tried on this machine only. */
export function inventory(from: string | undefined): Inventory {
  return takeInventory(viewFrom(from), from === undefined ? native : undefined);
}

/** Two tables: what can be copied, and whose memory it can go through. */
export function renderInventory({ controllers, providers }: Inventory, columnNames?: string): string {
  const columns = pickColumns(columnNames);
  if (controllers.length === 0 && providers.length === 0) {
    return "No NVMe controller and no p2pmem on this machine. To see some: p2pdma lab run -- p2pdma list\n";
  }
  const rows = controllers.flatMap((controller): NamespaceRow[] =>
    controller.namespaces.length > 0
      ? controller.namespaces.map((namespace) => ({ controller, namespace }))
      : [{ controller, namespace: undefined }],
  );
  const drives = plainTable(
    columns.map(({ title }) => title),
    rows.map((row) => columns.map(({ text }) => text(row))),
  );
  return `${drives}\n${renderProviders(providers)}`;
}

function renderProviders(providers: Inventory["providers"]): string {
  if (providers.length === 0) {
    return "No p2pmem: no device has a CMB, or the kernel is without CONFIG_PCI_P2PDMA.\n";
  }
  const rows = providers.map(({ name, bdf, driver, sizeBytes, availableBytes, isPublished, allocators }) => [
    ...[name, bdf, driver ?? "-", formatBytes(BigInt(sizeBytes)), formatBytes(BigInt(availableBytes))],
    isPublished ? "yes" : "no",
    allocators.map(({ kind, status }) => (status === "works" ? kind : `${kind} (${status})`)).join(", "),
  ]);
  return plainTable(["PROVIDER", "ADDRESS", "DRIVER", "P2PMEM", "FREE", "PUBLISHED", "ALLOCATORS"], rows);
}
