// SPDX-License-Identifier: MIT
import type { MachineDocument } from "../core/bench/document.ts";
import { formatBytes } from "../core/units.ts";
import { BENCH_STYLE } from "./bench-html-style.ts";
import { element, escapeXml } from "./svg.ts";

/** A whole page, that needs nothing else and runs nothing. */
export function page(title: string, parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${BENCH_STYLE}</style>
</head>
<body>
${parts.filter(Boolean).join("\n")}
</body>
</html>
`;
}

export function section(title: string, content: string): string {
  return content === "" ? "" : `<section>${element("h2", {}, escapeXml(title))}${content}</section>`;
}

/** A number with what it is, in the colour of its memory. */
export function tile(value: string, label: string, tone?: number): string {
  const kind = tone === undefined ? "tile" : `tile tone${tone}`;
  return `<div class="${kind}"><b>${escapeXml(value)}</b><span class="dim">${escapeXml(label)}</span></div>`;
}

/** Cells are HTML already; columns from `firstNumber` on are numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  firstNumber: number,
): string {
  const kind = (index: number) => (index >= firstNumber ? ' class="num"' : "");
  const heads = head.map((word, index) => `<th${kind(index)}>${escapeXml(word)}</th>`).join("");
  const lines = rows.map(
    (row) => `<tr>${row.map((cell, at) => `<td${kind(at)}>${cell}</td>`).join("")}</tr>`,
  );
  return `<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
}

export function notes(lines: readonly string[]): string {
  const items = lines.map((line) => `<li>${escapeXml(line)}</li>`);
  return items.length === 0 ? "" : `<ul class="notes">${items.join("")}</ul>`;
}

/** What it was measured on: computer, drives, providers. */
export function machineSection({
  host,
  kernel,
  cpu,
  processors,
  memoryBytes,
  drives,
  providers,
}: MachineDocument): string {
  const computer: readonly (readonly [string, string | null])[] = [
    ["Host", host],
    ["Kernel", kernel && `Linux ${kernel}`],
    ["Processor", cpu && `${cpu}, ${processors} threads`],
    ["Memory", memoryBytes && formatBytes(BigInt(memoryBytes))],
  ];
  const list = computer.map(([name, value]) => `<dt>${name}</dt><dd>${escapeXml(value ?? "unknown")}</dd>`);
  const rows = [
    ...drives.map((drive) => [
      ...[drive.path, drive.pciAddress, drive.model, drive.serial, drive.firmware, drive.link],
      `${formatBytes(BigInt(drive.sizeBytes))}, ${drive.blockBytes} B blocks`,
    ]),
    ...providers.map(({ name, pciAddress, link, sizeBytes }) => [
      ...[name, pciAddress, "provider of p2pmem", null, null, link, formatBytes(BigInt(sizeBytes))],
    ]),
  ];
  const head = ["device", "PCI address", "model", "serial", "firmware", "link", "size"];
  const cells = rows.map((row) => row.map((cell) => escapeXml(cell?.trim() || "-")));
  return section("Measured on", `<dl>${list.join("")}</dl>${table(head, cells, head.length)}`);
}
