// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { findDevice, readMachine } from "../../../../core/topo/index.ts";
import { fakeView } from "./fake-machine.ts";
import { oneSwitch } from "./machines.ts";

const view = fakeView(oneSwitch());
const machine = readMachine(view);

for (const word of [
  "nvme1",
  "/dev/nvme1",
  "nvme1n1",
  "/dev/nvme1n1",
  "nvme1n1p3",
  "ng1n1",
  "0000:04:00.0",
  "04:00.0",
]) {
  test(`findDevice() knows ${word}`, () => {
    assert.is(findDevice(view, machine, word).bdf, "0000:04:00.0");
  });
}

test("findDevice() takes any function by its address, as a client", () => {
  const port = findDevice(view, machine, "0000:02:00.0");
  assert.is(port.name, "0000:02:00.0");
  assert.ok(port.isClient);
});

test("findDevice() names what there is when asked for something else", () => {
  for (const word of ["nvme7", "nvme", "/dev/sda", "0000:ff:00.0", ""]) {
    try {
      findDevice(view, machine, word);
      assert.unreachable(word);
    } catch (error) {
      const { message, hint, exitCode } = error as P2pdmaError;
      assert.match(message, `"${word}" is no device here`);
      assert.match(hint ?? "", "nvme0, nvme1, nvme2");
      assert.is(exitCode, 2);
    }
  }
});

test("findDevice() asks back when a namespace hangs below two controllers", () => {
  const [first, second, ...rest] = machine.devices;
  assert.ok(first && second);
  const shared = { ...second, controller: first.controller };
  const multipath = { ...machine, devices: [first, shared, ...rest] };
  assert.throws(
    () => findDevice(view, multipath, "nvme0n1"),
    /can be reached through nvme0 \(0000:03:00.0\) and nvme1 \(0000:04:00.0\)/,
  );
});

test.run();
