// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientsOf, driveBytes, providersOf } from "../../../../core/topo/index.ts";
import { drive, fakeMachine, fakeView, hostFunction, rootPort, ZEN } from "./fake-machine.ts";
import { oneSwitch, rootPorts } from "./machines.ts";

const names = (devices: readonly { name: string }[]) => devices.map(({ name }) => name);

const cpus: readonly (readonly [string, string, boolean])[] = [
  ["an AMD of family 23", ZEN, true],
  ["an AMD of family 25", ZEN.replace("23", "25"), true],
  ["an AMD of family 22", ZEN.replace("23", "22"), false],
  ["a Hygon of family 24", "vendor_id\t: HygonGenuine\ncpu family\t: 24\n\n", false],
  ["an Intel of family 23", "vendor_id\t: GenuineIntel\ncpu family\t: 23\n\n", false],
  ["an Arm", "processor\t: 0\nCPU implementer\t: 0x41\n\n", false],
  ["nothing to read", "", false],
];
for (const [what, cpuinfo, isAmdZen] of cpus) {
  test(`readMachine() takes ${what} for ${isAmdZen ? "a" : "no"} Zen`, () => {
    assert.is(fakeMachine(oneSwitch(), { cpuinfo }).host.platform.isAmdZen, isAmdZen);
  });
}

test("readMachine() predicts for the running kernel, or for the one asked for", () => {
  const running = fakeMachine(oneSwitch(), { release: "6.1.0-18-amd64" }).host;
  assert.equal(running.platform.kernel, { major: 6, minor: 1 });
  assert.not.ok(running.isOtherKernel);
  const other = fakeMachine(oneSwitch(), {}, { kernel: { major: 5, minor: 10 } }).host;
  assert.equal(other.platform.kernel, { major: 5, minor: 10 });
  assert.ok(other.isOtherKernel);
});

test("readMachine() needs to know a kernel version", () => {
  assert.throws(() => fakeMachine([], { release: "strange" }), /which kernel this is/);
});

test("readMachine() finds providers and clients, and what they hold", () => {
  const machine = fakeMachine(oneSwitch());
  assert.equal(names(providersOf(machine)), ["nvme0", "nvme1"]);
  assert.equal(names(clientsOf(machine)), ["nvme0", "nvme1", "nvme2"]);
  assert.is(machine.devices[0] && driveBytes(machine.devices[0]), 8n * 2n ** 30n);
  assert.not.ok(machine.isAcsHidden);
});

const others = [
  rootPort("0000:00:02.0"),
  { bdf: "0000:01:00.0", below: "0000:00:02.0", classCode: 0x020000, net: "eth0", driver: "mlx5_core" },
  { bdf: "0000:02:00.0", classCode: 0x010700, driver: "mpt3sas" },
  { bdf: "0000:03:00.0", classCode: 0x0c0330, driver: "xhci_hcd" },
];

test("readMachine() counts other functions that do DMA only when asked to", () => {
  assert.equal(names(clientsOf(fakeMachine(others))), []);
  assert.equal(names(clientsOf(fakeMachine(others, {}, { all: true }))), ["eth0", "0000:02:00.0"]);
});

test("readMachine() names a provider by its driver, unless two have the same", () => {
  const card = (bdf: string) => ({ bdf, classCode: 0x050000, driver: "pci-p2pmem-bar", p2pmemMiB: 256 });
  assert.equal(names(fakeMachine([card("0000:01:00.0")]).devices), ["pci-p2pmem-bar"]);
  const two = fakeMachine([card("0000:01:00.0"), card("0000:02:00.0")]);
  assert.equal(names(two.devices), ["0000:01:00.0", "0000:02:00.0"]);
});

test("readMachine() notes where bus addresses are not CPU addresses", () => {
  const at = (cpu: bigint, bus?: bigint) =>
    fakeMachine([{ bdf: "0000:01:00.0", bar: bus === undefined ? { cpu } : { cpu, bus } }]).busOffsets;
  assert.equal([...at(0x4_0000_0000n)], []);
  assert.equal([...at(0x40_8000_0000n, 0x8000_0000n)], [["pci0000:00", 0x40_0000_0000n]]);
});

test("readMachine() says when ACS is hidden from this user", () => {
  assert.ok(fakeMachine([rootPort("0000:00:01.0", { hidden: true })]).isAcsHidden);
});

test("readMachine() reads a machine without PCI", () => {
  const machine = fakeMachine([]);
  assert.equal(machine.devices, []);
  assert.is(machine.tree.functions.size, 0);
});

test("the fake machine looks like a real one to the readers below", () => {
  const view = fakeView(rootPorts());
  assert.is(
    view.resolve("/sys/bus/pci/devices/0000:01:00.0"),
    "/sys/devices/pci0000:00/0000:00:10.0/0000:01:00.0",
  );
  const machine = fakeMachine([hostFunction("0000:00:00.0"), drive("0000:01:00.0", "0000:00:00.0", "nvme0")]);
  assert.is(machine.devices[0]?.controller?.namespaces[0]?.name, "nvme0n1");
});

test.run();
