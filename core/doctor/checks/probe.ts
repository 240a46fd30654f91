// SPDX-License-Identifier: MIT
import { isSince, milestones } from "../../pci/p2pdma-history.ts";
import type { Facts } from "../facts.ts";
import { type Check, type Finding, fail, failUnless, fix, listWords, pass } from "../finding.ts";
import { nameOf } from "../paths.ts";
import type { ProbeResult } from "../probe.ts";

export const probe: Check = {
  id: "probe",
  title: "each client reads a block into each provider's memory (with --probe)",
  symptom: "as tried: the errno is shown",
  why: "everything else is read or predicted; this is the kernel's and the hardware's own word",
  examine: (facts) => {
    const { probes } = facts;
    if (!probes) return [];
    const moved = probes.filter(({ outcome }) => outcome === "moved");
    const bad = probes.filter(({ outcome }) => outcome === "refused" || outcome === "failed");
    if (probes.length === 0) return [fail("nothing to try: no provider, or no drive to read from")];
    const good =
      moved.length > 0
        ? [pass(`one block read each: ${listWords(moved.map((one) => words(facts, one)))}`)]
        : [];
    return [...good, ...judgeBad(facts, bad)];
  },
};

function judgeBad(facts: Facts, bad: readonly ProbeResult[]): Finding[] {
  const codes = [...new Set(bad.map(({ outcome, code }) => `${outcome} (${code})`))];
  return codes.map((code) => {
    const those = bad.filter((one) => `${one.outcome} (${one.code})` === code);
    return failUnless(
      isSpared(facts, those),
      `${code}: ${listWords(those.map((one) => words(facts, one)))}`,
      nextStep(facts, those[0]),
    );
  });
}

/** For a machine one pair of different devices that works will do; two ends both have to work through one provider. */
function isSpared({ probes = [], ends }: Facts, bad: readonly ProbeResult[]): boolean {
  if (!ends)
    return probes.some(({ outcome, provider, client }) => outcome === "moved" && provider !== client);
  const providers = new Set(probes.map(({ provider }) => provider));
  return [...providers].some((provider) => {
    const own = probes.filter((one) => one.provider === provider);
    return own.every(({ outcome }) => outcome === "moved") && bad.every((one) => one.provider !== provider);
  });
}

function nextStep({ machine }: Facts, one: ProbeResult | undefined) {
  const refusal = isSince(machine.host.platform.kernel, milestones.refusalIsEinval) ? "EINVAL" : "EREMOTEIO";
  if (one?.outcome === "refused") {
    return fix(
      `${refusal} is this kernel's way to refuse a pair: the lines above on acs-redirect, host-bridge, cached-verdict and multipath say why; so does`,
      "dmesg | grep -iE 'p2p|peer|ACS'",
    );
  }
  if (one?.code === "ENOMEM") return fix("no p2pmem was free: see the line on pool");
  if (one?.code === "EACCES" || one?.code === "EPERM")
    return fix("run as root: see the line on permission", "sudo p2pdma doctor --probe");
  if (one?.code === "NOT_RESIDENT")
    return fix(
      "the memory that was mapped is not the provider's: report it, with a capture",
      "p2pdma capture",
    );
  return fix("see what the drive and the kernel say", "dmesg | tail -20", "nvme error-log /dev/nvme0");
}

export const transferHangs: Check = {
  id: "transfer-hangs",
  title: "transfers between peers come to an end (with --probe)",
  symptom: 'one direction works, the other hangs; "I/O timeout, aborting" in dmesg',
  why: "some root complexes drop reads between peers without an answer, and the drive waits until the driver resets it",
  examine: (facts) => {
    const hung = facts.probes?.filter(({ outcome }) => outcome === "hangs") ?? [];
    if (!facts.probes) return [];
    if (hung.length === 0) return [pass("every transfer came to its end")];
    const untried = facts.probes.filter(({ outcome }) => outcome === "untried").length;
    const rest = untried > 0 ? `; ${untried} more not tried after that` : "";
    return [
      fail(
        `no answer in time: ${listWords(hung.map((one) => words(facts, one)))}${rest}`,
        fix(
          "go through the destination's CMB: the source then only writes to its peer, and writes are what root complexes pass on",
          "p2pdma copy --provider DESTINATION ...",
        ),
        fix("plug both drives in below one switch, so that the root complex is not asked"),
        fix("see whether the drive has come back", "dmesg | grep -iE 'timeout|abort|reset'"),
      ),
    ];
  },
};

function words({ machine }: Facts, { provider, client }: ProbeResult): string {
  return provider === client
    ? `${nameOf(machine, client)} into its own`
    : `${nameOf(machine, client)} into ${nameOf(machine, provider)}'s`;
}
