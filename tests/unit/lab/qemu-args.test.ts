// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_TRACE_EVENTS, type MachineSpec, qemuArguments } from "../../../lab/qemu-args.ts";
import { drive, rootPort, topology } from "../../../lab/topology.ts";

const machine = topology({
  name: "one",
  summary: "",
  kernelArgs: ["a=b"],
  pci: [rootPort(drive("A"))],
});

const spec: MachineSpec = {
  accel: "tcg",
  topology: machine,
  kernel: "/k/bzImage",
  initramfs: "/proc/self/fd/9",
  backings: new Map([["A", { kind: "descriptor", childFd: 8 }]]),
  shares: [],
};

/** What follows each occurrence of an option. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((argument, index) => (argument === option ? [args[index + 1] ?? ""] : []));
}

test("qemuArguments() names kernel, initramfs, processor and memory", () => {
  const args = qemuArguments(spec);
  assert.equal(valuesOf(args, "-kernel"), ["/k/bzImage"]);
  assert.equal(valuesOf(args, "-initrd"), ["/proc/self/fd/9"]);
  assert.equal(valuesOf(args, "-cpu"), ["max"]);
  assert.equal(valuesOf(args, "-m"), ["1024M"]);
});

test("qemuArguments() uses KVM only when told so", () => {
  assert.equal(valuesOf(qemuArguments(spec), "-accel"), ["tcg,thread=multi"]);
  assert.equal(valuesOf(qemuArguments({ ...spec, accel: "kvm" }), "-accel"), ["kvm"]);
});

test("qemuArguments() ends at a panic", () => {
  const args = qemuArguments(spec);
  assert.ok(args.includes("-no-reboot"));
  assert.match(valuesOf(args, "-append")[0] ?? "", /panic=-1/);
});

test("qemuArguments() appends the topology's kernel parameters, then the user's", () => {
  const [append] = valuesOf(qemuArguments({ ...spec, append: "c=d e" }), "-append");
  assert.match(append ?? "", / a=b c=d e$/);
});

test("qemuArguments() lets nobody write to the root, and everybody to a share", () => {
  const args = qemuArguments({ ...spec, shares: [{ tag: "share0", path: "/tmp/x,y" }] });
  const [root, share] = valuesOf(args, "-fsdev");
  assert.match(root ?? "", /path=\/,.*readonly=on/);
  assert.match(share ?? "", /path=\/tmp\/x,,y,.*readonly=off/);
});

test("qemuArguments() gives each share a slot of its own, below the topology's", () => {
  const shares = Array.from({ length: 13 }, (_, index) => ({ tag: `share${index}`, path: "/tmp" }));
  const slots = valuesOf(qemuArguments({ ...spec, shares }), "-device")
    .filter((device) => device.startsWith("virtio"))
    .map((device) => Number(/addr=(\w+)/.exec(device)?.[1]));
  assert.is(new Set(slots).size, 15);
  assert.ok(Math.max(...slots) < 0x10);
});

test("qemuArguments() opens a temporary disk by descriptor, without locks", () => {
  const args = qemuArguments(spec);
  assert.equal(valuesOf(args, "-add-fd"), ["fd=8,set=8"]);
  const { file, ...node } = JSON.parse(valuesOf(args, "-blockdev")[0] ?? "");
  assert.is(node["node-name"], "disk-A");
  assert.is(file.filename, "/dev/fdset/8");
  assert.is(file.locking, "off");
});

test("qemuArguments() opens a user's disk by name, with locks", () => {
  const backings = new Map([["A", { kind: "file", path: '/tmp/a,b "c".img' }]] as const);
  const { file } = JSON.parse(valuesOf(qemuArguments({ ...spec, backings }), "-blockdev")[0] ?? "");
  assert.is(file.filename, '/tmp/a,b "c".img');
  assert.is(file.locking, "auto");
});

test("qemuArguments() makes a drive that stores nothing, with its latency", () => {
  const backings = new Map([["A", { kind: "null", sizeBytes: 2 ** 34, latencyNs: 1e7 }]] as const);
  const node = JSON.parse(valuesOf(qemuArguments({ ...spec, backings }), "-blockdev")[0] ?? "");
  assert.is(node.driver, "null-co");
  assert.is(node.size, 2 ** 34);
  assert.is(node["latency-ns"], 1e7);
  assert.is(node["read-zeroes"], true);
});

test("qemuArguments() puts errors above the write log above the medium", () => {
  const mediumErrors = [
    { on: "read", sector: 7 },
    { on: "write", errno: 28, times: 2 },
  ] as const;
  const pci = [rootPort(drive("A", { mediumErrors, writeLog: "/tmp/log" }))];
  const args = qemuArguments({ ...spec, topology: { ...machine, pci } });
  const { image, ...top } = JSON.parse(valuesOf(args, "-blockdev")[0] ?? "");
  assert.is(top["node-name"], "disk-A");
  assert.equal(top["inject-error"], [
    { event: "none", iotype: "read", errno: 5, once: false, sector: 7 },
    { event: "none", iotype: "write", errno: 28, once: true },
    { event: "none", iotype: "write", errno: 28, once: true },
  ]);
  assert.is(image.driver, "blklogwrites");
  assert.is(image.log.filename, "/tmp/log");
  assert.is(image["log-super-update-interval"], 1);
  assert.is(image.file.file.filename, "/dev/fdset/8");
});

test("qemuArguments() refuses a drive without a backing", () => {
  assert.throws(() => qemuArguments({ ...spec, backings: new Map() }), /drive A has no backing/);
});

test("qemuArguments() traces where the payload goes, or what is asked for", () => {
  const usual = qemuArguments({ ...spec, trace: { file: "t.log" } });
  assert.equal(valuesOf(usual, "-D"), ["t.log"]);
  assert.equal(valuesOf(usual, "-trace"), [...DEFAULT_TRACE_EVENTS]);
  const chosen = qemuArguments({ ...spec, trace: { file: "t.log", events: ["pci_nvme_err*"] } });
  assert.equal(valuesOf(chosen, "-trace"), ["pci_nvme_err*"]);
  assert.equal(valuesOf(qemuArguments(spec), "-trace"), []);
});

test("qemuArguments() ends with the user's own arguments", () => {
  assert.equal(qemuArguments({ ...spec, extraArgs: ["-s", "-S"] }).slice(-2), ["-s", "-S"]);
});

test.run();
