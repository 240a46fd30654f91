// SPDX-License-Identifier: MIT
import { type Branch, type Forest, linkAbove, type Machine, type RootBus } from "../core/topo/index.ts";

/** A function's box; lines leave it in the middle of its sides. */
export interface Box {
  readonly branch: Branch;
  readonly kind: "port" | "device" | "other";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly children: readonly Box[];
}

export interface Band {
  readonly root: RootBus;
  readonly top: number;
  readonly bottom: number;
  readonly boxes: readonly Box[];
}

/** Where everything stands. The tree grows to the right; each leaf has a row, and the matrix goes on along it. */
export interface Layout {
  readonly bands: readonly Band[];
  readonly left: number;
  /** Right edge of the leaves. */
  readonly right: number;
  readonly bottom: number;
}

export const SIZES = {
  ...{ left: 24, top: 84, bandHead: 48, bandGap: 14, spine: 18, firstColumn: 44 },
  ...{ portWidth: 112, portHeight: 32, deviceWidth: 278, deviceHeight: 50, otherHeight: 24 },
  ...{ deviceRow: 60, portRow: 44, otherRow: 30, linkGap: 108, innerGap: 34, switchGap: 12 },
} as const;

/** A tidy tree: leaves one below the other, every bridge in the middle of what it leads to. */
export function layOut(machine: Machine, forest: Forest): Layout {
  const columns = placeColumns(machine, forest);
  const bands: Band[] = [];
  let at: number = SIZES.top;
  for (const root of forest.rootBuses) {
    const rows = new Rows(at + SIZES.bandHead);
    const boxes = root.branches.map((branch) => place(branch, 0, columns, rows));
    bands.push({ root, top: at, bottom: rows.next + 6, boxes });
    at = rows.next + 6 + SIZES.bandGap;
  }
  const right = columns.leaf + SIZES.deviceWidth;
  return { bands, left: SIZES.left, right, bottom: at };
}

/** Boxes depth first, parents before children. */
export function flatten(boxes: readonly Box[]): Box[] {
  return boxes.flatMap((box) => [box, ...flatten(box.children)]);
}

export const middle = ({ y, height }: Box) => y + height / 2;

interface Columns {
  /** Left edge of the ports, by depth. */
  readonly ports: readonly number[];
  /** Left edge of the devices, whatever their depth: their rows go on as lines of the matrix. */
  readonly leaf: number;
}

class Rows {
  constructor(public next: number) {}

  take(height: number): number {
    const at = this.next;
    this.next += height;
    return at;
  }
}

/** A gap is wide where a link's speed has to be written into it. */
function placeColumns(machine: Machine, forest: Forest): Columns {
  const ports: number[] = [];
  let x: number = SIZES.left + SIZES.firstColumn;
  let level = bridgesOf(forest.rootBuses.flatMap(({ branches }) => branches));
  for (let depth = 0; level.length > 0; depth++) {
    const hasLink = level.some(({ pci }) => linkAbove(machine.tree, pci) !== undefined);
    if (depth > 0) x += SIZES.portWidth + (hasLink ? SIZES.linkGap : SIZES.innerGap);
    ports.push(x);
    level = bridgesOf(level.flatMap(({ children }) => children));
  }
  return { ports, leaf: ports.length === 0 ? x : x + SIZES.portWidth + SIZES.linkGap };
}

function bridgesOf(branches: readonly Branch[]): Branch[] {
  return branches.filter(({ pci }) => pci.isBridge);
}

function place(branch: Branch, depth: number, columns: Columns, rows: Rows): Box {
  const kind = branch.device ? "device" : branch.pci.isBridge ? "port" : "other";
  const x = kind === "port" ? (columns.ports[depth] ?? columns.leaf) : columns.leaf;
  const size = sizeOf(kind);
  if (branch.children.length === 0) {
    const y = rows.take(size.row) + (size.row - size.height) / 2;
    return { branch, kind, x, y, ...size, children: [] };
  }
  // The frame of a switch reaches a little above and below its ports.
  const isSwitch = branch.pci.portType === "upstream-port";
  if (isSwitch) rows.take(SIZES.switchGap);
  const children = branch.children.map((child) => place(child, depth + 1, columns, rows));
  if (isSwitch) rows.take(SIZES.switchGap / 2);
  const [first, last] = [children[0], children.at(-1)];
  const centre = first && last ? (middle(first) + middle(last)) / 2 : 0;
  return { branch, kind, x, y: centre - size.height / 2, ...size, children };
}

function sizeOf(kind: Box["kind"]): { width: number; height: number; row: number } {
  if (kind === "port") return { width: SIZES.portWidth, height: SIZES.portHeight, row: SIZES.portRow };
  const height = kind === "device" ? SIZES.deviceHeight : SIZES.otherHeight;
  return { width: SIZES.deviceWidth, height, row: kind === "device" ? SIZES.deviceRow : SIZES.otherRow };
}
