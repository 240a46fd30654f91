// SPDX-License-Identifier: MIT
import {
  acsShort,
  type Branch,
  type Device,
  driveBytes,
  type Forest,
  functionWords,
  hostBridgeStanding,
  idsOf,
  linkAbove,
  type Machine,
  type RootBus,
} from "../core/topo/index.ts";
import { formatBytes } from "../core/units.ts";
import { plainTable } from "./table.ts";

/** What trees are drawn with. */
export interface Glyphs {
  readonly tee: string;
  readonly corner: string;
  readonly pipe: string;
}

export const UNICODE: Glyphs = { tee: "├─", corner: "└─", pipe: "│ " };
export const ASCII: Glyphs = { tee: "|-", corner: "`-", pipe: "| " };

interface Row {
  readonly cells: Readonly<Record<Column, string>>;
}

const COLUMNS = ["FUNCTION", "WHAT", "LINK", "P2PMEM", "ACS", "NUMA", "IOMMU", "DRIVER"] as const;
type Column = (typeof COLUMNS)[number];

const NONE = "-";
const EMPTY: Row["cells"] = {
  ...{ FUNCTION: "", WHAT: "", LINK: NONE, P2PMEM: NONE, ACS: NONE, NUMA: NONE, IOMMU: NONE, DRIVER: NONE },
};

/** The tree as a table, without the columns that would be empty, and what the kernel thinks of the host bridges. */
export function renderTree(machine: Machine, forest: Forest, glyphs: Glyphs): string {
  if (forest.rootBuses.length === 0) return `No device with p2pmem and no NVMe controller on the PCI bus.\n`;
  const rows = forest.rootBuses.flatMap((root) => rootRows(machine, root, glyphs));
  const columns = COLUMNS.filter((column) => rows.some(({ cells }) => !["", NONE].includes(cells[column])));
  const table = plainTable(
    columns,
    rows.map(({ cells }) => columns.map((column) => cells[column])),
  );
  return `${table}${renderHidden(forest)}\n${renderHostBridges(machine, forest)}`;
}

function rootRows(machine: Machine, { verdict, numaNode, branches }: RootBus, glyphs: Glyphs): Row[] {
  const what = verdict.ids === undefined ? "host bridge" : `host bridge ${verdict.ids}`;
  const cells = { ...EMPTY, FUNCTION: verdict.name, WHAT: what, NUMA: String(numaNode ?? NONE) };
  return [{ cells }, ...branchRows(machine, branches, "", glyphs)];
}

function branchRows(machine: Machine, branches: readonly Branch[], indent: string, glyphs: Glyphs): Row[] {
  return branches.flatMap((branch, index) => {
    const isLast = index === branches.length - 1;
    const cells = cellsOf(machine, branch, `${indent}${isLast ? glyphs.corner : glyphs.tee}`);
    const below = `${indent}${isLast ? "  " : glyphs.pipe}`;
    return [{ cells }, ...branchRows(machine, branch.children, below, glyphs)];
  });
}

function cellsOf(machine: Machine, { pci, device }: Branch, lead: string): Row["cells"] {
  return {
    FUNCTION: `${lead}${pci.bdf}`,
    WHAT: device ? deviceWords(device) : functionWords(pci),
    LINK: linkText(machine, pci),
    P2PMEM: memoryText(device),
    ACS: acsShort(pci.acs) === "none" ? NONE : acsShort(pci.acs),
    NUMA: String(pci.numaNode ?? NONE),
    IOMMU: pci.iommuGroup ?? NONE,
    DRIVER: (pci.isBridge ? undefined : pci.driver) ?? NONE,
  };
}

/** `nvme0  8 GiB  QEMU NVMe Ctrl` */
function deviceWords(device: Device): string {
  const bytes = driveBytes(device);
  const kind = device.controller?.model || `${functionWords(device.pci)} ${idsOf(device.pci)}`;
  const name = device.name === device.bdf ? undefined : device.name;
  return [name, bytes === undefined ? undefined : formatBytes(bytes), kind].filter(Boolean).join("  ");
}

function linkText({ tree }: Machine, pci: Branch["pci"]): string {
  const link = linkAbove(tree, pci);
  if (!link) return NONE;
  return link.best === undefined ? link.now : `${link.now} (could be ${link.best})`;
}

function memoryText(device: Device | undefined): string {
  if (!device?.provider) return NONE;
  const { sizeBytes, availableBytes } = device.provider;
  return `${formatBytes(sizeBytes)}, ${formatBytes(availableBytes)} free`;
}

function renderHidden({ hiddenCount }: Forest): string {
  if (hiddenCount === 0) return "";
  return hiddenCount === 1
    ? "1 function is not shown: --all\n"
    : `${hiddenCount} functions are not shown: --all\n`;
}

function renderHostBridges(machine: Machine, { rootBuses }: Forest): string {
  const rows = rootBuses.map(({ verdict }) => {
    const offset = machine.busOffsets.get(verdict.name);
    const shifted = offset === undefined ? "" : `; CPU addresses are bus addresses ${signedHex(offset)}`;
    return [verdict.name, verdict.ids ?? NONE, `${hostBridgeStanding(machine, verdict)}${shifted}`];
  });
  return plainTable(["HOST BRIDGE", "IDS", "PEERS ON DIFFERENT ROOT PORTS"], rows);
}

function signedHex(value: bigint): string {
  return value < 0n ? `- 0x${(-value).toString(16)}` : `+ 0x${value.toString(16)}`;
}
