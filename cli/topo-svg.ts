// SPDX-License-Identifier: MIT
import {
  type Forest,
  kernelName,
  kindOf,
  type Machine,
  type Reach,
  type ReachKind,
} from "../core/topo/index.ts";
import { element, group, text } from "./svg.ts";
import { type Layout, layOut } from "./topo-svg-layout.ts";
import { drawMark, drawReach, reachWidth } from "./topo-svg-reach.ts";
import { drawTree } from "./topo-svg-tree.ts";

/** Colours that the colour-blind can tell apart; every one has a line style and a word as well. */
const STYLE = `
text { font-family: "DejaVu Sans", Verdana, Arial, sans-serif; font-size: 12px; fill: #1a1a1a }
.title { font-size: 19px; font-weight: bold }
.strong, .name { font-weight: bold }
.name { font-size: 14px }
.note { font-size: 11px; fill: #444 }
.tiny { font-size: 10px; fill: #333 }
.mono { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: 10.5px; fill: #333 }
.label { font-size: 10px; fill: #333; text-anchor: end }
.label.strong { fill: #a33b00 }
.paper { fill: #fff }
.band { fill: #f4f4f2; stroke: #8a8a86; stroke-width: 1.2 }
.switch { fill: #e4edf6; stroke: #5b7fa6; stroke-width: 1.2 }
.port { fill: #fff; stroke: #555 }
.port.redirecting { stroke: #a33b00; stroke-width: 2.4; stroke-dasharray: 5 2 }
.device { fill: #fff; stroke: #222; stroke-width: 1.4 }
.memory { fill: url(#memory); stroke: #222 }
.other { fill: #fafafa; stroke: #bbb }
.link { stroke: #444 }
.link.degraded { stroke: #a33b00; stroke-dasharray: 7 3 }
.spine { stroke: #444; stroke-width: 3 }
.guide { stroke: #c8c8c8 }
.cell { stroke-width: 1.6 }
.cell.self { fill: url(#memory); stroke: #222 }
.cell.direct { fill: #bcd8f2; stroke: #0b559f; stroke-width: 2.2 }
.cell.host-bridge { fill: #ffe8b8; stroke: #9a6500; stroke-dasharray: 6 3 }
.cell.refused { fill: #fff; stroke: #999; stroke-dasharray: 1.5 3 }
.cell.unknown { fill: #fff; stroke: #555; stroke-dasharray: 3 3 }
.mark { font-size: 14px; font-weight: bold }
.self-mark { font-size: 11px }
.refused-mark { fill: #a33b00; font-weight: normal }`;

const MEMORY_PATTERN = element(
  "pattern",
  { id: "memory", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
  `${element("rect", { width: 6, height: 6, fill: "#e7f3e1" })}${element("rect", { width: 1.2, height: 6, fill: "#b4d3a5" })}`,
);

const LEGEND: readonly (readonly [ReachKind, string, string])[] = [
  ["direct", "n", "direct: straight through the bridge that both are below"],
  ["host-bridge", "n", "through the host bridge"],
  ["refused", "✕", "refused by the kernel"],
  ["unknown", "?", "depends on ACS bits that only root can read"],
  ["self", "own", "the device's own memory"],
];

const REDIRECTING_NOTE =
  "Dashed ports send peer traffic up to the host bridge: ACS redirects requests (RR), completions (CR) or controls egress (EC).";
const DEGRADED_NOTE = "Dashed links run slower or narrower than both their ends can.";

const MARGIN = 24;
const LEGEND_HEIGHT = 118;

/** One self-contained picture: the tree on the left, who reaches whose memory on the right. */
export function renderSvg(machine: Machine, forest: Forest, reach: Reach, date: Date): string {
  const layout = layOut(machine, forest);
  const width = Math.max(layout.right + 14 + reachWidth(reach) + MARGIN, 900);
  const height = layout.bottom + LEGEND_HEIGHT;
  const tree = drawTree(machine, layout);
  const parts = [
    element("title", {}, "Peer-to-peer DMA: PCI topology"),
    element("style", {}, STYLE),
    element("defs", {}, MEMORY_PATTERN),
    element("rect", { width, height, class: "paper" }),
    ...drawTitle(machine, forest, date),
    ...tree,
    ...drawReach(layout, reach),
    drawLegend(layout, reach, tree.join()),
  ];
  const frame = { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("svg", frame, parts.join("\n"))}\n`;
}

function drawTitle({ host }: Machine, { hiddenCount }: Forest, date: Date): string[] {
  const kernel = host.isOtherKernel
    ? `predicted for Linux ${kernelName(host.platform.kernel)} (running: ${host.kernelRelease ?? "unknown"})`
    : `Linux ${host.kernelRelease}`;
  const day = `drawn ${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const functions = hiddenCount === 1 ? "function" : "functions";
  const folded = hiddenCount > 0 ? `${hiddenCount} other PCI ${functions} not shown` : undefined;
  const subtitle = [kernel, host.cpuModel, day, folded].filter(Boolean).join("  ·  ");
  const title = host.name ? `Peer-to-peer DMA on ${host.name}` : "Peer-to-peer DMA";
  return [text(MARGIN, 36, title, { class: "title" }), text(MARGIN, 56, subtitle, { class: "note" })];
}

/** Only what occurs, and always how to read a number. */
function drawLegend(layout: Layout, { verdicts, isHypothetical }: Reach, tree: string): string {
  const kinds = new Set(verdicts.flat().map(kindOf));
  const shown = LEGEND.filter(([kind]) => kinds.has(kind));
  let x = MARGIN;
  const items = shown.map(([kind, mark, meaning]) => {
    const item = [
      drawMark(x, layout.bottom + 24, kind, mark),
      text(x + 48, layout.bottom + 28, meaning, { class: "note" }),
    ];
    x += 48 + meaning.length * 6 + 24;
    return item.join("\n");
  });
  const notes = [
    "A line of cells tells whose memory that device can read and write by DMA; the number counts the hops between them.",
    ...(tree.includes('"port redirecting"') ? [REDIRECTING_NOTE] : []),
    ...(tree.includes('"link degraded"') ? [DEGRADED_NOTE] : []),
    ...(isHypothetical ? ["No device lends memory: the cells show what would be if the drives did."] : []),
  ];
  const lines = notes.map((note, at) => text(MARGIN, layout.bottom + 58 + at * 15, note, { class: "note" }));
  return group({}, ...items, ...lines);
}
