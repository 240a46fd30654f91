// SPDX-License-Identifier: MIT
import { noPeerToPeer, P2pdmaError } from "../errors.ts";
import { settleChunk } from "./chunk-size.ts";
import { type DestinationReport, describeDestination } from "./destination-report.ts";
import { readDestination, readSource } from "./endpoint.ts";
import { type ExplainedCandidate, type Explanation, explainCopy } from "./explain.ts";
import { openReadable } from "./files.ts";
import { journalPathFor } from "./keeper.ts";
import { depthOf } from "./prepare.ts";
import { resolveRange } from "./range.ts";
import { type CopyEnvironment, type CopyRequest, checkShape } from "./request.ts";
import {
  checkDestination,
  checkOverlap,
  describeDevice,
  noPermission,
  type WritePermission,
} from "./safety.ts";
import { checkSideFiles } from "./side-files.ts";
import { mapSource } from "./sparse.ts";
import { checkStacking } from "./stacking.ts";

/** What a copy would do: `p2pdma copy --dry-run --json`. Byte counts are decimal strings. */
export interface DryRun {
  readonly schema: "p2pdma.dry-run/1";
  readonly source: { readonly path: string; readonly description: string; readonly startBytes: string };
  readonly destination: DestinationReport & { readonly startBytes: string };
  readonly lengthBytes: string;
  /** Left out because they read as zeroes. */
  readonly holeBytes: string;
  readonly chunkBytes: number;
  readonly depth: number;
  readonly explanation: Explanation;
  readonly journal: string | null;
  readonly warnings: readonly string[];
  /** Why it would be refused as it stands, with the exit code it would end with. */
  readonly refusal: {
    readonly exitCode: number;
    readonly message: string;
    readonly hint: string | null;
  } | null;
}

/**
 * Plans a copy and opens nothing for writing.
 * @returns the plan, and the lines that tell of the destination
 * @throws P2pdmaError for what is wrong with the request itself
 */
export async function dryRun(
  env: CopyEnvironment,
  asked: CopyRequest,
  permission: WritePermission,
): Promise<{ plan: DryRun; destinationLines: string[] }> {
  checkShape(asked);
  const request = settleChunk(env, asked);
  const src = readSource(env.sys, env.native, request.source);
  const dst = readDestination(env.sys, env.native, request.destination);
  const range = resolveRange(src, dst, request);
  const { report, lines } = describeDestination(env, dst, request.overwrite, permission);
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const journalPath = journalPathFor(env, request, { src, dst, range }, { warn });
  checkSideFiles({ request, src, dst, journalPath });
  const explanation = explainCopy(env, request);
  const plan: DryRun = {
    schema: "p2pdma.dry-run/1",
    source: { path: src.path, description: describeDevice(src), startBytes: range.srcOffset.toString() },
    destination: { ...report, startBytes: range.dstOffset.toString() },
    lengthBytes: range.lengthBytes.toString(),
    holeBytes: (await holeBytes(env, request, src, range)).toString(),
    chunkBytes: request.chunkBytes,
    depth: depthOf(request, range).depth,
    explanation,
    journal: journalPath ?? null,
    warnings,
    refusal: refusalOf(() => {
      checkOverlap(src, dst, range);
      checkStacking(env.sys, src, dst);
      checkDestination(env, dst, request.overwrite);
      if (report.permission === "missing") throw noPermission(dst);
      checkRoute(request, explanation);
    }),
  };
  return { plan, destinationLines: lines };
}

/** By the rules alone: the kernel itself is asked by the copy. */
function checkRoute({ via }: CopyRequest, { problem, candidates, canCopyWithinDrive }: Explanation): void {
  if (via === "nvme-copy" && !canCopyWithinDrive) {
    throw noPeerToPeer(
      "NOT_COPYABLE",
      "Cannot copy within the drive: it can't, or these are not on one namespace",
    );
  }
  if (via !== "p2p") return;
  if (problem) throw noPeerToPeer("P2P_REFUSED", `Cannot copy peer-to-peer: ${problem}`);
  const isRefused = ({ source, destination }: ExplainedCandidate) =>
    [source, destination].some((end) => end?.mapType === "NOT_SUPPORTED");
  if (candidates.every(isRefused)) {
    throw noPeerToPeer(
      "P2P_REFUSED",
      "Cannot copy peer-to-peer: no provider serves both ends by the kernel's rules",
    );
  }
}

async function holeBytes(
  { native, sys }: CopyEnvironment,
  request: CopyRequest,
  src: Parameters<typeof mapSource>[3],
  range: Parameters<typeof mapSource>[4],
): Promise<bigint> {
  if (request.sparse === "never") return 0n;
  const file = openReadable(native, src, false);
  try {
    return (await mapSource(native, sys, file, src, range, request.chunkBytes)).holeBytes;
  } finally {
    native.close(file);
  }
}

function refusalOf(checks: () => void): DryRun["refusal"] {
  try {
    checks();
    return null;
  } catch (error) {
    if (!(error instanceof P2pdmaError)) throw error;
    return { exitCode: error.exitCode, message: error.message, hint: error.hint ?? null };
  }
}
