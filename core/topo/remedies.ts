// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import { ACS_REDIRECT_MASK } from "../pci/config-space.ts";
import {
  compareKernels,
  hostBridgeWhitelist,
  isAtLeast,
  type KernelVersion,
  milestones,
} from "../pci/p2pdma-history.ts";
import { type MapType, predict, type Verdict } from "../pci/rules.ts";
import { type PciFunction, pathUp } from "../pci/tree.ts";
import { commonBridge, hiddenPorts, redirectingPorts } from "./explain.ts";
import type { Machine } from "./machine.ts";
import { kernelName } from "./platform.ts";

/** Something that would change a verdict. */
export interface Remedy {
  readonly kind: "read-acs" | "acs-now" | "acs-at-boot" | "newer-kernel" | "same-switch";
  /** What to do and what comes of it: one sentence, without a full stop. */
  readonly text: string;
  /** To be typed by root, or kernel parameters for `acs-at-boot`. */
  readonly commands: readonly string[];
  /** What it costs. */
  readonly warning: string | undefined;
}

/** `pci=disable_acs_redir=` (aaca43fda742) and `pci=config_acs=` (47c8846a49ba). */
const DISABLE_ACS_REDIR = { major: 4, minor: 19 };
const CONFIG_ACS = { major: 6, minor: 11 };

/** What would make a pair work, or work without the detour through the host bridge; easiest first. */
export function findRemedies(machine: Machine, verdict: Verdict): Remedy[] {
  if (verdict.mapType === undefined) return [readAcs(verdict)];
  const isRefused = verdict.mapType === "NOT_SUPPORTED";
  return [
    ...clearRedirection(machine, verdict),
    ...(isRefused ? newerKernel(machine, verdict) : []),
    ...(isRefused && commonBridge(verdict) === undefined ? sameSwitch(machine, verdict) : []),
  ];
}

function readAcs(verdict: Verdict): Remedy {
  const hidden = hiddenPorts(verdict);
  return {
    kind: "read-acs",
    text:
      hidden.length > 0
        ? `run this as root: the ACS bits of ${hidden.join(", ")} decide`
        : "run this as root",
    commands: [],
    warning: undefined,
  };
}

/** Only where both are below one bridge: elsewhere the host bridge is in the way anyhow. */
function clearRedirection(machine: Machine, verdict: Verdict): Remedy[] {
  const ports = redirectingPorts(verdict);
  if (ports.length === 0 || commonBridge(verdict) === undefined) return [];
  const what = `turn redirection off on ${ports.join(", ")}`;
  const gain = "data then goes straight through the bridge";
  const warning = sharingWarning(machine, verdict);
  return [
    {
      kind: "acs-now",
      text: `${what}: ${gain}, until the next boot; the kernel keeps a verdict once used, so the provider's driver is bound anew: nothing may use its drive meanwhile`,
      commands: [...ports.map((port) => setpciCommand(machine, port)), ...rebindCommands(machine, verdict)],
      warning,
    },
    ...bootParameter(machine.host.platform.kernel, ports, warning),
  ];
}

/** Redirection is what lets an IOMMU see the traffic between two devices. */
function sharingWarning({ tree }: Machine, { provider, client }: Verdict): string {
  const groups = [provider, client].map((bdf) => tree.functions.get(bdf)?.iommuGroup);
  const numbers = groups.every((group) => group !== undefined) ? ` (${groups.join(" and ")})` : "";
  return `this weakens isolation: the devices can then reach each other past the IOMMU, and their IOMMU groups${numbers} become one at the next boot; not for devices that virtual machines get or that you do not trust`;
}

function setpciCommand({ tree }: Machine, port: Bdf): string {
  const acs = tree.functions.get(port)?.acs;
  const control = acs?.state === "present" ? acs.control & ~ACS_REDIRECT_MASK : 0;
  return `setpci -s ${port} ECAP_ACS+6.w=${control.toString(16).padStart(4, "0")}`;
}

function rebindCommands({ tree }: Machine, { provider }: Verdict): string[] {
  const driver = tree.functions.get(provider)?.driver;
  if (!driver) return [];
  return ["unbind", "bind"].map((verb) => `echo ${provider} > /sys/bus/pci/drivers/${driver}/${verb}`);
}

/** Egress control, completion and request redirect off, the other bits as firmware left them. */
const CONFIG_ACS_FLAGS = "0x00xx";

function bootParameter(kernel: KernelVersion, ports: readonly Bdf[], warning: string): Remedy[] {
  if (compareKernels(kernel, DISABLE_ACS_REDIR) < 0) return [];
  const commands = [`pci=disable_acs_redir=${ports.join(";")}`];
  if (compareKernels(kernel, CONFIG_ACS) >= 0) {
    commands.push(`pci=config_acs=${ports.map((port) => `${CONFIG_ACS_FLAGS}@${port}`).join(";")}`);
  }
  const either = commands.length > 1 ? " (one of them)" : "";
  return [
    {
      kind: "acs-at-boot",
      text: `for good: the same as a kernel parameter${either}; in a boot loader's file it needs quotes, for the semicolon`,
      commands,
      warning,
    },
  ];
}

/** The first mainline release that would not refuse, if there is one. */
function newerKernel(machine: Machine, { provider, client }: Verdict): Remedy[] {
  const { kernel, isAmdZen } = machine.host.platform;
  const turningPoints = [...hostBridgeWhitelist, ...Object.values(milestones)].map(({ since }) => since);
  const later = turningPoints.filter((since) => compareKernels(since, kernel) > 0).sort(compareKernels);
  const mapTypeIn = (version: KernelVersion) =>
    predict(machine.tree, { kernel: version, isAmdZen }, provider, client).mapType;
  const first = later.find((version) => isWorking(mapTypeIn(version)));
  if (!first) return [];
  const text = `Linux ${kernelName(first)} or later maps this pair (${mapTypeIn(first)})`;
  return [{ kind: "newer-kernel", text, commands: [], warning: userspaceNote(first) }];
}

function isWorking(mapType: MapType | undefined): boolean {
  return mapType !== undefined && mapType !== "NOT_SUPPORTED";
}

function userspaceNote(kernel: KernelVersion): string | undefined {
  const { major, minor } = milestones.userspace.since;
  if (isAtLeast(kernel, major, minor)) return undefined;
  return `from userspace it takes ${kernelName(milestones.userspace.since)} all the same`;
}

/** A switch that one of them is below already, else any. */
function sameSwitch({ tree, devices }: Machine, { provider, client }: Verdict): Remedy[] {
  const switchAbove = (bdf: Bdf) => pathUp(tree, bdf).find(({ portType }) => portType === "upstream-port");
  const name = (bdf: Bdf) => devices.find((device) => device.bdf === bdf)?.name ?? bdf;
  const move = (moved: Bdf, other: Bdf, { bdf }: PciFunction): Remedy => ({
    kind: "same-switch",
    text: `plug ${name(moved)} in below the switch at ${bdf}, where ${name(other)} is: data then goes straight through it`,
    commands: [],
    warning: undefined,
  });
  const [above, aboveClient] = [switchAbove(provider), switchAbove(client)];
  const moves = [
    ...(above ? [move(client, provider, above)] : []),
    ...(aboveClient ? [move(provider, client, aboveClient)] : []),
  ];
  if (moves.length > 0) return moves;
  const text = `plug ${name(provider)} and ${name(client)} in below one PCI Express switch`;
  return [{ kind: "same-switch", text, commands: [], warning: undefined }];
}
