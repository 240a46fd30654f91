// SPDX-License-Identifier: MIT
import type { DryRun } from "../core/copy/dry-run.ts";
import { formatBytes } from "../core/units.ts";
import { renderExplanation } from "./explain-text.ts";
import { renderRows } from "./receipt-text.ts";

/** The plan of a copy for people. */
export function renderDryRun(plan: DryRun, destinationLines: readonly string[]): string {
  const { source, destination, lengthBytes, holeBytes, refusal } = plan;
  const length = `${lengthBytes} bytes (${formatBytes(BigInt(lengthBytes))})`;
  const holes = holeBytes === "0" ? "" : `, of which ${holeBytes} are holes and not moved`;
  const rows = renderRows([
    ["source", `${source.path} (${source.description}), read from byte ${source.startBytes}`],
    ["to", `${destination.path}, written from byte ${destination.startBytes}`],
    ["length", `${length}${holes}`],
    ["requests", `${formatBytes(plan.chunkBytes)} each, ${plan.depth} in flight to begin with`],
    ["journal", plan.journal ?? "none"],
    ...plan.warnings.map((text) => ["note", text] as const),
    ["would it run", refusal ? `no (exit code ${refusal.exitCode}): ${refusal.message}` : "yes"],
    ...(refusal?.hint ? [["", refusal.hint] as const] : []),
  ]);
  return `${destinationLines.join("\n")}\n${rows}\n${renderExplanation(plan.explanation)}`;
}
