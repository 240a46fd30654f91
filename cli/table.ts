// SPDX-License-Identifier: MIT
import Table from "cli-table3";

/** Columns without lines, so that the output also reads well in a pipe and cuts well with awk. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
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
  const table = new Table({
    head: [...head],
    chars: { ...chars, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return `${table.toString().replaceAll(/ +$/gm, "")}\n`;
}
