// SPDX-License-Identifier: MIT
// Whole jobs, with the built program, on files through RAM: what is special about p2pmem is in tests/lab.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Job, LOG, states } from "./job-kit.ts";

test("a plan runs in its order, with globs, hooks and verification, and reports it", async () => {
  const job = new Job(
    "whole",
    `defaults: { via: ram, verify: true }
limits: { perDevice: 4 }
hooks: { pre: "${LOG("begin")}", post: "${LOG("end")}", onFailure: "${LOG("never")}" }
pairs:
  - { name: last, from: out/a.img, to: out/again, after: [all] }
  - { name: all, from: "*.img", to: out/, hooks: { pre: "${LOG("pre")}", post: "${LOG("post")}" } }
`,
  );
  writeFileSync(job.path("out/a.img"), "overwritten");
  const { code, report, stderr } = await job.report("--report", "r.html", "--report", "r.json");
  assert.is(code, 0, stderr);
  assert.equal(states(report), { last: "done", "all/a.img": "done", "all/b.img": "done" });
  assert.ok(job.isCopied("a.img", "out/again") && job.isCopied("b.img", "out/b.img"));
  const log = job.log();
  assert.equal([log.at(0), log.at(-1)], ["begin", "end 0"]);
  for (const name of ["all/a.img", "all/b.img"]) {
    assert.ok(
      log.indexOf(`pre ${name}`) > 0 && log.indexOf(`post ${name} 0`) > log.indexOf(`pre ${name}`),
      name,
    );
  }
  assert.is(log.length, 6);
  assert.ok(report.pairs.every(({ receipt }) => receipt?.verification?.equal));
  assert.equal(JSON.parse(readFileSync(job.path("r.json"), "utf8")), report);
  const page = readFileSync(job.path("r.html"), "utf8");
  assert.match(page, /All pairs are copied and verified/);
  assert.not.match(page, /(src|href)="(?!#)/, "it needs other files");
  assert.is(statSync(job.path("plan.p2pjob")).mode & 0o777, 0o700);
  assert.is(statSync(job.path("plan.p2pjob/job.json")).mode & 0o777, 0o600);
});

test("jobs: 1 never runs two copies at a time", async () => {
  const job = new Job(
    "one-by-one",
    `defaults: { via: ram }
limits: { jobs: 1, perDevice: 4 }
pairs:
  - { name: x, from: a.img, to: out/x }
  - { name: y, from: b.img, to: out/y }
`,
  );
  const { report } = await job.report();
  const [x, y] = report.pairs;
  assert.ok(x?.endedAt && y?.startedAt && x.endedAt <= y.startedAt, `${x?.endedAt} ${y?.startedAt}`);
});

test("a pre hook that fails keeps its copy from starting, and is followed by post and onFailure", async () => {
  const job = new Job(
    "hooks",
    `defaults: { via: ram }
pairs:
  - name: x
    from: a.img
    to: out/x
    hooks: { pre: "echo no >&2; exit 9", post: "${LOG("thaw")}", onFailure: "${LOG("failed")}" }
  - { name: y, from: b.img, to: out/y, hooks: { post: "exit 1" } }
`,
  );
  const { code, report } = await job.report();
  assert.is(code, 6);
  assert.equal(states(report), { x: "failed", y: "done" });
  assert.is(report.pairs[0]?.problem?.message, "the pre hook ended with 9: no");
  assert.equal(job.log(), ["thaw x 1", "failed x 1"]);
  assert.not.ok(existsSync(job.path("out/x")));
  assert.equal(
    [report.pairs[1]?.isPostOwed, report.pairs[1]?.problem?.message],
    [true, "the post hook ended with 1"],
  );
  const again = await job.report("--resume");
  assert.is(again.code, 6);
  assert.is(again.report.pairs[1]?.attempts, 1, "a copy that is done is not repeated for its post hook");
});

test("everything that can be known is checked before anything is touched, and all of it is told", async () => {
  const job = new Job(
    "refused",
    `pairs:
  - { name: gone, from: gone.img, to: out/1 }
  - { name: nowhere, from: a.img, to: no/where }
  - { name: long, from: a.img, to: out/2, via: ram, length: 1G }
  - { name: one, from: a.img, to: out/3, via: ram }
  - { name: two, from: b.img, to: out/3, via: ram }
  - { name: odd, from: a.img, to: out/4, via: ram, offset: 1 }
  - { name: self, from: a.img, to: a.img, via: ram }
  - { name: eats, from: b.img, to: a.img, via: ram }
`,
  );
  const { code, stderr } = await job.run();
  assert.is(code, 2);
  for (const expected of [
    /plan\.yaml:3:25: pairs\[0\]\.from: Cannot open source ".*gone\.img": no such file/,
    /plan\.yaml:4:39: pairs\[1\]\.to: Cannot create ".*no\/where": its directory does not exist/,
    /pairs\[2\]\.to: ".*a\.img" ends at 2097157 bytes, asked up to 1073741824/,
    /pairs\[4\]\.to: "two" and "one" write to the same bytes \(say with after: which comes first\)/,
    /pairs\[5\]\.to: --offset 1 is no multiple of the block size/,
    /pairs\[6\]\.to: .* overlap on the same file/,
    /pairs\[7\]\.to: "eats" writes what "one" reads/,
  ]) {
    assert.match(stderr, expected);
  }
  assert.not.ok(existsSync(job.path("plan.p2pjob")));
  assert.not.ok(existsSync(job.path("out/1")));
});

test("a pair that demands peer-to-peer where there is none ends with 3 before anything is touched", async () => {
  const job = new Job("no-p2p", "pairs: [{ name: x, from: a.img, to: out/x, via: p2p }]");
  const { code, stderr } = await job.run();
  assert.is(code, 3);
  assert.match(stderr, /no way peer-to-peer/);
  assert.not.ok(existsSync(job.path("out/x")));
});

test("--dry-run shows what would be done, and does nothing", async () => {
  const job = new Job(
    "dry",
    "pairs: [{ name: x, from: a.img, to: out/x, via: ram }, { from: b.img, to: out/y, after: [x] }]",
  );
  const { code, stdout } = await job.run("--dry-run");
  assert.is(code, 0);
  assert.match(stdout, /^PAIR +SOURCE +DESTINATION +SIZE +THROUGH +STAGING +STARTS$/m);
  assert.match(stdout, /^x .* 2\.00 MiB +RAM .* at once$/m);
  assert.match(stdout, /^pair-2 .* after x$/m);
  assert.not.ok(existsSync(job.path("plan.p2pjob")) || existsSync(job.path("out/x")));
});

test("options that make no sense together are wrong usage", async () => {
  const job = new Job("usage", "pairs: [{ from: a.img, to: out/x, via: ram }]");
  for (const args of [["--resume", "--restart"], ["--accept-changed-plan"], ["--report", "x.pdf"]]) {
    assert.is((await job.run(...args)).code, 2, args.join(" "));
  }
});

test.run();
