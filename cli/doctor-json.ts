// SPDX-License-Identifier: MIT
import type { CheckResult, Examination } from "../core/doctor/examine.ts";
import type { Facts } from "../core/doctor/facts.ts";

/** The document of `doctor --json`. Status and verdict are null where there is none. */
export function examinationJson({ facts, results, isPossible }: Examination) {
  const { host } = facts.machine;
  return {
    schema: "p2pdma.doctor/1",
    kernel: host.kernelRelease ?? null,
    ends: facts.ends
      ? { source: endJson(facts.ends.source), destination: endJson(facts.ends.destination) }
      : null,
    isPossible: isPossible ?? null,
    checks: results.map(checkJson),
    probes: facts.probes?.map(({ code, ...probe }) => ({ ...probe, code: code ?? null })) ?? null,
  };
}

function endJson({ word, device, block, file }: NonNullable<Facts["ends"]>["source"]) {
  return {
    name: word,
    pciAddress: device?.bdf ?? null,
    blockDevice: block?.name ?? null,
    fileSystem: file?.fileSystem ?? null,
  };
}

function checkJson({ check, status, findings }: CheckResult) {
  return {
    id: check.id,
    title: check.title,
    why: check.why,
    status: status ?? null,
    findings: findings.map(({ status, what, fixes }) => ({
      status,
      what,
      fixes: fixes.map(({ text, commands, warning }) => ({ text, commands, warning: warning ?? null })),
    })),
  };
}
