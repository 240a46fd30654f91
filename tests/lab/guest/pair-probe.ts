// SPDX-License-Identifier: MIT
// What really becomes of a pair: one page of the provider's memory, one block read into it by the client's drive.
import { constants, readFileSync } from "node:fs";
import { stageInP2pmem } from "../../../core/p2pmem/staging.ts";
import type { Device } from "../../../core/topo/index.ts";
import { type MemoryRange, native, SyscallError } from "../../../ffi/index.ts";
import { readMedium } from "./media.ts";

export interface Seen {
  /** `lost`: the kernel mapped the pair and the read ended well, but the data are not there. */
  readonly outcome: "works" | "refused" | "lost" | "failed";
  readonly detail: string;
}

const BLOCK = 4096;
const FILLING = 0xa5;
const PAGE_FILE = "/run/p2pdma/page";
/** EREMOTEIO up to Linux 6.16, EINVAL from 6.17. */
const REFUSALS = ["EREMOTEIO", "EINVAL"];

export function probePair(provider: Device, client: Device): Seen {
  const [namespace] = client.controller?.namespaces ?? [];
  if (!provider.provider || !namespace) return { outcome: "failed", detail: "no provider or no namespace" };
  const path = `/dev/${namespace.name}`;
  const staging = stageInP2pmem(native, provider.provider, BLOCK, 1, "sysfs");
  try {
    const [slot] = staging.slots;
    if (!slot) throw new Error("no slot");
    native.fill(staging.mapping, FILLING);
    readInto(path, slot);
    const isThere = contentOf(slot).equals(readMedium(path, 0n, BLOCK));
    return { outcome: isThere ? "works" : "lost", detail: "" };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const isRefused = error.syscall === "pread" && REFUSALS.includes(error.code);
    return { outcome: isRefused ? "refused" : "failed", detail: `${error.syscall}: ${error.code}` };
  } finally {
    staging.close();
  }
}

function readInto(path: string, slot: MemoryRange): void {
  const file = native.open(path, constants.O_RDONLY | constants.O_DIRECT);
  try {
    native.readFully(file, slot, 0n);
  } finally {
    native.close(file);
  }
}

/** By the CPU, through an ordinary file: the only way to see p2pmem that does not trust any DMA. */
function contentOf(slot: MemoryRange): Buffer {
  const file = native.open(PAGE_FILE, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    native.writeFully(file, slot, 0n);
  } finally {
    native.close(file);
  }
  return readFileSync(PAGE_FILE);
}
