// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runHook } from "../../../../core/migrate/hooks.ts";
import { tempFolder } from "../../temp.ts";

const folder = tempFolder("hooks");
const shell = (script: string) => ["/bin/sh", "-c", script];

test("runHook() gives the hook its environment, beside ours", async () => {
  const out = join(folder, "out");
  const environment = { P2PDMA_PAIR: "a b", P2PDMA_EXIT_CODE: "6" };
  const problem = await runHook(
    "pre",
    shell(`echo "$P2PDMA_PAIR|$P2PDMA_EXIT_CODE|$PATH" > ${out}`),
    environment,
    9000,
  );
  assert.is(problem, undefined);
  assert.is(readFileSync(out, "utf8"), `a b|6|${process.env.PATH}\n`);
});

test("runHook() tells how a hook ended, with its last line", async () => {
  assert.is(
    await runHook("pre", shell("echo x; echo no disk >&2; exit 3"), {}, 9000),
    "the pre hook ended with 3: no disk",
  );
  assert.match(
    (await runHook("post", shell("kill -9 $$"), {}, 9000)) ?? "",
    /the post hook ended with SIGKILL/,
  );
  assert.match(
    (await runHook("post", ["/nowhere/at/all"], {}, 9000)) ?? "",
    /the post hook could not be started: .*ENOENT/,
  );
});

test("runHook() ends a late hook with all that it started", async () => {
  const started = performance.now();
  const pidFile = join(folder, "pid");
  const problem = await runHook("pre", shell(`sleep 60 & echo $! > ${pidFile}; wait`), {}, 300);
  assert.is(problem, "the pre hook did not end within 0.3 s");
  assert.ok(performance.now() - started < 4000);
  const pid = readFileSync(pidFile, "utf8").trim();
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "(gone) Z";
  assert.match(stat, /\) Z/, "it still runs");
});

test("runHook() does not wait for a service that keeps the hook's output open", async () => {
  const started = performance.now();
  assert.is(await runHook("post", shell("sleep 8 & exit 0"), {}, 20_000), undefined);
  assert.ok(performance.now() - started < 4000);
});

test.run();
