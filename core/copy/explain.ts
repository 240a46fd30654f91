// SPDX-License-Identifier: MIT

import { identifyNamespace } from "../nvme/identify.ts";
import type { MapType } from "../pci/rules.ts";
import { readMachine } from "../topo/index.ts";
import { type Candidate, type Expectation, rankCandidates, type Side } from "./candidates.ts";
import { type Endpoint, readDestination, readSource } from "./endpoint.ts";
import { canNvmeCopy } from "./nvme-copy.ts";
import type { CopyEnvironment, CopyRequest } from "./request.ts";

/** How the kernel should map a provider's memory for one end of the copy. */
export interface ExplainedEnd {
  /** null: it hangs on ACS bits that could not be read. */
  readonly mapType: MapType | null;
  readonly distance: number | null;
  readonly reason: string;
}

export interface ExplainedCandidate {
  readonly provider: string;
  readonly name: string;
  readonly side: Side;
  readonly availableBytes: string;
  readonly sharesNumaNode: boolean;
  /** null for an end that is no PCI device. */
  readonly source: ExplainedEnd | null;
  readonly destination: ExplainedEnd | null;
}

/** What a copy would choose from, best first; RAM comes after them all. */
export interface Explanation {
  readonly schema: "p2pdma.explain/1";
  readonly source: string;
  readonly destination: string;
  /** Why these two can't be copied peer-to-peer whatever the provider. */
  readonly problem: string | null;
  readonly candidates: readonly ExplainedCandidate[];
  /** True when the drive could also copy within itself: --via nvme-copy. */
  readonly canCopyWithinDrive: boolean;
}

/** Ranks the providers for a copy by rule, without opening anything for writing or allocating memory. */
export function explainCopy(env: CopyEnvironment, request: CopyRequest): Explanation {
  const src = readSource(env.sys, env.native, request.source);
  const dst = readDestination(env.sys, env.native, request.destination);
  const candidates = rankCandidates(readMachine(env.sys), src, dst, request.provider);
  return {
    schema: "p2pdma.explain/1",
    source: src.path,
    destination: dst.path,
    problem: src.peerProblem ?? dst.peerProblem ?? null,
    candidates: candidates.map(explainCandidate),
    canCopyWithinDrive: isWithinDrive(env, src, dst),
  };
}

function isWithinDrive(env: CopyEnvironment, src: Endpoint, dst: Endpoint): boolean {
  if (src.kind === "file" || !src.device || src.device.disk !== dst.device?.disk) return false;
  return typeof canNvmeCopy(identifyNamespace(env, src.device.disk), src, dst) !== "string";
}

function explainCandidate({
  provider,
  side,
  sharesNumaNode,
  source,
  destination,
}: Candidate): ExplainedCandidate {
  return {
    ...{ provider: provider.bdf, name: provider.name, side, sharesNumaNode },
    availableBytes: provider.availableBytes.toString(),
    source: explainEnd(source),
    destination: explainEnd(destination),
  };
}

function explainEnd(expectation: Expectation | undefined): ExplainedEnd | null {
  if (!expectation) return null;
  const { verdict, reason } = expectation;
  return { mapType: verdict.mapType ?? null, distance: verdict.distance ?? null, reason };
}
