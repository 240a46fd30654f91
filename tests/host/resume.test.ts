// SPDX-License-Identifier: MIT
// Journals and resuming as a script meets them, with files on this machine.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Journal, readJournal, renderJournal } from "../../core/journal/journal.ts";
import { tempFolder } from "../unit/temp.ts";

const program = join(import.meta.dirname, "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("resume");
const state = join(folder, "state");
const env = { ...process.env, XDG_STATE_HOME: state };
const SIZE = (16 << 20) + 777;
const data = randomBytes(SIZE);
const [source, target, journal] = ["source", "target", "journal"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];

function p2pdma(...args: string[]) {
  const result = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env });
  return { ...result, text: `${result.stdout}${result.stderr}` };
}

/** A slow copy that is ended once its journal claims something. */
async function interruptedCopy(signal: NodeJS.Signals): Promise<number | null> {
  for (const path of [target, journal]) rmSync(path, { force: true });
  writeFileSync(source, data);
  const options = ["--via", "ram", "--rate", "3M", "--checkpoint", "100ms", "--progress=json"];
  const child = spawn(process.execPath, [program, "copy", ...options, "--journal", journal, source, target], {
    ...{ env, stdio: ["ignore", "ignore", "pipe"] },
  });
  let events = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    events += chunk;
    if (!child.killed && /"event":"checkpoint".*"durableBytes":"[1-9]/.test(events)) child.kill(signal);
  });
  await once(child, "close");
  return child.exitCode;
}

function claimed(): bigint {
  return BigInt(readJournal(journal).durableBytes);
}

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGKILL", null],
] as const) {
  test(`after ${signal} a copy goes on where its journal ends`, async () => {
    assert.is(await interruptedCopy(signal), exitCode);
    const before = claimed();
    assert.ok(before > 0n && before < BigInt(SIZE), `${before} bytes claimed`);
    assert.is(statSync(journal).mode & 0o777, 0o600);
    const { status, stdout, stderr } = p2pdma("resume", "--json", "--verify", journal);
    assert.is(status, 0, stderr);
    const receipt = JSON.parse(stdout);
    assert.is(receipt.bytes.before, String(before));
    assert.is(BigInt(receipt.bytes.throughRam) + before, BigInt(SIZE));
    assert.equal(readFileSync(target), data);
    assert.is(readJournal(journal).state, "done");
    const again = p2pdma("resume", journal);
    assert.is(again.status, 0);
    assert.match(again.stderr, /nothing to do/);
    assert.is(JSON.parse(p2pdma("resume", "--json", journal).stdout).state, "done");
  });
}

const changes: readonly [string, () => void, RegExp][] = [
  [
    "a source that was modified",
    () => utimesSync(source, new Date(), new Date(1e12)),
    /the source .* it was modified since/,
  ],
  ["a source that grew", () => writeFileSync(source, Buffer.concat([data, data])), /its size was/],
  [
    "a source that was replaced",
    () => {
      copyFileSync(source, `${source}.new`);
      rmSync(source);
      copyFileSync(`${source}.new`, source);
    },
    /the source .* (its inode was|it was made anew)/,
  ],
  [
    "a destination that was cut",
    () => truncateSync(target, 4096),
    /the destination .* it was cut to 4096 bytes/,
  ],
  ["a destination that is gone", () => rmSync(target), /the destination .* its inode was/],
];

for (const [what, change, message] of changes) {
  test(`${what} is refused with exit code 7, and nothing is written`, async () => {
    await interruptedCopy("SIGKILL");
    change();
    const before = existsSync(target) ? readFileSync(target) : undefined;
    const { status, stderr } = p2pdma("resume", journal);
    assert.is(status, 7, stderr);
    assert.match(stderr, message);
    assert.equal(existsSync(target) ? readFileSync(target) : undefined, before);
  });
}

