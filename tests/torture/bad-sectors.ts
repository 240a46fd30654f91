// SPDX-License-Identifier: MIT
// Copies between drives with bad sectors, killed and resumed; one boot for a few seeds, whose sectors are in its drives.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { errorsOf, PLANS_AT_ONCE, planBad } from "./bad-plan.ts";
import { contentOf } from "./content.ts";
import { guestProgram } from "./guest-program.ts";
import type { RunReport } from "./report.ts";

const SIZE_MIB = 4 * (PLANS_AT_ONCE + 1);
const RUN_MS = 90_000;

/** At most PLANS_AT_ONCE seeds. */
export async function runBadSectors(
  seeds: readonly number[],
  folder: string,
  program: string,
  onRun: (run: RunReport) => void,
): Promise<void> {
  const plans = seeds.map(planBad);
  const image = join(folder, "bad-source.img");
  const source = Buffer.alloc(SIZE_MIB << 20);
  for (const { seed, srcOffset, lengthBytes } of plans) contentOf(seed, lengthBytes).copy(source, srcOffset);
  writeFileSync(image, source);
  const machine = topology({
    name: "bad-sectors",
    summary: "a source and a destination with bad sectors",
    pci: [
      rootPort(
        pciSwitch(
          drive("A", { cmbMiB: 16, sizeMiB: SIZE_MIB, mediumErrors: errorsOf(plans, "read") }),
          drive("B", { sizeMiB: SIZE_MIB, mediumErrors: errorsOf(plans, "write") }),
        ),
      ),
    ],
  });
  const lab = await startLab({ topology: machine, disks: [image] });
  try {
    const command = [...guestProgram("bad-cases"), program, ...seeds.map(String)];
    const result = await captureIn(lab, { command, timeoutMs: RUN_MS * seeds.length });
    const lines = result.stdout.split("\n").filter(Boolean);
    for (const line of lines) onRun(JSON.parse(line) as RunReport);
    if (result.exitCode === 0 && lines.length === seeds.length) return;
    throw new Error(`the guest ended with ${result.exitCode} after ${lines.length} runs: ${result.stderr}`);
  } finally {
    await lab.close();
    rmSync(image, { force: true });
  }
}
