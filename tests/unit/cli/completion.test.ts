// SPDX-License-Identifier: MIT
import type { Argument, Command, Option } from "commander";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { devicesOf, devicesOfLab } from "../../../cli/completion-devices.ts";
import { type Completion, completeWords } from "../../../cli/completion-engine.ts";
import { kindOf, valuesFrom } from "../../../cli/completion-values.ts";
import { wholeProgram } from "../../../cli/program.ts";
import { epyc } from "../../fixtures/machines/epyc.ts";
import { machineFiles } from "../machines.ts";

const program = await wholeProgram();
const files = machineFiles(epyc);
files.write("/sys/class/block/nvme0n1/size", "2097152\n");
files.write("/sys/class/block/nvme0n1p1/size", "1048576\n");
files.write("/sys/class/block/nvme0n1p1/partition", "1\n");
files.write("/sys/class/block/loop0/size", "8\n");
files.write("/dev/disk/by-id/nvme-eui.01", "");
const sources = {
  here: valuesFrom(devicesOf(files)),
  inLab: (topology: string | undefined) => valuesFrom(devicesOfLab(topology)),
};

const complete = (...typed: string[]): Completion => completeWords(program, typed, sources);
const words = (...typed: string[]): string[] => complete(...typed).suggestions.map(({ word }) => word);

test("every argument and every option's value has a kind: what could stand there, or that it can't be guessed", () => {
  const unknown = everyValue(program, []).filter(({ path, of }) => kindOf(path, of) === undefined);
  assert.equal(
    unknown.map(({ path, of }) => [...path, "long" in of ? of.long : of.name()].join(" ")),
    [],
  );
});

test("subcommands, and those below them", () => {
  assert.equal(words("mi"), ["migrate"]);
  assert.equal(words("cmb", "t"), ["test"]);
});

test("options, with = where a value may be left out", () => {
  assert.equal(words("copy", "--ver"), ["--verify", "--verify="]);
  assert.equal(words("copy", "--via", ""), ["auto", "p2p", "ram", "nvme-copy"]);
  assert.equal(words("copy", "--verify=i"), ["--verify=inline"]);
  assert.equal(words("copy", "--via=p"), ["--via=p2p"]);
  assert.equal(words("doctor", "--probe-"), [], "hidden ones stay hidden");
});

test("an optional value is never the next word", () => {
  assert.ok(words("copy", "--allow-write", "").includes("/dev/nvme0n1"), "that is the source already");
});

test("block devices by path, serial and WWID; no loop devices without a file", () => {
  const found = words("copy", "");
  assert.ok(found.includes("/dev/nvme0n1") && found.includes("/dev/nvme0n1p1"), found.join(" "));
  assert.ok(
    found.some((word) => word.startsWith("serial:")),
    found.join(" "),
  );
  assert.not.ok(found.includes("/dev/loop0"));
  assert.not.ok(
    found.some((word) => word.startsWith("/dev/disk")),
    "long links only on request",
  );
  assert.equal(words("copy", "/dev/disk/by-id/nvme-"), ["/dev/disk/by-id/nvme-eui.01"]);
});

test("a device has its size and model beside it", () => {
  const [first] = complete("copy", "/dev/nvme0n1").suggestions;
  assert.match(first?.about ?? "", /^\S+ [KMGT]iB \w/);
});

test("lists with commas go on, without what is named already", () => {
  assert.equal(words("copy", "--overwrite", "mounted,s"), ["mounted,swap"]);
  assert.not.ok(words("copy", "--overwrite", "mounted,").includes("mounted,mounted"));
  assert.ok(
    words("copy", "--allow-write=/dev/nvme0n1,").includes("--allow-write=/dev/nvme0n1,/dev/nvme0n1p1"),
  );
});

test("providers by controller and by address", () => {
  const found = words("cmb", "alloc", "");
  assert.ok(found.length > 0 && found.some((word) => /^[0-9a-f]{4}:/.test(word)), found.join(" "));
});

test("files where files are meant", () => {
  assert.is(complete("migrate", "").paths, "files");
  assert.is(complete("topo", "--from", "").paths, "files");
  assert.is(complete("kernel", "status", "--source", "").paths, "folders");
  assert.is(complete("copy", "--chunk", "").paths, "none");
});

test("the same name means other things in other commands", () => {
  assert.is(complete("lab", "run", "--share", "").paths, "folders");
  assert.is(complete("bench", "mixed", "--share", "").paths, "none");
  assert.is(complete("lab", "run", "--kernel", "").paths, "files");
  assert.is(complete("topo", "--kernel", "").paths, "none");
});

test("lab run: topologies, then the command's own words with the drives of that machine", () => {
  assert.ok(words("lab", "run", "--topology", "").includes("two-switches-zen"));
  assert.equal(words("lab", "run", "-t", "two-switches", "--", "p2pdma", "copy", "/dev/lab/"), [
    ...["/dev/lab/A", "/dev/lab/B", "/dev/lab/C", "/dev/lab/D"],
  ]);
  assert.is(words("lab", "run", "--", "p2pdma", "copy", "/dev/lab/").length, 3, "the default has three");
  assert.is(complete("lab", "run", "--", "ls", "-").paths, "files");
});

test("nothing stands behind the last argument", () => {
  assert.equal(complete("copy", "a", "b", ""), { suggestions: [], paths: "none" });
});

function everyValue(command: Command, path: string[]): { path: string[]; of: Argument | Option }[] {
  const taking = command.options.filter(
    ({ required, optional, hidden }) => (required || optional) && !hidden,
  );
  const own = [...command.registeredArguments, ...taking].map((of) => ({ path, of }));
  return [...own, ...command.commands.flatMap((sub) => everyValue(sub, [...path, sub.name()]))];
}

test.run();
