// SPDX-License-Identifier: MIT
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AccelQuestion, accelMemory, chooseAccel } from "../../../lab/accel.ts";

interface Context {
  folder: string;
  trials: number;
  /** A question about a device that is there and a guest that answers `works`. */
  question: (works: boolean, changes?: Partial<AccelQuestion>) => AccelQuestion;
}

const test = suite<Context>("accel");

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "p2pdma-accel-"));
  context.trials = 0;
  context.question = (works, changes) => ({
    ...{
      qemu: "/bin/true",
      cpu: "max",
      device: "/dev/null",
      memory: join(context.folder, "a", "accel.json"),
    },
    trial: async () => {
      context.trials++;
      return works;
    },
    ...changes,
  });
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

test("chooseAccel() takes KVM after one trial, and remembers it", async (context) => {
  assert.is(await chooseAccel(context.question(true)), "kvm");
  assert.is(await chooseAccel(context.question(false)), "kvm");
  assert.is(context.trials, 1);
});

test("chooseAccel() remembers that KVM hangs", async (context) => {
  assert.is(await chooseAccel(context.question(false)), "tcg");
  assert.is(await chooseAccel(context.question(true)), "tcg");
  assert.is(context.trials, 1);
});

test("chooseAccel() tries each CPU model by itself", async (context) => {
  assert.is(await chooseAccel(context.question(true)), "kvm");
  assert.is(await chooseAccel(context.question(false, { cpu: "EPYC" })), "tcg");
  assert.is(await chooseAccel(context.question(false)), "kvm");
  assert.is(context.trials, 2);
});

test("chooseAccel() tries again with another QEMU", async (context) => {
  await chooseAccel(context.question(true));
  await chooseAccel(context.question(true, { qemu: process.execPath }));
  assert.is(context.trials, 2);
});

test("chooseAccel() tries nothing where KVM is not there", async (context) => {
  const question = context.question(true, { device: join(context.folder, "none") });
  assert.is(await chooseAccel(question), "tcg");
  assert.is(context.trials, 0);
});

test("chooseAccel() announces the trial, and only the trial", async (context) => {
  let announced = 0;
  const question = context.question(false, { onTrial: () => announced++ });
  await chooseAccel(question);
  await chooseAccel(question);
  assert.is(announced, 1);
});

for (const content of ["", "[", "null", '{"x": 3}', '"kvm"']) {
  test(`chooseAccel() takes the memory ${JSON.stringify(content)} for an empty one`, async (context) => {
    const memory = join(context.folder, "accel.json");
    writeFileSync(memory, content);
    assert.is(await chooseAccel(context.question(true, { memory })), "kvm");
    assert.is(context.trials, 1);
    assert.match(readFileSync(memory, "utf8"), /max": "kvm"/);
  });
}

test("chooseAccel() works without a place to remember", async (context) => {
  const question = context.question(true, { memory: "/dev/null/accel.json" });
  assert.is(await chooseAccel(question), "kvm");
});

test("accelMemory() follows XDG_CACHE_HOME", () => {
  assert.is(accelMemory({ XDG_CACHE_HOME: "/c" }), "/c/p2pdma/accel.json");
  assert.match(accelMemory({ XDG_CACHE_HOME: "" }), /\/\.cache\/p2pdma\/accel\.json$/);
});

test.run();
