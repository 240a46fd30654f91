// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { labCommand, parseLatency, renderList, renderListJson, runOptions } from "../../../cli/lab.ts";
import { topologies } from "../../../lab/topologies/index.ts";

test("parseLatency() reads units; a bare number counts milliseconds", () => {
  const cases = { "0": 0, "10ms": 1e7, "10": 1e7, "500us": 5e5, "1.5s": 1.5e9, "3ns": 3 };
  for (const [text, nanoseconds] of Object.entries(cases)) assert.is(parseLatency(text), nanoseconds);
});

for (const text of ["", "ms", "-1ms", "1 ms", "1h"]) {
  test(`parseLatency() rejects ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseLatency(text), /looks like/);
  });
}

test("renderList() has a line for each topology", () => {
  const lines = renderList().trimEnd().split("\n");
  assert.is(lines.length, topologies.length);
  assert.match(lines[0] ?? "", /^switch {2,}drives A/);
});

test("renderListJson() is one document with a schema", () => {
  const { schema, topologies: list } = JSON.parse(renderListJson());
  assert.is(schema, 1);
  assert.equal(
    list.map(({ name }: { name: string }) => name),
    topologies.map(({ name }) => name),
  );
});

test("runOptions() leaves out what was not given", () => {
  assert.equal(runOptions(["x"], { topology: "switch", accel: "auto", quiet: true }), {
    ...{ command: ["x"], stdio: "inherit", topology: "switch", accel: "auto" },
  });
});

test("runOptions() passes on everything that was", () => {
  const flags = {
    ...{ topology: "fast", accel: "tcg", disk: ["a"], share: ["s"], qemuArg: ["-s"], quiet: true },
    ...{ trace: "t", traceEvent: ["e"], kernel: "k", append: "p", memory: 2048, latency: 0, timeout: 1.5 },
  } as const;
  assert.equal(runOptions(["x"], flags as never), {
    ...{ command: ["x"], stdio: "inherit", topology: "fast", accel: "tcg" },
    ...{ disks: ["a"], shares: ["s"], qemuArgs: ["-s"], trace: { file: "t", events: ["e"] } },
    ...{ kernel: "k", append: "p", memoryMiB: 2048, latencyNs: 0, timeoutMs: 1500 },
  });
});

test("labCommand() hands the program's settings down to its subcommands", async () => {
  const errors: string[] = [];
  const program = new Command("p2pdma")
    .exitOverride()
    .configureOutput({ writeErr: (text) => errors.push(text), writeOut: () => {} });
  program.addCommand(labCommand().copyInheritedSettings(program));
  const failure = await program
    .parseAsync(["lab", "run", "--nonsense", "--", "true"], { from: "user" })
    .catch((error: { code: string }) => error);
  assert.is((failure as { code: string }).code, "commander.unknownOption");
  assert.match(errors.join(""), /--nonsense/);
});

test("labCommand() teaches by example", () => {
  for (const name of ["run", "shell", "list", "build"]) {
    assert.ok(labCommand().commands.some((command) => command.name() === name));
  }
  const help: string[] = [];
  labCommand()
    .configureOutput({ writeOut: (text) => void help.push(text) })
    .outputHelp();
  assert.match(help.join(""), /p2pdma lab run -- p2pdma list/);
});

test.run();
