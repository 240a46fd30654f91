// SPDX-License-Identifier: MIT
// Copies between the lab's drives, killed and resumed; many in one boot.
import { startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { runInGuest } from "./guest-program.ts";
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

export async function runLabKills(
  seeds: readonly number[],
  program: string,
  onRun: (run: RunReport) => void,
): Promise<void> {
  const lab = await startLab({ topology: machine });
  try {
    await runInGuest(lab, "kill-cases", program, seeds, onRun);
  } finally {
    await lab.close();
  }
}
