// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { KernelVersion } from "../../../../core/pci/p2pdma-history.ts";
import { predict, type Rule } from "../../../../core/pci/rules.ts";
import { explainVerdict, growForest, hostBridgeStanding, type Machine } from "../../../../core/topo/index.ts";
import { bdf, drive, type FakeFunction, fakeMachine, hostFunction, rootPort, ZEN } from "./fake-machine.ts";
import { hostBridges, oneSwitch, rootPorts } from "./machines.ts";

const RR = 0x04;
const [A, B] = [bdf("0000:03:00.0"), bdf("0000:04:00.0")];
const [PORT_A, PORT_B] = [bdf("0000:01:00.0"), bdf("0000:02:00.0")];
const FAR = bdf("0000:81:00.0");

/** A root bus that begins with something else. */
const nameless = (): FakeFunction[] => [
  { bdf: "0000:00:01.0", classCode: 0x0c0330 },
  ...rootPorts().filter((pci) => pci.bdf !== "0000:00:00.0"),
];
const grouped = () => rootPorts("8086:3c00").map((pci, group) => ({ ...pci, group }));

interface Case {
  readonly rule: Rule;
  readonly machine: Machine;
  readonly pair: readonly [typeof A, typeof B];
  readonly words: string;
}

const at = (major: number, minor: number): { kernel: KernelVersion } => ({ kernel: { major, minor } });
const one = (rule: Rule, machine: Machine, pair: Case["pair"], words: string): Case => ({
  rule,
  machine,
  pair,
  words,
});

const cases: readonly Case[] = [
  one(
    "same-function",
    fakeMachine(oneSwitch()),
    [A, A],
    "the device's own memory: nothing crosses PCI Express",
  ),
  one(
    "common-bridge",
    fakeMachine(oneSwitch()),
    [A, B],
    "both are below 0000:01:00.0 and no port on the way redirects: data goes straight through it",
  ),
  one(
    "acs-redirect",
    fakeMachine(oneSwitch(RR)),
    [A, B],
    "ACS on 0000:02:00.0, 0000:02:01.0 sends data up to the host bridge, but Linux 6.12 does not list pci0000:00 (0000:00:00.0, 8086:29c0)",
  ),
  one(
    "acs-redirect",
    fakeMachine(oneSwitch().map((pci) => (pci.bdf === "0000:02:00.0" ? { ...pci, hidden: true } : pci))),
    [A, B],
    "ACS of 0000:02:00.0 could not be read: BUS_ADDR or NOT_SUPPORTED",
  ),
  one(
    "acs-redirect",
    fakeMachine(oneSwitch(RR), {}, at(5, 3)),
    [A, B],
    "ACS on 0000:02:00.0, 0000:02:01.0 sends data up to the host bridge, but Linux 5.3 does not list pci0000:00 (0000:00:00.0, 8086:29c0)",
  ),
  one(
    "amd-zen",
    fakeMachine(oneSwitch(RR), { cpuinfo: ZEN }),
    [A, B],
    "ACS on 0000:02:00.0, 0000:02:01.0 sends data up to the host bridge, and the processor is an AMD Zen or newer, which the kernel trusts",
  ),
  one(
    "amd-zen",
    fakeMachine(rootPorts(), { cpuinfo: ZEN }),
    [PORT_A, PORT_B],
    "no PCI bridge is above both, so data has to go through the host bridge, and the processor is an AMD Zen or newer, which the kernel trusts",
  ),
  one(
    "whitelisted-host-bridge",
    fakeMachine(hostBridges("8086:2030")),
    [PORT_A, FAR],
    "no PCI bridge is above both, so data has to go through the host bridge, and the kernel lists pci0000:00 (0000:00:00.0, 8086:2030) (Intel Skylake-E) and pci0000:80 (0000:80:00.0, 8086:2030) (Intel Skylake-E)",
  ),
  one(
    "host-bridge-not-listed",
    fakeMachine(hostBridges("8086:29c0", "8086:2030")),
    [PORT_A, FAR],
    "no PCI bridge is above both, so data has to go through the host bridge, but Linux 6.12 does not list pci0000:00 (0000:00:00.0, 8086:29c0)",
  ),
  one(
    "host-bridge-not-listed",
    fakeMachine(rootPorts("8086:3c00"), {}, at(5, 1)),
    [PORT_A, PORT_B],
    "no PCI bridge is above both, so data has to go through the host bridge, but Linux 5.1 refuses whatever goes through one",
  ),
  one(
    "different-host-bridges",
    fakeMachine(hostBridges("8086:3c00")),
    [PORT_A, FAR],
    "no PCI bridge is above both, so data has to go through the host bridge, but the kernel lists pci0000:00 (0000:00:00.0, 8086:3c00) (Intel Xeon E5 / Core i7) only for pairs below one and the same host bridge",
  ),
  one(
    "no-host-bridge-device",
    fakeMachine(nameless()),
    [PORT_A, PORT_B],
    "no PCI bridge is above both, so data has to go through the host bridge, but Linux 6.12 can't judge pci0000:00: its first device is neither 00.0 nor a root port",
  ),
  one(
    "iommu-present",
    fakeMachine(grouped(), {}, at(5, 3)),
    [PORT_A, PORT_B],
    "no PCI bridge is above both, so data has to go through the host bridge, but Linux 5.3 refuses that while an IOMMU is on",
  ),
  one(
    "no-p2pdma",
    fakeMachine(oneSwitch(), {}, at(4, 19)),
    [A, B],
    "Linux 4.19 has no peer-to-peer DMA: it came with 4.20",
  ),
  one(
    "not-in-tree",
    fakeMachine(oneSwitch()),
    [A, bdf("0000:ff:00.0")],
    "one of the two is not in the PCI tree of this machine",
  ),
];

