// SPDX-License-Identifier: MIT
import type { Rule, Verdict } from "../../pci/rules.ts";
import { explainVerdict } from "../../topo/index.ts";
import type { Facts } from "../facts.ts";
import {
  type Check,
  type Finding,
  type Fix,
  failUnless,
  fix,
  listWords,
  pass,
  unknown,
  warn,
} from "../finding.ts";
import { isDetour, isGranted, isSpared, mend, type PathView, pairWords, viewPaths } from "../paths.ts";

export const acsRedirect: Check = {
  id: "acs-redirect",
  title: "no ACS redirection between provider and client",
  symptom:
    'EREMOTEIO (EINVAL from Linux 6.17) at the first I/O; "ACS redirect is set between the client and provider" in dmesg',
  why: "a port that redirects sends peer traffic up to the host bridge, which may not pass it on, and is a detour where it does",
  examine: (facts) => {
    const view = viewPaths(facts);
    if (view.verdicts.length === 0) return [];
    const refused = view.verdicts.filter(
      ({ rule, mapType }) => rule === "acs-redirect" && mapType === "NOT_SUPPORTED",
    );
    const hidden = view.verdicts.filter(
      ({ rule, mapType }) => rule === "acs-redirect" && mapType === undefined,
    );
    const detours = view.verdicts.filter(isDetour);
    const findings = [
      ...judgeRefused(facts, view, refused),
      ...judgeHidden(facts, view, hidden),
      ...judgeDetours(facts, detours),
      ...judgeParameter(facts),
    ];
    return findings.length > 0 ? findings : [pass("no port on the way redirects peer traffic")];
  },
};

function judgeRefused(facts: Facts, view: PathView, refused: readonly Verdict[]): Finding[] {
  const [first] = refused;
  if (!first) return [];
  const what = `${pairWords(facts.machine, refused)}: ${explainVerdict(facts.machine, first)}`;
  return [failUnless(isSpared(view, refused), what, ...acsFixes(facts, refused))];
}

/** A way that is known to work makes it a matter of the other pairs only. */
function judgeHidden({ machine, system }: Facts, view: PathView, hidden: readonly Verdict[]): Finding[] {
  const [first] = hidden;
  if (!first) return [];
  const reason = system.mayAdminister ? "config space is cut short here" : "that needs CAP_SYS_ADMIN";
  const what = `${pairWords(machine, hidden)}: ${explainVerdict(machine, first)}; ${reason}`;
  const asRoot = fix("run as root", "sudo p2pdma doctor");
  return [isSpared(view, hidden) ? warn(what, asRoot) : unknown(what, asRoot)];
}

function judgeDetours(facts: Facts, detours: readonly Verdict[]): Finding[] {
  const [first] = detours;
  if (!first) return [];
  const what = `${pairWords(facts.machine, detours)}: allowed, but ${explainVerdict(facts.machine, first)}`;
  return [warn(what, ...acsFixes(facts, detours))];
}

/** Under lockdown config space can't be written, so setpci is no way out. */
function acsFixes({ machine, system }: Facts, verdicts: readonly Verdict[]): Fix[] {
  const isLocked = system.lockdown === "integrity" || system.lockdown === "confidentiality";
  const fixes = mend(machine, verdicts).filter(({ commands }) => !isLocked || !commands.some(isSetpci));
  const firmware = fix(
    "or switch ACS off in the firmware's setup, often beside VT-d, AMD-Vi or SR-IOV: on all ports then, not only on these",
  );
  return [...fixes, firmware];
}

function isSetpci(command: string): boolean {
  return command.startsWith("setpci");
}

function judgeParameter({ live, system }: Facts): Finding[] {
  if (!live?.log?.isAcsParameterBad) return [];
  const given = system.commandLine.filter((parameter) => parameter.includes("acs"));
  return [
    warn(
      `the kernel did not understand its parameter ${given.join(" ")}`,
      fix(
        "quote it in the boot loader's file; some kernels with config_acs take only one port: then use",
        "pci=disable_acs_redir=BDF;BDF",
      ),
    ),
  ];
}

const HOST_BRIDGE_RULES: readonly Rule[] = [
  ...([
    "host-bridge-not-listed",
    "different-host-bridges",
    "no-host-bridge-device",
    "iommu-present",
  ] as const),
];

export const hostBridge: Check = {
  id: "host-bridge",
  title: "provider and client meet below one switch, or the kernel trusts the host bridge",
  symptom:
    'EREMOTEIO (EINVAL from Linux 6.17) at the first I/O; "Host bridge not in P2PDMA whitelist" or "do not share an upstream bridge" in dmesg',
  why: "many host bridges do not pass peer traffic from one root port to another, so the kernel only uses those on its list",
  examine: (facts) => {
    const view = viewPaths(facts);
    if (view.verdicts.length === 0) return [];
    const bad = refusedByHostBridge(view);
    const [first] = bad;
    if (!first) return [pass(grantedWords(facts, view.verdicts))];
    const what = `${pairWords(facts.machine, bad)}: ${explainVerdict(facts.machine, first)}`;
    if (bad.every(({ mapType }) => mapType === undefined))
      return [unknown(what, fix("run as root", "sudo p2pdma doctor"))];
    return [failUnless(isSpared(view, bad), what, ...mend(facts.machine, [first]), ...moreFixes(view))];
  },
};

/** Pairs that only the host bridge, or what the kernel thinks of it, keeps apart. */
export function refusedByHostBridge({ verdicts }: PathView): Verdict[] {
  return verdicts.filter((verdict) => HOST_BRIDGE_RULES.includes(verdict.rule) && !isGranted(verdict));
}

function moreFixes({ isAnyEnough }: PathView): Fix[] {
  return isAnyEnough ? [fix("see which pairs work", "p2pdma topo")] : [];
}

function grantedWords({ machine }: Facts, verdicts: readonly Verdict[]): string {
  const around = verdicts.filter(({ mapType }) => mapType === "THRU_HOST_BRIDGE");
  const [first] = around;
  if (!first) return "no pair depends on the host bridge";
  return `${pairWords(machine, around)}: ${explainVerdict(machine, first)}`;
}

export const busOffset: Check = {
  id: "bus-offset",
  title: "addresses on the bus are those of the CPU",
  symptom: "addresses in a bus trace differ from those in the device's resource file",
  why: "the kernel hands peers bus addresses, so whoever compares addresses has to count in the difference",
  examine: ({ machine }) => {
    const moved = [...machine.busOffsets].map(([bridge, offset]) => `${bridge} by ${hex(offset)}`);
    if (moved.length === 0) return [pass("bus addresses are CPU addresses")];
    return [pass(`the kernel counts in that bus addresses differ below ${listWords(moved)}`)];
  },
};

function hex(value: bigint): string {
  return `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}`;
}
