// SPDX-License-Identifier: MIT
import type { Verdict } from "../../pci/rules.ts";
import type { Facts } from "../facts.ts";
import { type Check, type Finding, type Fix, failUnless, fix, pass, warn } from "../finding.ts";
import type { LoggedVerdict } from "../kernel-log.ts";
import { isGranted, isSpared, mend, type PathView, pairWords, viewPaths } from "../paths.ts";

export const cachedVerdict: Check = {
  id: "cached-verdict",
  title: "the kernel's verdicts are those of today's settings",
  symptom: "still EREMOTEIO after setpci has turned the redirection off",
  why: "the kernel judges a pair once and keeps the verdict until the provider's driver is bound anew",
  examine: (facts) => {
    const view = viewPaths(facts);
    if (view.verdicts.length === 0 || (!facts.live?.log && !facts.probes)) return [];
    const refused = view.verdicts.filter((verdict) => isStale(facts, verdict, "refused"));
    const detours = view.verdicts.filter((verdict) => isStale(facts, verdict, "redirected"));
    const outlived = view.verdicts.filter((verdict) => isOutlived(facts, verdict));
    const findings = [
      ...(refused.length > 0 ? [judgeRefusal(facts, view, refused)] : []),
      ...(detours.length > 0 ? [judgeDetour(facts, detours)] : []),
      ...(outlived.length > 0 ? [judgeOutlived(facts, outlived)] : []),
    ];
    return findings.length > 0 ? findings : [pass("no verdict is known that a change has overtaken")];
  },
};

/** Another verdict, in the kernel's log or when tried, than today's settings would get. */
function isStale({ live, probes }: Facts, verdict: Verdict, kind: LoggedVerdict["kind"]): boolean {
  const isPair = (one: { provider: string; client: string }) =>
    one.provider === verdict.provider && one.client === verdict.client;
  const probe = probes?.find((one) => isPair(one) && (one.outcome === "moved" || one.outcome === "refused"));
  const logged = live?.log?.verdicts.find(isPair)?.kind;
  if (kind === "redirected") return verdict.mapType === "BUS_ADDR" && logged === "redirected";
  return isGranted(verdict) && (probe ? probe.outcome === "refused" : logged === "refused");
}

/** Works when tried, although today's settings forbid it: the next boot will end that. */
function isOutlived({ probes }: Facts, { provider, client, mapType }: Verdict): boolean {
  const probe = probes?.find((one) => one.provider === provider && one.client === client);
  return mapType === "NOT_SUPPORTED" && probe?.outcome === "moved";
}

function judgeRefusal(facts: Facts, view: PathView, stale: readonly Verdict[]): Finding {
  const what = `${pairWords(facts.machine, stale)}: the settings allow it, but the kernel has refused it before and keeps its verdict`;
  return failUnless(isSpared(view, stale) || hasFreshRoute(facts), what, ...rebindFixes(facts, stale));
}

/** Another provider serves the pair, and no old verdict of it is known. */
function hasFreshRoute(facts: Facts): boolean {
  const routes = facts.ends?.pair?.routes ?? [];
  return routes.some(
    ({ works, source, destination }) =>
      works === true && ![source, destination].some((verdict) => isStale(facts, verdict, "refused")),
  );
}

function judgeDetour(facts: Facts, stale: readonly Verdict[]): Finding {
  const what = `${pairWords(facts.machine, stale)}: no port redirects any more, but data still take the way through the host bridge`;
  return warn(what, ...rebindFixes(facts, stale));
}

function rebindFixes({ machine }: Facts, stale: readonly Verdict[]): Fix[] {
  const commands = [...new Set(stale.map(({ provider }) => provider))].flatMap((bdf) => {
    const driver = machine.tree.functions.get(bdf)?.driver ?? "nvme";
    return ["unbind", "bind"].map((verb) => `echo ${bdf} > /sys/bus/pci/drivers/${driver}/${verb}`);
  });
  const rebind = fix("bind the provider's driver anew, with nothing of it mounted or in use", ...commands);
  return [{ ...rebind, warning: "its namespaces vanish for a moment" }, fix("or reboot")];
}

function judgeOutlived({ machine }: Facts, outlived: readonly Verdict[]): Finding {
  return warn(
    `${pairWords(machine, outlived)}: works only by a verdict that was given before ACS was changed, and will not after the next boot`,
    ...mend(machine, outlived),
  );
}
