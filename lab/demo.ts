// SPDX-License-Identifier: MIT
import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LabError } from "./errors.ts";
import { runInLab } from "./run.ts";

const LENGTH_BYTES = 64 << 20;
const COPY = [
  "p2pdma",
  "copy",
  "--via",
  "p2p",
  "--verify",
  "--allow-write=/dev/lab/B",
  "/dev/lab/A",
  "/dev/lab/B",
];

/**
 * Copies 64 MiB of random data between two emulated drives through a CMB, then
 * compares the drives' images here, outside the machine that made the copy.
 * @throws LabError when the copy failed or the images differ
 */
export async function runDemo(say: (text: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "p2pdma-demo-"));
  try {
    const [source, target] = makeImages(folder);
    say(`two drives with ${LENGTH_BYTES >> 20} MiB each: A holds random data, B zeros`);
    say(`$ p2pdma lab run --disk A.img --disk B.img -- ${COPY.join(" ")}\n`);
    const { exitCode } = await runInLab({ command: COPY, disks: [source, target], stdio: "inherit" });
    if (exitCode !== 0) throw new LabError(`The copy in the lab ended with exit code ${exitCode}`);
    const [before, after] = [digest(source), digest(target)];
    say(
      `\n$ sha256sum A.img B.img    (outside the lab, after it was switched off)\n${before}  A.img\n${after}  B.img`,
    );
    if (before !== after) throw new LabError("The two images differ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeImages(folder: string): [string, string] {
  const [source, target] = [join(folder, "A.img"), join(folder, "B.img")] as const;
  writeFileSync(source, randomFillSync(Buffer.alloc(LENGTH_BYTES)));
  const fd = openSync(target, "w");
  ftruncateSync(fd, LENGTH_BYTES);
  closeSync(fd);
  return [source, target];
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
