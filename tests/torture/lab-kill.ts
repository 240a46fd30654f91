// SPDX-License-Identifier: MIT
// Copies between the lab's drives, killed and resumed; many in one boot.
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { guestProgram } from "./guest-program.ts";
import type { RunReport } from "./report.ts";

const machine = topology({
  name: "torture",
  summary: "two drives with memory, one without",
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 16, sizeMiB: 128 }),
        drive("B", { cmbMiB: 16, sizeMiB: 128 }),
        drive("C", { sizeMiB: 128 }),
      ),
    ),
  ],
});

const RUN_MS = 60_000;

export async function runLabKills(
  seeds: readonly number[],
  program: string,
  onRun: (run: RunReport) => void,
): Promise<void> {
  const lab = await startLab({ topology: machine });
  try {
    const command = [...guestProgram("kill-cases"), program, ...seeds.map(String)];
    const result = await captureIn(lab, { command, timeoutMs: RUN_MS * seeds.length });
    const lines = result.stdout.split("\n").filter(Boolean);
    for (const line of lines) onRun(JSON.parse(line) as RunReport);
    if (result.exitCode === 0 && lines.length === seeds.length) return;
    throw new Error(`the guest ended with ${result.exitCode} after ${lines.length} runs: ${result.stderr}`);
  } finally {
    await lab.close();
  }
}
