// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import type { KernelVersion } from "../../../../core/pci/p2pdma-history.ts";
import { predict } from "../../../../core/pci/rules.ts";
import { findRemedies, type Machine, type Remedy } from "../../../../core/topo/index.ts";
import { bdf, drive, fakeMachine, rootPort, ZEN } from "./fake-machine.ts";
import { oneSwitch, rootPorts, twoSwitches } from "./machines.ts";

const [A, B] = [bdf("0000:03:00.0"), bdf("0000:04:00.0")];
const at = (major: number, minor: number): { kernel: KernelVersion } => ({ kernel: { major, minor } });

function remedies(machine: Machine, provider: Bdf = A, client: Bdf = B): Remedy[] {
  return findRemedies(machine, predict(machine.tree, machine.host.platform, provider, client));
}
const kinds = (found: readonly Remedy[]) => found.map(({ kind }) => kind);

test("findRemedies() has nothing to say about a direct pair", () => {
  assert.equal(remedies(fakeMachine(oneSwitch())), []);
});

test("findRemedies() gives commands that clear RR, CR and EC, and leave the other bits", () => {
  const [now] = remedies(fakeMachine(oneSwitch(0x7f)));
  assert.equal(now?.commands, [
    "setpci -s 0000:02:00.0 ECAP_ACS+6.w=0053",
    "setpci -s 0000:02:01.0 ECAP_ACS+6.w=0053",
    "echo 0000:03:00.0 > /sys/bus/pci/drivers/nvme/unbind",
    "echo 0000:03:00.0 > /sys/bus/pci/drivers/nvme/bind",
  ]);
  assert.match(now?.text ?? "", /the kernel keeps a verdict once used/);
});

test("findRemedies() names the ports of this pair only, not the root port above them", () => {
  const ports = oneSwitch().map((pci) => (pci.bdf === "0000:02:01.0" ? { ...pci, acs: 0x1d } : pci));
  const [now] = remedies(fakeMachine(ports));
  assert.equal(now?.commands[0], "setpci -s 0000:02:01.0 ECAP_ACS+6.w=0011");
  assert.is(now?.commands.filter((command) => command.startsWith("setpci")).length, 1);
});

const parameters: readonly (readonly [KernelVersion, readonly string[] | undefined])[] = [
  [{ major: 6, minor: 10 }, ["pci=disable_acs_redir=0000:02:00.0;0000:02:01.0"]],
  [
    { major: 6, minor: 11 },
    [
      "pci=disable_acs_redir=0000:02:00.0;0000:02:01.0",
      "pci=config_acs=0x00xx@0000:02:00.0;0x00xx@0000:02:01.0",
    ],
  ],
];
for (const [kernel, commands] of parameters) {
  test(`findRemedies() offers the parameters that Linux ${kernel.major}.${kernel.minor} has`, () => {
    const boot = remedies(fakeMachine(oneSwitch(0x1d), {}, { kernel })).find(
      ({ kind }) => kind === "acs-at-boot",
    );
    assert.equal(boot?.commands, commands);
  });
}

test("findRemedies() warns of what redirection was for, with the IOMMU groups", () => {
  const functions = oneSwitch(0x1d).map((pci, group) => ({ ...pci, group }));
  const [now] = remedies(fakeMachine(functions));
  assert.match(now?.warning ?? "", /weakens isolation/);
  assert.match(now?.warning ?? "", /IOMMU groups \(7 and 8\) become one/);
});

test("findRemedies() tells how to spare a working pair the way through the host bridge", () => {
  assert.equal(kinds(remedies(fakeMachine(oneSwitch(0x1d), { cpuinfo: ZEN }))), ["acs-now", "acs-at-boot"]);
});

test("findRemedies() does not touch ACS where the host bridge is in the way anyhow", () => {
  const ports = rootPorts().map((pci) => (pci.bdf === "0000:00:10.0" ? { ...pci, acs: 0x1d } : pci));
  const found = remedies(fakeMachine(ports), bdf("0000:01:00.0"), bdf("0000:02:00.0"));
  assert.equal(kinds(found), ["same-switch"]);
  assert.is(found[0]?.text, "plug nvme0 and nvme1 in below one PCI Express switch");
});

test("findRemedies() names the switch to move to", () => {
  const machine = fakeMachine(
    [...twoSwitches(), rootPort("0000:00:05.0"), drive("0000:20:00.0", "0000:00:05.0", "nvme9")].map((pci) =>
      pci.bdf === "0000:00:00.0" ? { ...pci, ids: "8086:29c0" } : pci,
    ),
  );
  const texts = remedies(machine, bdf("0000:03:00.0"), bdf("0000:20:00.0")).map(({ text }) => text);
  assert.equal(texts, [
    "plug nvme9 in below the switch at 0000:01:00.0, where nvme0 is: data then goes straight through it",
  ]);
  const between = remedies(machine, bdf("0000:03:00.0"), bdf("0000:14:00.0")).map(({ text }) => text);
  assert.is(between.length, 2);
});

const newer: readonly (readonly [string, Machine, string])[] = [
  [
    "a host bridge listed later",
    fakeMachine(rootPorts("8086:09a2"), {}, at(5, 15)),
    "Linux 5.18 or later maps this pair (THRU_HOST_BRIDGE)",
  ],
  [
    "a Zen before 5.9",
    fakeMachine(rootPorts(), { cpuinfo: ZEN }, at(5, 8)),
    "Linux 5.9 or later maps this pair (THRU_HOST_BRIDGE)",
  ],
];
for (const [what, machine, text] of newer) {
  test(`findRemedies() names the first kernel for ${what}`, () => {
    const found = remedies(machine, bdf("0000:01:00.0"), bdf("0000:02:00.0"));
    const [kernel] = found.filter(({ kind }) => kind === "newer-kernel");
    assert.is(kernel?.text, text);
    assert.match(kernel?.warning ?? "", /from userspace it takes 6.2/);
  });
}

test("findRemedies() asks for root where ACS is hidden", () => {
  const hidden = oneSwitch().map((pci) => ({ ...pci, hidden: true }));
  const found = remedies(fakeMachine(hidden));
  assert.equal(kinds(found), ["read-acs"]);
  assert.match(found[0]?.text ?? "", /run this as root: the ACS bits of 0000:03:00.0, 0000:02:00.0/);
});

test.run();
