// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import { isSince, milestones } from "../pci/p2pdma-history.ts";
import type { HostBridgeVerdict, Verdict } from "../pci/rules.ts";
import type { Machine } from "./machine.ts";
import { kernelName } from "./platform.ts";

/** Why a verdict is what it is: one sentence, without a full stop. */
export function explainVerdict(machine: Machine, verdict: Verdict): string {
  switch (verdict.rule) {
    case "same-function":
      return "the device's own memory: nothing crosses PCI Express";
    case "common-bridge":
      return `both are below ${commonBridge(verdict)} and no port on the way redirects: data goes straight through it`;
    case "acs-redirect":
      return explainRedirect(machine, verdict);
    case "amd-zen":
    case "whitelisted-host-bridge":
      return `${approach(verdict)}, and ${hostBridgeReason(machine, verdict)}`;
    case "host-bridge-not-listed":
    case "different-host-bridges":
    case "no-host-bridge-device":
    case "iommu-present":
      return `${approach(verdict)}, but ${hostBridgeReason(machine, verdict)}`;
    case "no-p2pdma":
      return `Linux ${kernelName(machine.host.platform.kernel)} has no peer-to-peer DMA: it came with ${kernelName(milestones.introduced.since)}`;
    case "not-in-tree":
      return "one of the two is not in the PCI tree of this machine";
  }
}

/** Ports that send peer traffic up: those that the kernel's log names for this pair. */
export function redirectingPorts({ hops }: Verdict): Bdf[] {
  return hops.filter(({ redirects }) => redirects === true).map(({ bdf }) => bdf);
}

/** Functions whose ACS bits could not be read. */
export function hiddenPorts({ hops }: Verdict): Bdf[] {
  return hops.filter(({ redirects }) => redirects === undefined).map(({ bdf }) => bdf);
}

export function commonBridge({ hops }: Verdict): Bdf | undefined {
  return hops.find(({ role }) => role === "common-bridge")?.bdf;
}

/** What becomes of peers on different root ports: `allowed, on the kernel's list (Intel Skylake-E)`. */
export function hostBridgeStanding(machine: Machine, { ids, entry, isCertain }: HostBridgeVerdict): string {
  const { kernel } = machine.host.platform;
  if (!isSince(kernel, milestones.rootComplexes))
    return `refused, as always before Linux ${firstWithHostBridges}`;
  if (isTrustedCpu(machine)) return "allowed, as the processor is an AMD Zen or newer";
  if (ids === undefined) return "refused, as its first device is neither 00.0 nor a root port";
  if (!entry) return "refused, not on the kernel's list";
  const limit = entry.sameHostBridgeOnly ? ", for pairs below it only" : "";
  const doubt = isCertain ? "" : ", if its first device is a root port (needs root to see)";
  return `allowed, on the kernel's list (${entry.name}${limit})${doubt}`;
}

const firstWithHostBridges = kernelName(milestones.rootComplexes.since);

function explainRedirect(machine: Machine, verdict: Verdict): string {
  if (verdict.mapType === undefined) {
    return `ACS of ${hiddenPorts(verdict).join(", ")} could not be read: ${possibilities(verdict)}`;
  }
  return `${approach(verdict)}, but ${hostBridgeReason(machine, verdict)}`;
}

function possibilities({ possible }: Verdict): string {
  return [...new Set(possible)].join(" or ");
}

/** How data comes to meet the host bridge. */
function approach(verdict: Verdict): string {
  if (commonBridge(verdict) === undefined && verdict.rule !== "same-function") {
    return "no PCI bridge is above both, so data has to go through the host bridge";
  }
  return `ACS on ${redirectingPorts(verdict).join(", ")} sends data up to the host bridge`;
}

function hostBridgeReason(machine: Machine, { hostBridges, rule }: Verdict): string {
  const { kernel } = machine.host.platform;
  const linux = `Linux ${kernelName(kernel)}`;
  if (!isSince(kernel, milestones.rootComplexes)) return `${linux} refuses whatever goes through one`;
  if (isTrustedCpu(machine)) return "the processor is an AMD Zen or newer, which the kernel trusts";
  if (rule === "iommu-present") return `${linux} refuses that while an IOMMU is on`;
  const unsure = hostBridges.find(({ isCertain }) => !isCertain);
  if (unsure?.entry) return `whether ${unsure.firstDevice} is a root port could not be read`;
  const unseen = hostBridges.find(({ ids }) => ids === undefined);
  if (unseen) {
    return `${linux} can't judge ${unseen.name}: its first device is neither 00.0 nor a root port`;
  }
  const unlisted = hostBridges.filter(({ entry }) => !entry);
  if (unlisted.length > 0) {
    return `${linux} does not list ${unlisted.map(describeBridge).join(" nor ")}`;
  }
  const picky = hostBridges.find(({ entry }) => entry?.sameHostBridgeOnly);
  if (picky && hostBridges.length > 1) {
    return `the kernel lists ${describeBridge(picky)} (${picky.entry?.name}) only for pairs below one and the same host bridge`;
  }
  if (!isSince(kernel, milestones.throughHostBridge)) {
    return `${linux} refuses redirected traffic whatever the host bridge`;
  }
  return `the kernel lists ${hostBridges.map((bridge) => `${describeBridge(bridge)} (${bridge.entry?.name})`).join(" and ")}`;
}

function describeBridge({ name, ids, firstDevice }: HostBridgeVerdict): string {
  return `${name} (${firstDevice}, ${ids})`;
}

function isTrustedCpu({ host }: Machine): boolean {
  return host.platform.isAmdZen && isSince(host.platform.kernel, milestones.amdZen);
}