for (const [index, { rule, machine, pair, words }] of cases.entries()) {
  test(`explainVerdict() tells why: ${rule} (${index})`, () => {
    const verdict = predict(machine.tree, machine.host.platform, ...pair);
    assert.is(verdict.rule, rule);
    assert.is(explainVerdict(machine, verdict), words);
  });
}

const standings: readonly (readonly [string, Machine, string])[] = [
  ["a listed one", fakeMachine(rootPorts("8086:2030")), "allowed, on the kernel's list (Intel Skylake-E)"],
  [
    "one listed for itself",
    fakeMachine(rootPorts("8086:3c00")),
    "allowed, on the kernel's list (Intel Xeon E5 / Core i7, for pairs below it only)",
  ],
  ["an unknown one", fakeMachine(rootPorts()), "refused, not on the kernel's list"],
  ["a nameless one", fakeMachine(nameless()), "refused, as its first device is neither 00.0 nor a root port"],
  [
    "that of a Zen",
    fakeMachine(rootPorts(), { cpuinfo: ZEN }),
    "allowed, as the processor is an AMD Zen or newer",
  ],
  [
    "one before 5.2",
    fakeMachine(rootPorts("8086:2030"), {}, at(5, 1)),
    "refused, as always before Linux 5.2",
  ],
  [
    "one whose root port can't be seen",
    fakeMachine([
      rootPort("0000:00:02.0", { ids: "8086:2030", hidden: true }),
      drive("0000:01:00.0", "0000:00:02.0", "nvme0"),
    ]),
    "allowed, on the kernel's list (Intel Skylake-E), if its first device is a root port (needs root to see)",
  ],
];
for (const [what, machine, words] of standings) {
  test(`hostBridgeStanding() of ${what}`, () => {
    const [root] = growForest(machine).rootBuses;
    assert.is(root && hostBridgeStanding(machine, root.verdict), words);
  });
}

test("no kernel lists the host bridge of this fixture", () => {
  assert.is(hostFunction("0000:00:00.0").ids, "8086:29c0");
});

test.run();
