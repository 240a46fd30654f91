// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withLock } from "../../../kernel-series/lock.ts";
import { until, withScratch } from "./series.ts";

test("withLock() lets one in at a time, and says that it waits", () =>
  withScratch(async ({ cache }) => {
    const file = join(cache, "build/x.lock");
    const events: string[] = [];
    let release = (): void => {};
    const first = withLock(file, {}, async () => {
      events.push("first in");
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      events.push("first out");
    });
    await until(() => events.length === 1);
    const second = withLock(file, { onWait: () => events.push("waits") }, async () =>
      events.push("second in"),
    );
    await until(() => events.includes("waits"));
    release();
    await Promise.all([first, second]);
    assert.equal(events, ["first in", "waits", "first out", "second in"]);
  }));

test("withLock() takes over from a process that was killed", () =>
  withScratch(async ({ cache }) => {
    const file = join(cache, "x.lock");
    const holder = spawn("flock", ["--no-fork", file, "sh", "-c", "echo locked; exec sleep 60"]);
    await once(holder.stdout, "data");
    let entered = false;
    const waiting = withLock(file, { onWait: () => holder.kill("SIGKILL") }, async () => {
      entered = true;
    });
    await waiting;
    assert.ok(entered);
  }));

test("withLock() stops waiting when asked to", () =>
  withScratch(async ({ cache }) => {
    const file = join(cache, "x.lock");
    const controller = new AbortController();
    await withLock(file, {}, async () => {
      const options = { signal: controller.signal, onWait: () => controller.abort(new Error("enough")) };
      const outcome = await withLock(file, options, async () => "in").catch((error: Error) => error.message);
      assert.is(outcome, "enough");
    });
  }));

test("withLock() frees the lock when its body fails", () =>
  withScratch(async ({ cache }) => {
    const file = join(cache, "x.lock");
    const failing = withLock(file, {}, async () => Promise.reject(new Error("body")));
    assert.is(await failing.catch((error: Error) => error.message), "body");
    assert.is(await withLock(file, { onWait: assert.unreachable }, async () => 1), 1);
  }));

test.run();
