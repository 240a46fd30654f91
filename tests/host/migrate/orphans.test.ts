// SPDX-License-Identifier: MIT
// One migrate at a time, and what one leaves behind that is killed.
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isRunning, Job, LOG, SLOW, states } from "./job-kit.ts";

/** Keeps a job at work until the test lets it go, however slow the machine is. */
const HOLD = `post: "while ! test -e go; do sleep 0.1; done"`;

test("only one migrate works on a job; --status looks on", async () => {
  const job = new Job("locked", `pairs: [{ name: x, from: a.img, to: out/x, via: ram, hooks: { ${HOLD} } }]`);
  const { child, ended } = job.start();
  await job.begun("x");
  const [second, running] = await Promise.all([job.run("--resume"), job.report("--status")]);
  assert.is(second.code, 7);
  assert.match(second.stderr, new RegExp(`Cannot work on job ".*": process ${child.pid} does`));
  assert.equal([running.code, running.report.state], [0, "running"]);
  writeFileSync(job.path("go"), "");
  assert.is((await ended).code, 0);
});

test("when migrate itself is killed, a resume ends its orphans and runs the post hooks that are owed", async () => {
  const job = new Job(
    "killed-migrate",
    `defaults: { via: ram }
hooks: { pre: "${LOG("begin")}", post: "${LOG("end")}" }
pairs:
  - { name: x, from: a.img, to: out/x, ${SLOW}, hooks: { pre: "${LOG("freeze")}", post: "${LOG("thaw")}" } }
  - { name: y, from: b.img, to: out/y, after: [x] }
`,
  );
  const { child, ended } = job.start();
  const orphan = await job.moving("x");
  child.kill("SIGKILL");
  await ended;
  const { report: left } = await job.report("--status");
  assert.equal([left.state, left.isPostOwed, left.pairs[0]?.isPostOwed], ["killed", true, true]);
  assert.equal(job.log(), ["begin", "freeze x"]);
  const { code, report, stderr } = await job.report("--resume");
  assert.is(code, 0, stderr);
  assert.not.ok(isRunning(orphan));
  assert.equal(states(report), { x: "done", y: "done" });
  assert.ok(job.isCopied("a.img", "out/x") && job.isCopied("b.img", "out/y"));
  const log = job.log();
  assert.match(log[2] ?? "", /^thaw x /);
  assert.match(log[3] ?? "", /^end /);
  assert.equal([log[4], log.at(-1)], ["begin", "end 0"]);
});

test("a copy that came to its end after migrate was killed is not repeated", async () => {
  const job = new Job("finished-alone", `pairs: [{ name: x, from: a.img, to: out/x, via: ram, ${SLOW} }]`);
  const { child, ended } = job.start();
  const orphan = await job.moving("x");
  child.kill("SIGKILL");
  await ended;
  while (isRunning(orphan)) await new Promise((resolve) => setTimeout(resolve, 50));
  const { code, report, stderr } = await job.report("--resume");
  assert.is(code, 0, stderr);
  assert.equal([report.pairs[0]?.state, report.pairs[0]?.attempts], ["done", 1]);
  assert.ok(report.pairs[0]?.receipt && job.isCopied("a.img", "out/x"));
});

test.run();
