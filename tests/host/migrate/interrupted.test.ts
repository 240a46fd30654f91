// SPDX-License-Identifier: MIT
// Jobs that are interrupted in every way there is, and go on.
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MigrateReport } from "../../../core/migrate/report.ts";
import { Job, LOG, SLOW, states } from "./job-kit.ts";

test("SIGINT lets copies drain, runs what is owed, ends with 130, and a resume goes on", async () => {
  const job = new Job(
    "interrupted",
    `defaults: { via: ram }
limits: { jobs: 1 }
hooks: { post: "${LOG("end")}" }
pairs:
  - { name: x, from: a.img, to: out/x, ${SLOW}, hooks: { post: "${LOG("thaw")}", onFailure: "${LOG("never")}" } }
  - { name: y, from: b.img, to: out/y }
`,
  );
  const { child, ended } = job.start("--json");
  await job.moving("x");
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  assert.is(code, 130, stderr);
  const report = JSON.parse(stdout) as MigrateReport;
  assert.equal(states(report), { x: "stopped", y: "waiting" });
  assert.equal(job.log(), ["thaw x 130", "end 130"]);
  const resumed = await job.report("--resume");
  assert.is(resumed.code, 0, resumed.stderr);
  assert.equal(states(resumed.report), { x: "done", y: "done" });
  assert.ok(job.isCopied("a.img", "out/x") && job.isCopied("b.img", "out/y"));
  assert.ok(BigInt(resumed.report.pairs[0]?.receipt?.bytes.before ?? 0) > 0n, "it began anew");
});

test("a copy that is killed touches no other, and what comes after it is skipped until it is resumed", async () => {
  const job = new Job(
    "killed-copy",
    `defaults: { via: ram }
limits: { perDevice: 4 }
pairs:
  - { name: x, from: a.img, to: out/x, ${SLOW}, hooks: { onFailure: "${LOG("failed")}" } }
  - { name: y, from: b.img, to: out/y, ${SLOW} }
  - { name: z, from: b.img, to: out/z, after: [x] }
`,
  );
  const { ended } = job.start("--json");
  process.kill(await job.moving("x"), "SIGKILL");
  const { code, stdout } = await ended;
  assert.is(code, 6);
  const report = JSON.parse(stdout) as MigrateReport;
  assert.equal(states(report), { x: "stopped", y: "done", z: "skipped" });
  assert.is(report.pairs[0]?.signal, "SIGKILL");
  assert.match(report.pairs[0]?.next ?? "", /p2pdma migrate .*plan\.yaml --resume goes on where it stopped/);
  assert.match(report.pairs[2]?.problem?.message ?? "", /since x did not end well/);
  assert.equal(job.log(), ["failed x 128"]);
  const resumed = await job.report("--resume");
  assert.is(resumed.code, 0, resumed.stderr);
  assert.equal(
    resumed.report.pairs.map(({ attempts }) => attempts),
    [2, 1, 1],
  );
  assert.ok(job.isCopied("a.img", "out/x") && job.isCopied("b.img", "out/z"));
});

test("a job that is there is neither overwritten nor mixed with a changed plan", async () => {
  const pairs = (to: string) => `defaults: { via: ram }
limits: { jobs: 3 }
pairs:
  - { name: x, from: a.img, to: out/x }
  - { name: y, from: b.img, to: ${to}, hooks: { pre: "test -e go" } }
`;
  const job = new Job("changed", pairs("out/y"));
  assert.match((await job.run("--resume")).stderr, /There is no job in/);
  assert.is((await job.run()).code, 6);
  const twice = await job.run();
  assert.is(twice.code, 2);
  assert.match(
    twice.stderr,
    /has 1 of 2 copies to go[\s\S]*hint: --resume goes on with it, --restart begins anew/,
  );
  job.write(pairs("out/elsewhere").replace("jobs: 3", "jobs: 2"));
  writeFileSync(job.path("go"), "");
  const refused = await job.run("--resume");
  assert.is(refused.code, 2);
  assert.match(refused.stderr, /something else than when the job began: ~y\nhint: --accept-changed-plan/);
  const { code, report, stderr } = await job.report("--resume", "--accept-changed-plan");
  assert.is(code, 0, stderr);
  assert.equal(
    report.pairs.map(({ attempts }) => attempts),
    [1, 1],
  );
  assert.ok(job.isCopied("b.img", "out/elsewhere"));
  assert.match((await job.run()).stderr, /which is finished/);
  assert.is((await job.report("--restart")).report.runs, 1);
});

test.run();
