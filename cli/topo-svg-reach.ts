// SPDX-License-Identifier: MIT
import type { Verdict } from "../core/pci/rules.ts";
import { type Device, kindOf, type Reach, type ReachKind } from "../core/topo/index.ts";
import { element, group, polyline, rect, text } from "./svg.ts";
import { type Box, flatten, type Layout, middle } from "./topo-svg-layout.ts";

const CELL = { width: 40, height: 30 } as const;
const GAP = 40;
const LETTER = 9;
/** Longer names are written aslant. */
const LONGEST_FLAT = 7;
const TITLE_WIDTH = 140;

/** Width that the matrix takes right of the tree. */
export function reachWidth({ providers }: Reach): number {
  return providers.length === 0 ? 0 : GAP + Math.max(TITLE_WIDTH, providers.length * stepOf(providers) + 20);
}

/** From one column to the next. */
function stepOf(providers: readonly Device[]): number {
  const longest = Math.max(...providers.map(({ name }) => name.length));
  return Math.max(CELL.width + 6, longest > LONGEST_FLAT ? 0 : longest * LETTER + 6);
}

/** Each drive's row goes on as a line of cells, one for each device that lends memory. */
export function drawReach(layout: Layout, reach: Reach): string[] {
  if (reach.providers.length === 0) return [];
  const left = layout.right + GAP;
  const boxes = new Map(
    layout.bands.flatMap(({ boxes }) => flatten(boxes)).map((box) => [box.branch.pci.bdf, box]),
  );
  const lines = reach.clients.flatMap((client, at) => {
    const box = boxes.get(client.bdf);
    const verdicts = reach.verdicts.flatMap((column) => column[at] ?? []);
    return box ? [drawLine(box, left, stepOf(reach.providers), verdicts)] : [];
  });
  const heads = layout.bands.map(({ top }) => drawHeads(left, top, reach.providers));
  const title = text(left - 3, layout.bands[0] ? layout.bands[0].top - 10 : 0, matrixTitle(reach), {
    class: "note",
  });
  return [title, ...heads, ...lines];
}

function matrixTitle({ isHypothetical }: Reach): string {
  return isHypothetical ? "if these lent memory:" : "reaches the memory of:";
}

/** Repeated for each band, so that a long picture can be read anywhere. */
function drawHeads(left: number, top: number, providers: readonly Device[]): string {
  const isFlat = providers.every(({ name }) => name.length <= LONGEST_FLAT);
  const step = stepOf(providers);
  const heads = providers.map(({ name }, column) => {
    const x = left + column * step + CELL.width / 2;
    if (isFlat) return text(x, top + 22, name, { class: "strong", "text-anchor": "middle" });
    return text(x - 4, top + 30, name, { class: "tiny", transform: `rotate(-35 ${x - 4} ${top + 30})` });
  });
  return heads.join("\n");
}

function drawLine(box: Box, left: number, step: number, verdicts: readonly Verdict[]): string {
  const y = middle(box);
  const guide = polyline(
    [
      [box.x + box.width, y],
      [left + (verdicts.length - 1) * step, y],
    ],
    { class: "guide" },
  );
  const cells = verdicts.map((verdict, column) => drawCell(left + column * step, y, verdict));
  return group({}, guide, ...cells);
}

function drawCell(x: number, y: number, verdict: Verdict): string {
  const kind = kindOf(verdict);
  const title = element(
    "title",
    {},
    `${verdict.client} into the memory of ${verdict.provider}: ${verdict.rule}`,
  );
  return group({}, title, drawMark(x, y, kind, cellWords(kind, verdict.distance)));
}

function cellWords(kind: ReachKind, distance: number | undefined): string {
  if (kind === "self") return "own";
  if (kind === "refused") return "✕";
  return kind === "unknown" ? "?" : String(distance ?? "");
}

/** Told apart by colour, by the line around it and by what is written in it. */
export function drawMark(x: number, y: number, kind: ReachKind, words: string): string {
  return [
    rect(x, y - CELL.height / 2, CELL.width, CELL.height, {
      rx: kind === "host-bridge" ? 15 : 4,
      class: `cell ${kind}`,
    }),
    text(x + CELL.width / 2, y + 5, words, { class: `mark ${kind}-mark`, "text-anchor": "middle" }),
  ].join("\n");
}
