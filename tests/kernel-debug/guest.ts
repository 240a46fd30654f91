// SPDX-License-Identifier: MIT
import { PassThrough, Readable } from "node:stream";
import { lineSplitter } from "../../lab/protocol.ts";
import { captureIn, type LabSession } from "../../lab/run.ts";

/** Runs a shell line in the guest and hands out its output as it comes. @throws LabError when it takes too long */
export async function follow(
  lab: LabSession,
  script: string,
  onLine: (line: string) => void,
  timeoutMs: number,
): Promise<number> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  stdout.on("data", lineSplitter(onLine));
  stderr.on("data", lineSplitter(onLine));
  const timer = setTimeout(() => lab.kill(`"${script}" did not end within ${timeoutMs / 1000} s`), timeoutMs);
  try {
    const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
    const command = ["sh", "-c", script];
    const { exitCode } = await lab.run({ command, cwd: "/", env, stdin: Readable.from([]), stdout, stderr });
    return exitCode;
  } finally {
    clearTimeout(timer);
  }
}

async function shell(lab: LabSession, script: string): Promise<string[]> {
  const result = await captureIn(lab, { command: ["sh", "-c", script], cwd: "/", timeoutMs: 900_000 });
  return result.stdout.split("\n").filter((line) => line !== "");
}

export function kernelLog(lab: LabSession): Promise<string[]> {
  return shell(lab, "dmesg");
}

const KMEMLEAK = "/sys/kernel/debug/kmemleak";

/** Objects that nobody refers to. One that is in a register during the first scan is found again by the second. */
export async function findLeaks(lab: LabSession): Promise<string[]> {
  const scan = `echo scan > ${KMEMLEAK}`;
  const blind = 'echo "unreferenced objects are not looked for: this kernel has no kmemleak"';
  return shell(lab, `test -e ${KMEMLEAK} || { ${blind}; exit; }; ${scan}; sleep 6; ${scan}; cat ${KMEMLEAK}`);
}

/** What was lost while booting is not ours. */
export async function forgetLeaks(lab: LabSession): Promise<number> {
  const leaks = await findLeaks(lab);
  await shell(lab, `echo clear > ${KMEMLEAK}`);
  return countLeaks(leaks);
}

export function countLeaks(report: readonly string[]): number {
  return report.filter((line) => line.startsWith("unreferenced object ")).length;
}
