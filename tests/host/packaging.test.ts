// SPDX-License-Identifier: MIT
// The systemd unit and the udev rules: well-formed, as tight as the documents say, and not too tight to copy.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { UDEV_RULE } from "../../core/doctor/checks/access.ts";
import { tempFolder } from "../unit/temp.ts";

const root = join(import.meta.dirname, "..", "..");
const unit = join(root, "packaging", "p2pdma-copy@.service");
const folder = tempFolder("packaging");

function run(command: string, ...args: string[]) {
  const result = spawnSync(command, args, { encoding: "utf8" });
  return { ...result, text: `${result.stdout}${result.stderr}${result.error?.message ?? ""}` };
}

const has = (command: string) => run("sh", "-c", `command -v ${command}`).status === 0;
if (!has("systemd-analyze")) console.log("# skip: packaging: systemd-analyze (systemd) is not installed");
if (!has("strace")) console.log("# skip: packaging: strace is not installed");
const withSystemd = has("systemd-analyze") ? test : test.skip;
const withBoth = has("systemd-analyze") && has("strace") ? test : test.skip;

withSystemd("the unit is well-formed", () => {
  const { status, text } = run("systemd-analyze", "verify", "--man=no", unit);
  assert.is(status, 0, text);
});

withSystemd("the unit's exposure is at most 0.7 of 10", () => {
  const options = ["--offline=true", "--threshold=7", "--no-pager"];
  const { status, text } = run("systemd-analyze", "security", ...options, unit);
  assert.is(status, 0, text);
});

/** The names in a filter set of systemd's, and in those that it names. */
function callsOf(set: string): string[] {
  const { stdout } = run("systemd-analyze", "syscall-filter", set);
  const names = stdout
    .split("\n")
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  return names.flatMap((name) => (name.startsWith("@") ? callsOf(name) : [name]));
}

/** What is left by the unit's lines of SystemCallFilter, the first of which allows and others (~) take away. */
function allowedCalls(): ReadonlySet<string> {
  const lines = [...readFileSync(unit, "utf8").matchAll(/^SystemCallFilter=(~?)(.*)$/gm)];
  const calls = new Set(callsOf("@default"));
  for (const [, isTaken, sets = ""] of lines) {
    for (const call of sets.split(" ").flatMap(callsOf)) isTaken ? calls.delete(call) : calls.add(call);
  }
  return calls;
}

withBoth("a journaled and verified copy makes no system call that the unit forbids", () => {
  const [source, target, log] = ["source", "target", "strace.log"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(source, randomBytes((4 << 20) + 100));
  const program = [process.execPath, join(root, "dist", "p2pdma.js")];
  const copy = ["copy", "--via=ram", "--verify", "--journal", join(folder, "traced.journal"), source, target];
  const { status, text } = run("strace", "-f", "-qq", "-o", log, ...program, ...copy);
  assert.is(status, 0, text);
  const made = new Set(readFileSync(log, "utf8").match(/(?<=^\d+ +)[a-z]\w*(?=\()/gm));
  const allowed = allowedCalls();
  assert.ok(made.has("io_uring_enter") && made.size > 30, [...made].join(" "));
  assert.equal(
    [...made].filter((call) => !allowed.has(call)),
    [],
  );
});

/** The script of ExecStart=, as systemd hands it to the shell. */
function startScript(): string {
  const text = readFileSync(unit, "utf8").replaceAll("\\\n", "");
  const script = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(text)?.[1];
  if (!script) throw new Error("the unit has no ExecStart");
  return script.replaceAll("$$", "$").replaceAll("%i", "night");
}

test("started again after a stop, the unit's command goes on where it stood", async () => {
  const state = join(folder, "state");
  const [source, target] = [join(folder, "from"), join(folder, "to")];
  mkdirSync(state);
  writeFileSync(source, randomBytes(12 << 20));
  const env = {
    ...process.env,
    PATH: `${join(root, "dist", "bin")}:${process.env.PATH}`,
    ...{ STATE_DIRECTORY: state, SOURCE: source, DESTINATION: target },
    OPTIONS: "--via ram --rate 4M --checkpoint 100ms --progress=json",
  };
  const first = spawn("/bin/sh", ["-c", startScript()], { env, stdio: ["ignore", "ignore", "pipe"] });
  let events = "";
  first.stderr.on("data", (chunk: Buffer) => {
    events += chunk;
    if (!first.killed && /"durableBytes":"[1-9]/.test(events)) first.kill("SIGTERM");
  });
  await once(first, "close");
  assert.is(first.exitCode, 143, events);

  const again = spawnSync("/bin/sh", ["-c", startScript()], { env, encoding: "utf8" });
  assert.is(again.status, 0, again.stderr);
  assert.match(again.stdout, /before|resumed|already/i);
  assert.ok(readFileSync(source).equals(readFileSync(target)));
  assert.ok(existsSync(join(state, "night.journal")) && statSync(target).size === 12 << 20);
});

test("the udev rules are those that doctor tells", () => {
  const rules = readFileSync(join(root, "packaging", "70-p2pmem.rules"), "utf8").split("\n");
  assert.ok(rules.includes(UDEV_RULE), UDEV_RULE);
});

test.run();
