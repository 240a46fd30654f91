// SPDX-License-Identifier: MIT
// `p2pdma kernel` as a program: exit codes, streams and JSON.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelCommand } from "../../../cli/kernel.ts";
import { exitCodeOf } from "../../../cli/report-error.ts";
import { packageRoot } from "../../../lab/package-root.ts";
import { tempFolder } from "../temp.ts";

const config = join(packageRoot(), "tests/fixtures/kernel-config/debian-6.12.config");
const scratch = tempFolder("kernel-cli");

function kernel(...args: string[]) {
  const program = [join(packageRoot(), "dist/p2pdma.js"), "kernel", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" });
  return { status, stdout, stderr };
}

const wrong: [string[], RegExp][] = [
  [["status", "--source", scratch], /no Linux kernel source tree/],
  [["status", "--source", "/nowhere"], /"\/nowhere" is no directory/],
  [["status", "--config", "/nowhere"], /Cannot read "\/nowhere": ENOENT/],
  [["status", "--source", scratch, "--config", config], /cannot be used with/],
  [["series", "25"], /There is no patch "25"/],
  [["series", "x"], /There is no patch "x"/],
  [["config", "maximal"], /maximal/],
  [["patch"], /nothing to do/],
  [["patch", "--check", scratch], /no Linux kernel source tree/],
  [["patch", "--cover", "x"], /--cover belongs to --export/],
  [["patch", "--export", "/nowhere/x"], /Cannot write "\/nowhere\/x": ENOENT/],
  [["build", "--config", config], /--config belongs to --deb/],
  [["build", "--deb", scratch], /--deb needs a configuration/],
];
for (const [args, message] of wrong) {
  const shown = args.join(" ").replaceAll(scratch, "DIR").replaceAll(config, "FILE");
  test(`kernel ${shown} is wrong use`, async () => {
    const error = await errorOf(args);
    assert.match(error.message, message);
    // What commander finds out by itself becomes 2 in main.ts.
    assert.ok(error instanceof CommanderError || exitCodeOf(error) === 2);
  });
}

/** In this process: starting one for each takes too long. */
async function errorOf(args: readonly string[]): Promise<Error> {
  const program = new Command("p2pdma").exitOverride().configureOutput({ writeErr: () => {} });
  program.addCommand(kernelCommand().exitOverride().copyInheritedSettings(program));
  try {
    await program.parseAsync(["kernel", ...args], { from: "user" });
  } catch (error) {
    return error as Error;
  }
  throw new Error("it found nothing wrong");
}

test("wrong use ends with 2 and prints nothing on stdout", () => {
  const { status, stdout, stderr } = kernel("status", "--source", scratch);
  assert.equal([status, stdout], [2, ""]);
  assert.match(stderr, /^p2pdma: .*\nhint: /);
});

test("kernel status --json is one document, with every answer's reason", () => {
  const { status, stdout } = kernel("status", "--config", config, "--json");
  assert.is(status, 0);
  const document = JSON.parse(stdout);
  assert.is(document.schema, "p2pdma.kernel-status/1");
  assert.equal(document.kernel, { kind: "config", path: config, version: "6.12.117" });
  assert.equal(document.uses[0], {
    ...{ use: "copy", title: "copy between drives", state: "absent" },
    lacks: document.uses[0].lacks,
  });
  assert.ok(document.uses[0].lacks.includes("p2pdma"));
  for (const { id, state, evidence, why, source } of document.features) {
    assert.ok(["present", "absent", "unknown"].includes(state), id);
    assert.ok(evidence && why && source, id);
  }
});

test("kernel status names the option behind it all, once", () => {
  const { status, stdout } = kernel("status", "--config", config);
  assert.is(status, 0);
  assert.match(stdout, /^copy between drives +no +CONFIG_PCI_P2PDMA$/m);
  assert.match(stdout, /^CONFIG_PCI_P2PDMA is off, and with it:\n {2}p2pdma, /m);
  assert.not.match(stdout, /^p2pdma: absent$/m);
  assert.match(stdout, /^refusal-einval: can't tell$/m);
});

test("kernel series --json has everything, and one patch alone on request", () => {
  const document = JSON.parse(kernel("series", "--json").stdout);
  assert.equal([document.patches.length, document.revisions.length], [24, 12]);
  const { patch } = JSON.parse(kernel("series", "24", "--json").stdout);
  assert.equal([patch.number, patch.needs, patch.neededBy, patch.fate], [24, [23], [], "replaced"]);
});

test("kernel config --merge ends with 1 and says on stderr how much is missing", () => {
  const { status, stdout, stderr } = kernel("config", "--merge", config);
  assert.is(status, 1);
  assert.match(stdout, /^CONFIG_PCI_P2PDMA=y$/m);
  assert.match(stderr, /lacks 1 option/);
  const document = JSON.parse(kernel("config", "--merge", config, "--json").stdout);
  assert.equal(
    document.missing.map(({ option }: { option: string }) => option),
    ["CONFIG_PCI_P2PDMA"],
  );
});

test("kernel patch --export writes the mailbox, or prints it", () => {
  const file = join(scratch, "series.mbox");
  assert.is(kernel("patch", "--export", file, "--cover", join(scratch, "cover")).status, 0);
  assert.is(readFileSync(file, "utf8"), kernel("patch", "--export", "-").stdout);
  assert.match(readFileSync(join(scratch, "cover"), "utf8"), /^Subject: \[PATCH 0\//m);
});

test.run();
