// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type MemoryRange, type Native, SyscallError } from "../../ffi/index.ts";
import type { Provider } from "../p2pmem/providers.ts";
import type { Expectation } from "./candidates.ts";
import type { Endpoint } from "./endpoint.ts";

/** Errnos that mean "no DMA between these two": EREMOTEIO up to Linux 6.16, EINVAL from 6.17. */
const REFUSALS = ["EREMOTEIO", "EINVAL"];

/** The drive itself failed to read its medium, so the mapping was made: a bad block is the copy's business. */
const MEDIUM_ERRORS = ["ENODATA", "EILSEQ"];

/**
 * Asks the kernel for its verdict on a pair with one small O_DIRECT read from
 * the endpoint's drive into the provider's memory. Reading is enough on the
 * destination too: the verdict holds for both directions, and nothing is written.
 *
 * @param expected what the rules say of the pair: the kernel gives no reason with its refusal.
 * @returns undefined when it works, else the reason in words.
 */
export function probePeer(
  native: Native,
  endpoint: Endpoint,
  provider: Provider,
  slot: MemoryRange,
  expected: Expectation | undefined,
): string | undefined {
  const path = endpoint.kind === "block" ? endpoint.path : `/dev/${endpoint.device?.name}`;
  const lengthBytes = endpoint.device?.logicalBlockBytes ?? endpoint.blockBytes;
  try {
    const file = native.open(path, constants.O_RDONLY | constants.O_DIRECT);
    try {
      native.readFully(file, { ...slot, lengthBytes }, 0n);
      return undefined;
    } finally {
      native.close(file);
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.syscall === "pread" && MEDIUM_ERRORS.includes(error.code)) return undefined;
    return explainFailure(error, endpoint, provider, expected);
  }
}

/** What a failed transfer between an endpoint's drive and a provider's memory means, in words. */
export function explainFailure(
  error: SyscallError,
  endpoint: Endpoint,
  provider: Provider,
  expected: Expectation | undefined,
): string {
  const client = endpoint.device?.client ?? endpoint.path;
  const isTransfer = error.syscall === "pread" || error.syscall === "pwrite";
  if (isTransfer && REFUSALS.includes(error.code)) {
    const why = expected?.verdict.mapType === "NOT_SUPPORTED" ? ` (${expected.reason})` : "";
    return `the kernel refuses DMA between ${client} (${endpoint.device?.name}) and p2pmem of ${provider.bdf} (${provider.name}): ${error.code}${why}`;
  }
  if (isTransfer && error.code === "EIO") {
    const what = error.syscall === "pread" ? "a read into" : "a write from";
    return `${client} (${endpoint.device?.name}) failed ${what} p2pmem of ${provider.bdf}: its CMB may not take data, or the medium is bad`;
  }
  return `${error.syscall} of ${error.target}: ${error.code}`;
}
