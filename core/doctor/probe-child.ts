// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type Native, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { findProvider, listProviders, type Provider } from "../p2pmem/providers.ts";
import { type StagingBuffer, stageInP2pmem } from "../p2pmem/staging.ts";
import type { SystemView } from "../sysfs.ts";
import type { Outcome, Probe, ProbeResult } from "./probe.ts";

/** What the child tells its parent, a line each: which one's read begins, and how it ended. */
export type ProbeMessage =
  | { readonly begins: number }
  | ({ readonly ended: number } & Pick<ProbeResult, "outcome" | "code" | "isFragmented">);

/** Errnos that mean "no DMA between these two": EREMOTEIO up to Linux 6.16, EINVAL from 6.17. */
const REFUSALS = ["EREMOTEIO", "EINVAL"];

/** What a copy asks for when nobody tells it otherwise. */
export const COPY_DEFAULTS = { chunkBytes: 128 << 10, depth: 16 } as const;

/** Makes every probe in turn. Runs in a process of its own: a read that never ends can't be given up. */
export function makeProbes(
  view: SystemView,
  native: Native,
  probes: readonly Probe[],
  tell: (message: ProbeMessage) => void,
): void {
  const providers = listProviders(view);
  for (const [index, probe] of probes.entries()) {
    const provider = findProvider(providers, probe.provider);
    const isFragmented = provider ? isInPieces(native, provider) : false;
    const outcome = makeProbe(native, provider, probe, () => tell({ begins: index }));
    tell({ ended: index, isFragmented, ...outcome });
  }
}

/** @param begin called when the memory is there: only the drive may be late from then on */
function makeProbe(
  native: Native,
  provider: Provider | undefined,
  { path, lengthBytes }: Probe,
  begin: () => void,
): { outcome: Outcome; code: string | undefined } {
  if (!provider) return { outcome: "failed", code: "ENODEV" };
  try {
    const staging = stageInP2pmem(native, provider, lengthBytes, 1);
    try {
      begin();
      readBlock(native, staging, path);
      return { outcome: "moved", code: undefined };
    } finally {
      staging.close();
    }
  } catch (error) {
    return explain(error);
  }
}

/** Reading is enough: the kernel's verdict on a pair holds for both directions, and nothing is written. */
function readBlock(native: Native, { slots }: StagingBuffer, path: string): void {
  const [slot] = slots;
  if (!slot) throw new RangeError("a staging buffer has a slot");
  const file = native.open(path, constants.O_RDONLY | constants.O_DIRECT);
  try {
    native.readFully(file, slot, 0n);
  } finally {
    native.close(file);
  }
}

function explain(error: unknown): { outcome: Outcome; code: string } {
  const cause = error instanceof P2pdmaError ? error.cause : error;
  if (cause instanceof SyscallError) {
    const isRefusal = cause.syscall === "pread" && REFUSALS.includes(cause.code);
    return { outcome: isRefusal ? "refused" : "failed", code: cause.code };
  }
  if (error instanceof P2pdmaError) return { outcome: "failed", code: error.code };
  throw error;
}

/** As much is free, but not in one piece. */
function isInPieces(native: Native, provider: Provider): boolean {
  const { chunkBytes, depth } = COPY_DEFAULTS;
  if (provider.availableBytes < BigInt(chunkBytes * depth)) return false;
  try {
    stageInP2pmem(native, provider, chunkBytes, depth).close();
    return false;
  } catch (error) {
    if (!(error instanceof P2pdmaError)) throw error;
    return error.cause instanceof SyscallError && error.cause.code === "ENOMEM";
  }
}
