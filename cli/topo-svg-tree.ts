// SPDX-License-Identifier: MIT
import type { Provider } from "../core/p2pmem/providers.ts";
import {
  acsShort,
  type Device,
  driveBytes,
  functionWords,
  hostBridgeStanding,
  idsOf,
  linkAbove,
  type Machine,
} from "../core/topo/index.ts";
import { formatBytes } from "../core/units.ts";
import { fit, group, polyline, rect, text } from "./svg.ts";
import { type Band, type Box, flatten, type Layout, middle, SIZES } from "./topo-svg-layout.ts";

/** Host bridges as bands, ports and devices as boxes, links as lines. */
export function drawTree(machine: Machine, layout: Layout): string[] {
  return layout.bands.map((band) =>
    group(
      {},
      drawBand(machine, layout, band),
      ...flatten(band.boxes).flatMap(drawSwitch),
      drawSpine(layout, band),
      ...flatten(band.boxes).flatMap((box) => box.children.map((child) => drawLink(machine, box, child))),
      ...flatten(band.boxes).map((box) => drawBox(box)),
    ),
  );
}

function drawBand(machine: Machine, { left, right }: Layout, { root, top, bottom }: Band): string {
  const { name, ids } = root.verdict;
  const numa = root.numaNode === undefined ? undefined : `NUMA node ${root.numaNode}`;
  const head = [`host bridge ${ids ?? ""}`.trimEnd(), numa].filter(Boolean).join(", ");
  const width = right - left + 14;
  const note = `peers on different root ports: ${hostBridgeStanding(machine, root.verdict)}`;
  return [
    rect(left, top, width, bottom - top, { rx: 6, class: "band" }),
    text(left + 12, top + 20, name, { class: "strong" }),
    text(left + 12 + 10 * name.length, top + 20, head, { class: "plain" }),
    text(left + 12, top + 36, fit(note, width - 20, 11), { class: "note" }),
  ].join("\n");
}

/** The root bus itself: what hangs on it hangs on this line. */
function drawSpine({ left }: Layout, { boxes }: Band): string {
  const x = left + SIZES.spine;
  const [first, last] = [boxes[0], boxes.at(-1)];
  if (!first || !last) return "";
  const stubs = boxes.map((box) =>
    polyline(
      [
        [x, middle(box)],
        [box.x, middle(box)],
      ],
      { class: "link", "stroke-width": 1.5 },
    ),
  );
  const [top, bottom] = [middle(first), middle(last)];
  const spine = polyline(
    [
      [x, top - 10],
      [x, bottom + 10],
    ],
    { class: "spine" },
  );
  return [spine, ...stubs].join("\n");
}

/** A switch is one chip: its upstream and downstream ports stand in one frame. */
function drawSwitch({ branch, x, width, children }: Box): string[] {
  const ports = children.filter(({ kind }) => kind === "port");
  const [first, last] = [ports[0], ports.at(-1)];
  if (branch.pci.portType !== "upstream-port" || !first || !last) return [];
  const top = first.y - 19;
  const right = Math.max(...ports.map((port) => port.x + port.width));
  const frame = rect(x - 8, top, right - x + 16, last.y + last.height + 8 - top, { rx: 8, class: "switch" });
  return [frame, text(x - 2, top + 12, `switch ${idsOf(branch.pci)}`.slice(0, width), { class: "tiny" })];
}

function drawLink(machine: Machine, from: Box, to: Box): string {
  const link = linkAbove(machine.tree, to.branch.pci);
  const start = from.x + from.width;
  const bend = start + 14;
  const [a, b] = [middle(from), middle(to)];
  const line = polyline(
    [
      [start, a],
      [bend, a],
      [bend, b],
      [to.x, b],
    ],
    { class: link?.best ? "link degraded" : "link", "stroke-width": strokeFor(to.branch.pci.link?.width) },
  );
  if (!link) return line;
  const words = link.now.replace("GT/s x", "GT/s ×");
  const end = to.x - (to.kind === "port" ? 13 : 6);
  const label = text(end, b - 5, words, { class: link.best ? "label strong" : "label" });
  const best = link.best ? text(end, b + 13, `of ${link.best.replace(" x", " ×")}`, { class: "label" }) : "";
  return [line, label, best].join("\n");
}

/** Wider links are thicker, a lane being a hair. */
function strokeFor(width = 1): number {
  return Math.round((1 + Math.log2(Math.max(1, width)) * 0.6) * 10) / 10;
}

function drawBox(box: Box): string {
  if (box.kind === "device") return drawDevice(box);
  const { branch, x, y, width, height } = box;
  const { pci } = branch;
  const isRedirecting = acsShort(pci.acs).startsWith("redirects");
  const words = functionWords(pci).replace("switch, ", "").replace(" port", "");
  if (box.kind === "other") {
    return [
      rect(x, y, width, height, { rx: 3, class: "other" }),
      text(x + 8, y + 16, fit(`${pci.bdf}  ${words} ${pci.driver ?? ""}`, width - 16, 11), { class: "tiny" }),
    ].join("\n");
  }
  const acs = isRedirecting ? acsShort(pci.acs).replace("redirects ", "") : "";
  return [
    rect(x, y, width, height, { rx: 3, class: isRedirecting ? "port redirecting" : "port" }),
    text(x + width / 2, y + 13, pci.bdf, { class: "mono", "text-anchor": "middle" }),
    text(x + width / 2, y + 26, [words, acs].filter(Boolean).join(" · "), {
      class: "tiny",
      "text-anchor": "middle",
    }),
  ].join("\n");
}

const MEMORY_WIDTH = 98;

/** A drive with its name, size and model; memory that it lends is a part of it. */
function drawDevice({ branch, x, y, width, height }: Box): string {
  const { device, pci } = branch;
  if (!device) return "";
  const bytes = driveBytes(device);
  const room = width - (device.provider ? MEMORY_WIDTH + 12 : 0) - 18;
  const model = device.controller?.model || `${functionWords(pci)} ${idsOf(pci)}`;
  const size = bytes === undefined ? "" : formatBytes(bytes);
  const name = device.name === pci.bdf ? "" : device.name;
  return group(
    {},
    rect(x, y, width, height, { rx: 5, class: "device" }),
    text(x + 9, y + 17, name || model, { class: "name" }),
    text(x + 9 + room, y + 17, name ? size : "", { class: "plain", "text-anchor": "end" }),
    text(x + 9, y + 31, name ? fit(model, room, 10) : "", { class: "tiny" }),
    text(x + 9, y + 44, pci.bdf, { class: "mono" }),
    ...(device.provider
      ? [drawMemory(x + width - MEMORY_WIDTH - 6, y + 5, height - 10, device, device.provider)]
      : []),
  );
}

function drawMemory(
  x: number,
  y: number,
  height: number,
  { controller }: Device,
  { sizeBytes, availableBytes }: Provider,
): string {
  const kind = controller ? "CMB" : "BAR";
  const middleX = x + MEMORY_WIDTH / 2;
  return [
    rect(x, y, MEMORY_WIDTH, height, { rx: 3, class: "memory" }),
    text(middleX, y + 17, `${kind} ${formatBytes(sizeBytes)}`, { class: "strong", "text-anchor": "middle" }),
    text(middleX, y + 31, `${formatBytes(availableBytes)} free`, { class: "tiny", "text-anchor": "middle" }),
  ].join("\n");
}
