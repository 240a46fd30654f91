// SPDX-License-Identifier: MIT
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureKernel } from "../../kernel-series/build.ts";
import { seriesFolder } from "../../kernel-series/folders.ts";
import { packageRoot } from "../../lab/package-root.ts";
import type { LabSession } from "../../lab/run.ts";
import { findLeaks, forgetLeaks, kernelLog } from "./guest.ts";
import { bootDebugMachine, findProviders } from "./machine.ts";
import { withSelftests } from "./selftests.ts";
import { findSplats } from "./splats.ts";
import { runSuite } from "./suite.ts";

/** A bug in planted-bugs.patch, switched on at boot, and what must betray it. */
interface PlantedBug {
  readonly name: string;
  readonly program: "p2pmem_mmap" | "p2pmem_remove";
  /** The test that walks into it. */
  readonly only: string;
  readonly caughtBy: "test" | "splat" | "leak";
  readonly evidence: RegExp;
}

const mapped = { program: "p2pmem_mmap", only: "mmap() takes" } as const;
const unbound = { program: "p2pmem_remove", only: "unbound while mapped" } as const;

const bugs: readonly PlantedBug[] = [
  { ...mapped, name: "lost-page", caughtBy: "test", evidence: /bytes are available again/ },
  { ...mapped, name: "lost-object", caughtBy: "leak", evidence: /unreferenced object/ },
  { ...mapped, name: "use-after-free", caughtBy: "splat", evidence: /KASAN: slab-use-after-free/ },
  { ...mapped, name: "sleep-in-rcu", caughtBy: "splat", evidence: /RCU|sleeping function called/ },
  { ...unbound, name: "lock-order", caughtBy: "splat", evidence: /possible circular locking/ },
  { ...unbound, name: "kept-mapping", caughtBy: "test", evidence: /Bail out!.*unbind/ },
  { ...unbound, name: "old-file", caughtBy: "test", evidence: /a file opened before/ },
];

/** Builds the debug kernel with bugs to choose from, boots it with each in turn: 0 if all were caught. */
export async function tryPlantedBugs(print: (line: string) => void, image?: string): Promise<number> {
  const kernel = image ?? (await buildPlanted());
  let missed = 0;
  await withSelftests(async (folder) => {
    for (const bug of bugs) {
      const found = await evidenceOf(kernel, folder, bug);
      if (found === undefined) missed++;
      print(`${found === undefined ? "MISSED" : "caught"} ${bug.name}: ${found?.trim() ?? "-"}`);
    }
  });
  return missed > 0 ? 1 : 0;
}

async function buildPlanted(): Promise<string> {
  const series = mkdtempSync(join(tmpdir(), "p2pdma-planted-"));
  try {
    cpSync(seriesFolder(), series, { recursive: true });
    const patch = join(packageRoot(), "tests/kernel-debug/planted-bugs.patch");
    cpSync(patch, join(series, "patches/9999-planted-bugs.patch"));
    return (await ensureKernel({ flavour: "debug", series })).bzImage;
  } finally {
    rmSync(series, { recursive: true });
  }
}

/** The line that gives the bug away. */
async function evidenceOf(kernel: string, folder: string, bug: PlantedBug): Promise<string | undefined> {
  const lab = await bootDebugMachine(kernel, "acpiphp", `p2pdma.plant=${bug.name}`);
  try {
    if (bug.caughtBy === "leak") await forgetLeaks(lab);
    const [provider] = await findProviders(lab);
    if (!provider) throw new Error("no provider in the guest");
    const suite = { program: bug.program, only: bug.only, options: [], provider };
    const { problems } = await runSuite(lab, folder, suite, () => {});
    const lines = bug.caughtBy === "test" ? problems : await linesOf(lab, bug.caughtBy);
    return lines.find((line) => bug.evidence.test(line));
  } finally {
    await lab.close();
  }
}

async function linesOf(lab: LabSession, kind: "splat" | "leak"): Promise<string[]> {
  return kind === "leak" ? findLeaks(lab) : findSplats(await kernelLog(lab)).flat();
}
