// SPDX-License-Identifier: MIT
// The selftests of kernel-series on a kernel that checks itself: every provider, every way to
// map its memory, and every way to lose it. Ends with status 0 when there was nothing to see.
import { parseArgs } from "node:util";
import { ensureKernel } from "../../kernel-series/build.ts";
import type { LabSession } from "../../lab/run.ts";
import { countLeaks, findLeaks, forgetLeaks, kernelLog } from "./guest.ts";
import {
  bootDebugMachine,
  findProviders,
  type Hotplug,
  type Provider,
  pullCard,
  spareCard,
} from "./machine.ts";
import { tryPlantedBugs } from "./planted.ts";
import { withSelftests } from "./selftests.ts";
import { findSplats } from "./splats.ts";
import { runSuite, type Suite, type SuiteResult, suiteName } from "./suite.ts";

const READERS = ["-d", "/dev/lab/B", "-d", "/dev/lab/C"];

interface BootResult {
  readonly suites: readonly SuiteResult[];
  readonly splats: readonly string[][];
  readonly leaks: readonly string[];
}

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    only: { type: "string", default: "" },
    planted: { type: "boolean", default: false },
  },
});
process.exitCode = values.planted
  ? await tryPlantedBugs(print, values.kernel)
  : await testKernel(values.kernel);

async function testKernel(image?: string): Promise<number> {
  const kernel = image ?? (await ensureKernel({ flavour: "debug" })).bzImage;
  const start = performance.now();
  const results = await withSelftests(async (folder) => [
    await testBoot(kernel, folder, "acpiphp", everything),
    await testBoot(kernel, folder, "pciehp", onlyPulling),
  ]);
  return summarize(results, Math.round((performance.now() - start) / 1000));
}

/** What needs the drives' names of the first minute comes first. */
function everything(providers: readonly Provider[]): Suite[] {
  const mapping = providers.flatMap((provider): Suite[] => [
    { program: "p2pmem_mmap", options: [], provider },
    {
      program: "p2pmem_access",
      options: [...READERS, ...(provider.ownDrive ? ["-d", provider.ownDrive] : [])],
      provider,
    },
  ]);
  const removing = providers.map((provider) => ({ program: "p2pmem_remove", options: READERS, provider }));
  return [...mapping, ...removing, ...onlyPulling(providers)];
}

function onlyPulling(providers: readonly Provider[]): Suite[] {
  return providers.map((provider) => ({ program: "p2pmem_remove", options: ["-w", ...READERS], provider }));
}

async function testBoot(
  kernel: string,
  folder: string,
  hotplug: Hotplug,
  choose: (providers: readonly Provider[]) => Suite[],
): Promise<BootResult> {
  print(`# booting ${kernel}, hotplug by ${hotplug}`);
  const lab = await bootDebugMachine(kernel, hotplug);
  try {
    print(`# up; ${await forgetLeaks(lab)} objects were lost while booting`);
    const logLines = hotplug === "pciehp" ? await pullSpare(lab) : 0;
    const suites: SuiteResult[] = [];
    const chosen = choose(await findProviders(lab));
    for (const suite of chosen.filter((one) => suiteName(one).includes(values.only))) {
      const result = await runSuite(lab, folder, suite, (line) => print(`    ${line}`));
      print(`${result.problems.length > 0 ? "FAIL" : "ok  "} ${result.name} (${result.seconds} s)`);
      suites.push(result);
    }
    return { suites, ...(await lookBack(lab, logLines)) };
  } finally {
    await lab.close();
  }
}

/**
 * Mainline's pciehp takes two of its own locks in either order, whatever card is pulled. So one without p2pmem is
 * pulled first, and what the kernel has logged by then is not held against what follows; returns how many lines.
 */
async function pullSpare(lab: LabSession): Promise<number> {
  await pullCard(lab, spareCard);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const log = await kernelLog(lab);
  for (const [title] of findSplats(log)) print(`# after pulling a card without p2pmem: ${title}`);
  return log.length;
}

/** Of a guest that died, the end of its console is all there is. */
async function lookBack(lab: LabSession, logLines: number): Promise<Pick<BootResult, "splats" | "leaks">> {
  try {
    const leaks = await findLeaks(lab);
    return { splats: findSplats((await kernelLog(lab)).slice(logLines)), leaks };
  } catch {
    return { splats: findSplats(lab.consoleTail()), leaks: [] };
  }
}

function summarize(boots: readonly BootResult[], seconds: number): number {
  const suites = boots.flatMap((boot) => boot.suites);
  const splats = boots.flatMap((boot) => boot.splats);
  const leaks = boots.flatMap((boot) => boot.leaks);
  for (const line of [...splats.flat(), ...leaks]) print(line);
  for (const { name, problems } of suites) for (const line of problems) print(`FAIL ${name}: ${line}`);
  print("");
  for (const { name, passed, skipped, problems, seconds } of suites)
    print(`| ${name} | ${passed} | ${skipped} | ${problems.length} | ${seconds} |`);
  const failed = suites.filter(({ problems }) => problems.length > 0).length;
  print(
    `\n${suites.length} suites, ${failed} failed; splats: ${splats.length}, leaks: ${countLeaks(leaks)}; ${seconds} s`,
  );
  return failed + splats.length + leaks.length > 0 ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