test("--changed-source goes on with a modified source, and says what that means", async () => {
  await interruptedCopy("SIGKILL");
  utimesSync(source, new Date(), new Date(1e12));
  const { status, stderr } = p2pdma("resume", "--changed-source", journal);
  assert.is(status, 0, stderr);
  assert.match(stderr, /mixture of old and new/);
  assert.equal(readFileSync(target), data);
});

test("a journal of a process at work is left alone", async () => {
  await interruptedCopy("SIGKILL");
  const own = readJournal(journal).process;
  const sleeper = spawn("sleep", ["60"]);
  try {
    const stat = readFileSync(`/proc/${sleeper.pid}/stat`, "utf8");
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    rewrite({ process: { ...own, pid: sleeper.pid ?? 0, startTicks } });
    const { status, stderr } = p2pdma("resume", journal);
    assert.is(status, 7);
    assert.match(stderr, new RegExp(`process ${sleeper.pid} is at work on it`));
  } finally {
    sleeper.kill();
  }
});

function rewrite(over: Partial<Journal>): void {
  const { sha256: _, ...old } = JSON.parse(readFileSync(journal, "utf8")) as Journal & { sha256: string };
  writeFileSync(journal, renderJournal({ ...old, ...over }));
}

test("an unfinished journal is not overwritten by a new copy, unless --restart says so", async () => {
  await interruptedCopy("SIGKILL");
  const copy = ["copy", "--via", "ram", "--journal", journal];
  const refused = p2pdma(...copy, source, target);
  assert.is(refused.status, 2);
  assert.match(refused.stderr, /holds a copy that is not finished[\s\S]*p2pdma resume/);
  assert.is(p2pdma(...copy, "--restart", source, target).status, 0);
  assert.equal(readFileSync(target), data);
});

test("a file that is no journal is never overwritten", () => {
  writeFileSync(journal, "precious");
  const { status, stderr } = p2pdma("copy", "--via", "ram", "--journal", journal, source, target);
  assert.is(status, 2);
  assert.match(stderr, /no p2pdma journal/);
  assert.is(readFileSync(journal, "utf8"), "precious");
});

const replaceTarget = () => {
  rmSync(target);
  writeFileSync(target, "hi");
};
const disturbances: readonly [string, () => void, RegExp][] = [
  ["is removed", () => rmSync(target), /was removed while it was written/],
  ["is replaced", replaceTarget, /was replaced while it was written/],
];

for (const [what, disturb, message] of disturbances) {
  test(`a destination that ${what} meanwhile is an error`, async () => {
    const { status, stderr } = await disturbedCopy(disturb);
    assert.is(status, 6, stderr);
    assert.match(stderr, message);
  });
}

test("a source that is modified or removed meanwhile is said, in the receipt too", async () => {
  for (const disturb of [() => utimesSync(source, new Date(), new Date(1e12)), () => rmSync(source)]) {
    const { status, stdout, stderr } = await disturbedCopy(disturb);
    assert.is(status, 0, stderr);
    const changed = existsSync(source);
    assert.is(JSON.parse(stdout).sourceChanged, changed);
    assert.is(/mixture of old and new/.test(stderr), changed);
    assert.equal(readFileSync(target), data);
  }
});

test("two copies into one file: the second is refused", async () => {
  const { status } = await disturbedCopy(() => {
    const second = p2pdma("copy", "--via", "ram", "--no-journal", source, target);
    assert.is(second.status, 7);
    assert.match(second.stderr, /another program has it locked/);
  }, "3M");
  assert.is(status, 0);
  assert.equal(readFileSync(target), data);
});

/** A copy that something happens to once it moves data. */
async function disturbedCopy(disturb: () => void, rate = "20M") {
  for (const path of [target, journal]) rmSync(path, { force: true });
  writeFileSync(source, data);
  const options = ["--via", "ram", "--rate", rate, "--progress=json", "--json", "--journal", journal];
  const child = spawn(process.execPath, [program, "copy", ...options, source, target], { env });
  let [stdout, stderr, isDone] = ["", "", false];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
    if (isDone || !stderr.includes('"event":"progress"')) return;
    isDone = true;
    disturb();
  });
  await once(child, "close");
  return { status: child.exitCode, stdout, stderr };
}

