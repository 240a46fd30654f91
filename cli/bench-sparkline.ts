// SPDX-License-Identifier: MIT

const BLOCKS = [..."▁▂▃▄▅▆▇█"];
const LETTERS = [..."_.-=+*#@"];

/**
 * Values as a row of bars, from 0 to `most`.
 * @param most what a full bar stands for, so that several rows can be compared
 */
export function sparkline(values: readonly number[], most: number, isUnicode: boolean): string {
  const glyphs = isUnicode ? BLOCKS : LETTERS;
  const level = (value: number) => Math.round((Math.max(0, value) / (most || 1)) * (glyphs.length - 1));
  return values.map((value) => glyphs[Math.min(glyphs.length - 1, level(value))] ?? "").join("");
}
