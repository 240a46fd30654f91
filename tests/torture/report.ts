// SPDX-License-Identifier: MIT

/** How one seeded run went: enough to run it again and to believe it. */
export interface RunReport {
  readonly seed: number;
  readonly kind: RunKind;
  /** When each process was killed: ms after its start, and what the journal claimed then, in chunks. */
  readonly kills: readonly string[];
  /** Chunks that were on the destination already and were copied again, over all resumes. */
  readonly repeated: number;
  readonly chunks: number;
  /** Undefined when nothing was lost. */
  readonly problem?: string | undefined;
  /** What it takes to repeat it by hand. */
  readonly detail: string;
}

export type RunKind = "host-kill" | "lab-kill" | "power-cut" | "bad-sectors" | "crash-states";

export function renderRun(run: RunReport): string {
  const kills = run.kills.length === 0 ? "not killed" : run.kills.join("; ");
  const line = `seed ${String(run.seed).padStart(3)}  ${run.kind.padEnd(12)} ${run.problem ? "LOST" : "ok  "}  ${kills}`;
  const repeated = `${run.repeated} of ${run.chunks} chunks repeated`;
  return `${line} | ${repeated} | ${run.detail}${run.problem ? `\n    ${run.problem}` : ""}`;
}

/** One line over all runs. */
export function renderSummary(runs: readonly RunReport[], seconds: number): string {
  const kinds = [...new Set(runs.map(({ kind }) => kind))];
  const parts = kinds.map((kind) => `${runs.filter((run) => run.kind === kind).length} ${kind}`);
  const kills = runs.reduce((sum, run) => sum + run.kills.length, 0);
  const lost = runs.filter(({ problem }) => problem !== undefined);
  const verdict =
    lost.length === 0 ? "nothing lost" : `LOST: seeds ${lost.map(({ seed }) => seed).join(", ")}`;
  const repeated = runs.reduce((sum, run) => sum + run.repeated, 0);
  const chunks = runs.reduce((sum, run) => sum + run.chunks, 0);
  return `torture: ${runs.length} runs (${parts.join(", ")}), ${kills} kills, ${repeated} of ${chunks} chunks repeated, ${seconds.toFixed(0)} s: ${verdict}`;
}