test("neither journal nor mapfile replaces the source, the destination, each other, a device or anybody's file", () => {
  for (const path of [target, journal]) rmSync(path, { force: true });
  const letter = join(folder, "letter");
  writeFileSync(letter, "dear mother");
  const copy = (...args: string[]) => p2pdma("copy", "--via", "ram", ...args, source, target);
  const places: readonly [readonly string[], RegExp][] = [
    [["--mapfile", source], /it is the source/],
    [["--mapfile", target], /it is the destination/],
    [["--journal", target], /it is the destination/],
    [["--mapfile", "/dev/null"], /no regular file/],
    [["--journal", "/dev/null"], /no regular file|no p2pdma journal/],
    [["--mapfile", letter], /it holds something else/],
    [["--mapfile", journal, "--journal", journal], /both the journal and the mapfile/],
    [["--mapfile", join(folder, "missing", "map")], /its directory: ENOENT/],
  ];
  for (const [args, message] of places) {
    const { status, stderr } = copy(...args);
    assert.is(status, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
    assert.not.ok(existsSync(target), args.join(" "));
  }
  assert.equal(readFileSync(source), data);
  assert.is(readFileSync(letter, "utf8"), "dear mother");
  assert.ok(statSync("/dev/null").isCharacterDevice());
  const mapfile = join(folder, "map");
  for (let round = 0; round < 2; round++) assert.is(copy("--mapfile", mapfile).status, 0);
  assert.match(readFileSync(mapfile, "utf8"), /^# Mapfile\./);
});

test("without --journal one is kept at the default place; --no-journal keeps none", () => {
  for (const path of [target, state]) rmSync(path, { force: true, recursive: true });
  assert.is(p2pdma("copy", "--via", "ram", "--no-journal", source, target).status, 0);
  assert.not.ok(existsSync(state));
  assert.is(p2pdma("copy", "--via", "ram", source, target).status, 0);
  const [name] = readdirSync(join(state, "p2pdma", "journals"));
  assert.match(name ?? "", /^source--target-[0-9a-f]{12}\.journal$/);
});

test("--stop-after ends with 6 and can be resumed; without a journal with 1", () => {
  rmSync(target, { force: true });
  const slow = ["copy", "--via", "ram", "--rate", "4M", "--stop-after", "500ms"];
  const stopped = p2pdma(...slow, source, target);
  assert.is(stopped.status, 6);
  const path = /p2pdma resume (\S+)/.exec(stopped.stderr)?.[1] ?? "";
  assert.is(p2pdma("resume", path).status, 0);
  assert.equal(readFileSync(target), data);
  assert.is(p2pdma(...slow, "--no-journal", source, target).status, 1);
});

test("--dry-run makes nothing", () => {
  rmSync(target, { force: true });
  rmSync(state, { force: true, recursive: true });
  const { status, stdout } = p2pdma("copy", "--dry-run", "--via", "ram", source, target);
  assert.is(status, 0);
  assert.match(stdout, /would it run\s+yes/);
  assert.not.ok(existsSync(target));
  assert.equal(existsSync(state) ? readdirSync(join(state, "p2pdma", "journals")) : [], []);
});

test("verify ends with 4 and names the block that differs", () => {
  const other = Buffer.from(data);
  other[5_000_000] = (other[5_000_000] ?? 0) ^ 1;
  writeFileSync(target, other);
  const { status, stdout, stderr } = p2pdma("verify", source, target);
  assert.is(status, 4);
  const block = /(\d+) bytes at (\d+) differ/.exec(stdout)?.slice(1).map(Number) ?? [];
  assert.ok((block[1] ?? 0) <= 5_000_000 && 5_000_000 < (block[1] ?? 0) + (block[0] ?? 0), stdout);
  assert.match(stderr, /differs from/);
  assert.equal(readFileSync(target), other);
});

test.run();
