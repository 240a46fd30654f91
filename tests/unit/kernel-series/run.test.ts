// SPDX-License-Identifier: MIT
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KernelBuildError } from "../../../kernel-series/errors.ts";
import { withInterrupts } from "../../../kernel-series/interrupts.ts";
import { type RunOptions, run } from "../../../kernel-series/run.ts";
import { withScratch } from "./series.ts";

const inShell = async (script: string, options: Partial<RunOptions>): Promise<string> => {
  let text = "";
  await withScratch(async ({ cache }) => {
    const log = join(cache, "log");
    const lock = openSync(join(cache, "lock"), "a");
    const { signal } = new AbortController();
    try {
      await run("sh", ["-c", script], { cwd: cache, log, lock, signal, ...options });
    } finally {
      closeSync(lock);
      text = readFileSync(log, "utf8");
    }
  });
  return text;
};

test("run() logs both outputs, but not the lines it is told to leave out", async () => {
  const log = await inShell("echo one; echo two >&2; echo three", { onLine: (line) => line !== "three" });
  assert.match(log, /^one$/m);
  assert.match(log, /^two$/m);
  assert.not.match(log, /^three$/m);
});

test("run() fails with the last lines, and where the rest is", async () => {
  const error = await inShell("seq 1 100; exit 3", {}).catch((caught: unknown) => caught);
  assert.instance(error, KernelBuildError);
  assert.match((error as Error).message, /ended with 3.*\n.*\| 89\n(.*\n)*.*\| 100$/);
  assert.match((error as KernelBuildError).hint ?? "", /\/log/);
});

test("run() keeps the caller's environment out of the build", async () => {
  process.env.CROSS_COMPILE = "nonsense-";
  const log = await inShell("env", {});
  delete process.env.CROSS_COMPILE;
  assert.not.match(log, /CROSS_COMPILE/);
  assert.match(log, /^KBUILD_BUILD_HOST=lab$/m);
});

test("an interrupt ends a command with all its children", async () => {
  // The sleeping children hold the command's output open, and it is read to its end.
  const started = Date.now();
  const onLine = (): boolean => {
    process.emit("SIGTERM", "SIGTERM");
    return true;
  };
  const script = "sleep 60 & sleep 60 & echo started; wait";
  const stopped = withInterrupts(undefined, (signal) => inShell(script, { signal, onLine }));
  const error = await stopped.catch((caught: unknown) => caught);
  assert.instance(error, KernelBuildError);
  assert.is((error as KernelBuildError).exitCode, 143);
  assert.ok(Date.now() - started < 4000);
});

test.run();
