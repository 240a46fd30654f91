// SPDX-License-Identifier: MIT
import { describeUse } from "../core/copy/in-use.ts";
import { usageError } from "../core/errors.ts";
import type { ListedController } from "../core/inventory.ts";
import { formatBytes } from "../core/units.ts";

/** A namespace with its controller; no namespace for a controller that has none. */
export interface NamespaceRow {
  readonly controller: ListedController;
  readonly namespace: ListedController["namespaces"][number] | undefined;
}

interface Column {
  readonly title: string;
  readonly text: (row: NamespaceRow) => string;
}

const NONE = "-";
const size = (bytes: string | undefined) => (bytes === undefined ? NONE : formatBytes(BigInt(bytes)));

/** What a line of `p2pdma list` can show, by the name that --columns takes. */
const COLUMNS: Readonly<Record<string, Column>> = {
  namespace: { title: "NAMESPACE", text: ({ namespace }) => namespace?.path ?? NONE },
  controller: { title: "CONTROLLER", text: ({ controller }) => controller.name },
  address: { title: "ADDRESS", text: ({ controller }) => controller.pciAddress ?? controller.transport },
  model: { title: "MODEL", text: ({ controller }) => controller.model },
  serial: { title: "SERIAL", text: ({ controller }) => controller.serial },
  firmware: { title: "FIRMWARE", text: ({ controller }) => controller.firmware },
  state: { title: "STATE", text: ({ controller }) => controller.state },
  nsid: { title: "NSID", text: ({ namespace }) => String(namespace?.nsid ?? NONE) },
  size: { title: "SIZE", text: ({ namespace }) => size(namespace?.sizeBytes) },
  lba: { title: "LBA", text: ({ namespace }) => String(namespace?.lbaSizeBytes ?? NONE) },
  wwid: { title: "WWID", text: ({ namespace }) => namespace?.wwid ?? NONE },
  cmb: { title: "CMB", text: ({ controller }) => cmbText(controller) },
  free: { title: "FREE", text: ({ controller }) => size(controller.p2pmem?.availableBytes) },
  link: { title: "LINK", text: ({ controller }) => linkText(controller) },
  numa: { title: "NUMA", text: ({ controller }) => String(controller.numaNode ?? NONE) },
  iommu: { title: "IOMMU", text: ({ controller }) => controller.iommuGroup ?? NONE },
  use: { title: "USE", text: ({ namespace }) => useText(namespace) },
};

const DEFAULT_COLUMNS = "namespace,address,model,serial,firmware,size,lba,cmb,free,link,numa,use";

export const COLUMN_NAMES = Object.keys(COLUMNS);

/** @throws P2pdmaError USAGE for a name that is none, telling those that are. */
export function pickColumns(names = DEFAULT_COLUMNS): Column[] {
  return names.split(",").map((name) => {
    const column = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
    if (!column)
      throw usageError(`--columns: there is no "${name}"`, `choose from: ${COLUMN_NAMES.join(", ")}`);
    return column;
  });
}

/** A CMB that is there but not p2pmem is the first thing to look into. */
function cmbText({ hasCmb, p2pmem }: ListedController): string {
  if (p2pmem) return size(p2pmem.sizeBytes);
  return hasCmb ? "not p2pmem" : NONE;
}

/** A link below its best is shown with what it could be. */
function linkText({ link }: ListedController): string {
  if (!link) return NONE;
  const now = `${link.speedGtps} GT/s x${link.width}`;
  const isDegraded = link.speedGtps < link.maxSpeedGtps || link.width < link.maxWidth;
  return isDegraded ? `${now} (of ${link.maxSpeedGtps} x${link.maxWidth})` : now;
}

function useText(namespace: NamespaceRow["namespace"]): string {
  if (!namespace) return NONE;
  return namespace.uses.map(describeUse).join(", ") || "free";
}
