// SPDX-License-Identifier: MIT
// Machines in which every rule of the lab's kernel decides something, and the states in which each is judged. What only
// older kernels know (no-p2pdma, iommu-present) and what no machine shows (not-in-tree) is left to unit tests.
import { rootBus } from "../../lab/topologies/root-bus.ts";
import { rootPorts } from "../../lab/topologies/root-ports.ts";
import { acsSwitch, drive, hostBridge, rootPort, type Topology, topology } from "../../lab/topology.ts";
import type { Step } from "./guest/prediction.ts";

export interface Case {
  readonly name: string;
  readonly topology: string | Topology;
  readonly steps: readonly Step[];
  readonly append?: string;
  /** Bus addresses end in the emulated IOMMU: QEMU's switches know no way around it, as real ones do. */
  readonly hasIommu?: boolean;
  /** Ids that the root ports get, so that an expander is a host bridge on the kernel's list. */
  readonly rootPortIds?: readonly [number, number];
  readonly qemuArgs?: readonly string[];
}

const atBoot: Step = { name: "at boot" };
const [SV, TB, RR, CR, UF, DT] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x40];

const plain = (name: string, over: Partial<Case> = {}): Case => ({
  ...{ name, topology: name, steps: [atBoot] },
  ...over,
});

const acsCases: readonly Case[] = [
  plain("switch-acs", {
    steps: [
      atBoot,
      { name: "request redirect, verdicts kept", acs: { "A^1": RR }, keepVerdicts: true },
      { name: "request redirect on the provider's port", acs: { "A^1": RR } },
      { name: "the advice followed", followAdvice: true },
      { name: "completion redirect on the client's port", acs: { "B^1": CR } },
      { name: "both ports", acs: { "A^1": SV | RR | CR | UF, "B^1": SV | RR | CR | UF } },
      { name: "bits that do not redirect", acs: { "A^1": SV | TB | UF | DT, "B^1": SV | TB | UF | DT } },
      { name: "the root port, which is not on the way", acs: { "A^3": RR | CR } },
    ],
  }),
  plain("acs-upstream", {
    steps: [atBoot, { name: "request redirect on the port above both", acs: { "A^2": RR } }],
  }),
  plain("cascade", {
    steps: [
      atBoot,
      { name: "request redirect between the switches", acs: { "B^3": RR } },
      { name: "on both ports of the outer switch", acs: { "B^3": CR, "A^1": RR } },
    ],
  }),
  plain("siblings", {
    steps: [atBoot, { name: "request redirect on the root port above both", acs: { "A^1": RR } }],
  }),
];

const hostBridgeCases: readonly Case[] = [
  plain("root-ports", {
    steps: [atBoot, { name: "request redirect on a root port", acs: { "A^1": RR } }],
  }),
  plain("root-ports-zen", {
    steps: [atBoot, { name: "request redirect on a root port", acs: { "A^1": RR } }],
  }),
  // Family 24, but not from AMD. The processor of "root-ports" is from AMD, but of family 15.
  plain("root-ports, Hygon", { topology: { ...rootPorts, cpu: "Dhyana" } }),
  plain("root-bus"),
  plain("root-bus, Zen", { topology: { ...rootBus, cpu: "EPYC" } }),
  plain("two-switches"),
  plain("two-switches-zen"),
  plain("host-bridges"),
  plain("host-bridges-zen"),
];

/**
 * A below a bridge that nobody lists; B and C below a switch of one that is, D below another such. E is below a
 * third, which the kernel can't tell: the first device on its root bus is neither at 00.0 nor a root port.
 */
const listed = topology({
  name: "listed",
  summary: "expanders that are host bridges on the kernel's list",
  pci: [
    rootPort(drive("A", { cmbMiB: 32 })),
    hostBridge(0x40, rootPort(acsSwitch(drive("B", { cmbMiB: 64 }), drive("C")))),
    { ...hostBridge(0x80, rootPort(drive("D", { cmbMiB: 32 }))), firstSlot: 1 },
    { ...hostBridge(0xc0, rootPort(drive("E"))), firstSlot: 2 },
  ],
});
const firstOnThird = ["-device", "pcie-pci-bridge,bus=bridge2,addr=0x1"];
const listedSteps = [atBoot, { name: "request redirect on the provider's port", acs: { "B^1": RR } }];

const listedCase = (name: string, deviceId: number): Case => ({
  ...{ name, topology: listed, steps: listedSteps },
  ...{ rootPortIds: [0x8086, deviceId], qemuArgs: firstOnThird },
});
const listedCases: readonly Case[] = [
  listedCase("listed, 8086:2030", 0x2030),
  listedCase("listed within one host bridge, 8086:3c00", 0x3c00),
];

export const cases: readonly Case[] = [
  plain("switch"),
  ...acsCases,
  ...hostBridgeCases,
  ...listedCases,
  plain("fast"),
  plain("iommu", { hasIommu: true }),
  plain("iommu-zen", { hasIommu: true }),
];
