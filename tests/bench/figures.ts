// SPDX-License-Identifier: MIT

/** What a figure has to be. `near`: no further from 1 than this, either way. */
export type Requirement =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly near: number };

/** One ratio that a part of the benchmark came to. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** Without one it is told, not judged. */
  readonly required?: Requirement;
  /** What it was made of. */
  readonly detail: string;
}

/** Not a number meets nothing. */
export function isMet({ value, required }: Figure): boolean {
  if (!required) return true;
  if ("atLeast" in required) return value >= required.atLeast;
  if ("atMost" in required) return value <= required.atMost;
  return Math.abs(value - 1) <= required.near;
}

/** A line each: the figure, what it has to be, whether it is, and what it was made of. */
export function renderFigures(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const lines = figures.map((figure) => {
    const cells = [
      figure.name.padEnd(width),
      figure.value.toFixed(3).padStart(7),
      words(figure.required).padEnd(12),
      verdict(figure).padEnd(6),
    ];
    return `${cells.join("  ")}  ${figure.detail}`;
  });
  return lines.join("\n");
}

function verdict(figure: Figure): string {
  if (!figure.required) return "";
  return isMet(figure) ? "PASS" : "MISSED";
}

function words(required: Requirement | undefined): string {
  if (!required) return "";
  if ("atLeast" in required) return `>= ${required.atLeast}`;
  if ("atMost" in required) return `<= ${required.atMost}`;
  return `1 +- ${required.near}`;
}
