// SPDX-License-Identifier: MIT
// Copies between drives with bad sectors, killed and resumed; one boot for a few seeds, whose sectors are in its drives.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { errorsOf, PLANS_AT_ONCE, planBad } from "./bad-plan.ts";
import { contentOf } from "./content.ts";
import { runInGuest } from "./guest-program.ts";
import type { RunReport } from "./report.ts";

const SIZE_MIB = 4 * (PLANS_AT_ONCE + 1);

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
    await runInGuest(lab, "bad-cases", program, seeds, onRun);
  } finally {
    await lab.close();
    rmSync(image, { force: true });
  }
}
