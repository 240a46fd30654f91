// SPDX-License-Identifier: MIT
// The few shapes that our pictures are made of, as strings of XML.

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element; its content is XML already. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(formatValue(value ?? ""))}"`)
    .join("");
  return content === "" ? `<${name}${list}/>` : `<${name}${list}>${content}</${name}>`;
}

export function rect(x: number, y: number, width: number, height: number, attributes: Attributes): string {
  return element("rect", { x, y, width, height, ...attributes });
}

/** Words at a point; `class` sets the style. */
export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeXml(words));
}

/** A line through points, at right angles if they are. */
export function polyline(points: readonly (readonly [number, number])[], attributes: Attributes): string {
  const list = points.map((point) => point.map(formatValue).join(",")).join(" ");
  return element("polyline", { points: list, fill: "none", ...attributes });
}

export function group(attributes: Attributes, ...parts: readonly string[]): string {
  return element("g", attributes, parts.join("\n"));
}

/** Text that XML 1.0 allows, whatever a device calls itself. */
export function escapeXml(words: string): string {
  const named: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return words
    .replaceAll(/[^\t\n\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll(/[&<>"]/g, (character) => named[character] ?? character);
}

/** Cut to what fits, by the average width of a letter in the sans-serif fonts that browsers have. */
export function fit(words: string, widthPx: number, fontPx: number): string {
  const room = Math.max(1, Math.floor(widthPx / (fontPx * 0.56)));
  const letters = [...words];
  return letters.length <= room ? words : `${letters.slice(0, room - 1).join("")}…`;
}

function formatValue(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 10) / 10) : value;
}
