// SPDX-License-Identifier: MIT
import Table from "cli-table3";
import { type Inventory, takeInventory } from "../core/inventory.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { formatBytes } from "../core/units.ts";
import { native } from "../ffi/index.ts";

export function inventory(): Inventory {
  return takeInventory(new SystemFiles(), native);
}

/** Two tables: what can be copied, and whose memory it can go through. */
export function renderInventory({ controllers, providers }: Inventory): string {
  if (controllers.length === 0 && providers.length === 0) {
    return "No NVMe controller and no p2pmem on this machine. To see some: p2pdma lab run -- p2pdma list\n";
  }
  return `${renderControllers(controllers)}\n\n${renderProviders(providers)}\n`;
}

function renderControllers(controllers: Inventory["controllers"]): string {
  const table = plainTable([
    "CONTROLLER",
    "ADDRESS",
    "MODEL",
    "SERIAL",
    "FIRMWARE",
    "NAMESPACE",
    "SIZE",
    "LBA",
    "CMB",
  ]);
  for (const controller of controllers) {
    const { name, pciAddress, transport, model, serial, firmware, hasCmb } = controller;
    const head = [name, pciAddress ?? transport, model, serial, firmware];
    const spaces = controller.namespaces.length > 0 ? controller.namespaces : [undefined];
    for (const space of spaces) {
      const tail = space
        ? [space.path, formatBytes(BigInt(space.sizeBytes)), String(space.lbaSizeBytes)]
        : ["-", "-", "-"];
      table.push([...head, ...tail, hasCmb ? "yes" : "no"]);
    }
  }
  return table.toString();
}

function renderProviders(providers: Inventory["providers"]): string {
  if (providers.length === 0)
    return "No p2pmem: no device has a CMB, or the kernel is without CONFIG_PCI_P2PDMA.";
  const table = plainTable(["PROVIDER", "ADDRESS", "P2PMEM", "FREE", "PUBLISHED", "ALLOCATORS"]);
  for (const { name, bdf, sizeBytes, availableBytes, isPublished, allocators } of providers) {
    const ways = allocators.map(({ kind, status }) => (status === "works" ? kind : `${kind} (${status})`));
    table.push([
      ...[name, bdf, formatBytes(BigInt(sizeBytes)), formatBytes(BigInt(availableBytes))],
      ...[isPublished ? "yes" : "no", ways.join(", ")],
    ]);
  }
  return table.toString();
}

/** Columns without lines, so that the output also reads well in a pipe. */
function plainTable(head: string[]): Table.Table {
  const edges = [
    "top",
    "top-mid",
    "top-left",
    "top-right",
    "bottom",
    "bottom-mid",
    "bottom-left",
    "bottom-right",
  ];
  const lines = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  const chars = Object.fromEntries([...edges, ...lines].map((name) => [name, ""]));
  return new Table({
    head,
    chars: { ...chars, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
}
