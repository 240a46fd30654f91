// SPDX-License-Identifier: MIT
// What can be said of the images without building them; `npm run test:container` builds them.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tempFolder } from "../unit/temp.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = tempFolder("container");
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8").replaceAll("\\\n", " ");
const lines = dockerfile.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly lines: readonly string[];
}

function stages(): Stage[] {
  const found: { name: string; from: string; lines: string[] }[] = [];
  for (const line of lines) {
    const [, from = "", name = ""] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
    if (from) found.push({ name, from, lines: [] });
    else found.at(-1)?.lines.push(line);
  }
  return found;
}

/** A stage's lines with those of the stages it goes on from, first things first. */
function whole(stage: Stage | undefined): string[] {
  if (!stage) return [];
  return [...whole(stages().find(({ name }) => name === stage.from)), ...stage.lines];
}

function userOf(words: readonly string[]): string {
  return words.findLast((line) => line.startsWith("USER "))?.slice(5) ?? "root";
}

function run(command: string, args: readonly string[], cwd = root) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8" });
  assert.is(result.status, 0, `${command} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

test("every stage begins with the base, which a digest pins, or with another stage", () => {
  assert.match(lines[0] ?? "", /^ARG BASE=\S+@sha256:[0-9a-f]{64}$/);
  const names = stages().map(({ name }) => name);
  for (const { from } of stages()) assert.ok([...names, "$" + "{BASE}", "scratch"].includes(from), from);
});

test("nothing of npm's runs as root, and the images people run are an ordinary user's", () => {
  for (const stage of stages()) {
    const words = whole(stage);
    words.forEach((line, index) => {
      if (/^RUN .*\bnpm (ci|run|prune)\b/.test(line)) assert.is(userOf(words.slice(0, index)), "node", line);
    });
  }
  for (const name of ["runtime", "lab", "test"]) {
    assert.is(userOf(whole(stages().find((stage) => stage.name === name))), "node", name);
  }
});

test("what the image keeps of the modules is enough for a copy", () => {
  const stage = stages().find(({ name }) => name === "production");
  const removed = /rm -rf ([^&]+)&&/.exec(stage?.lines[0] ?? "")?.[1]?.trim() ?? "";
  const kept = /cp -r ([^&]+) out\//.exec(stage?.lines[0] ?? "")?.[1]?.split(/\s+/) ?? [];
  assert.ok(removed.includes("node_modules/") && kept.includes("node_modules"));
  for (const name of kept) assert.ok(existsSync(join(root, name)), name);

  const out = join(folder, "out");
  mkdirSync(out);
  for (const name of kept) cpSync(join(root, name), join(out, name), { recursive: true });
  cpSync(join(root, "package-lock.json"), join(out, "package-lock.json"));
  run("npm", ["prune", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"], out);
  assert.not.ok(existsSync(join(out, "node_modules", "typescript")));
  run("bash", ["-c", `rm -rf ${removed}`], out);
  const [source, target] = [join(out, "package.json"), join(folder, "copy")];
  run(process.execPath, [
    join(out, "dist", "p2pdma.js"),
    "copy",
    "--via=ram",
    "--no-journal",
    source,
    target,
  ]);
  assert.ok(readFileSync(source).equals(readFileSync(target)));
});

test.run();
