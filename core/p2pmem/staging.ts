// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type Mapping, type MemoryRange, type Native, PAGE_BYTES, SyscallError } from "../../ffi/index.ts";
import { noPeerToPeer, P2pdmaError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { Allocator, AllocatorKind, Provider } from "./providers.ts";
import { judgeResidency, type Residency } from "./residency.ts";

/** Memory a copy goes through, cut into equal slots. Close it to give the memory back. */
export interface StagingBuffer {
  readonly mapping: Mapping;
  readonly slots: readonly MemoryRange[];
  /** Undefined for RAM. */
  readonly provider: Provider | undefined;
  readonly allocator: Allocator | undefined;
  readonly residency: Residency | undefined;
  /** More memory, of other providers, that every other slot lies in. */
  readonly beside?: readonly StagingBuffer[];
  close(): void;
}

/** Slots in aligned RAM. */
export function stageInRam(native: Native, chunkBytes: number, depth: number): StagingBuffer {
  const mapping = native.mapRam(roundToPage(chunkBytes) * depth);
  return {
    mapping,
    slots: cutSlots(mapping, chunkBytes, depth),
    provider: undefined,
    allocator: undefined,
    residency: undefined,
    close: () => mapping.close(),
  };
}

/**
 * Slots in a provider's p2pmem, with the proof where they are.
 * @param kind which allocator; undefined takes the first that is there.
 * @throws P2pdmaError NO_P2PMEM when it can't be had, NOT_RESIDENT when the pages are not in the provider's BAR.
 */
export function stageInP2pmem(
  native: Native,
  provider: Provider,
  chunkBytes: number,
  depth: number,
  kind?: AllocatorKind,
): StagingBuffer {
  const allocator = provider.allocators.find((candidate) => !kind || candidate.kind === kind);
  if (!allocator) throw noAllocator(provider, kind);
  const mapping = allocate(native, provider, allocator, roundToPage(chunkBytes) * depth);
  try {
    const residency = judgeResidency(native.pageFrames(mapping), provider.resources, PAGE_BYTES);
    if (residency.checked && !residency.inside) throw notResident(provider, allocator);
    const slots = cutSlots(mapping, chunkBytes, depth);
    return { mapping, slots, provider, allocator, residency, close: () => mapping.close() };
  } catch (error) {
    mapping.close();
    throw error;
  }
}

/**
 * Maps one page for a moment to tell whether an allocator really hands out p2pmem.
 * @returns undefined when it does, else the kernel's word.
 */
export function probeAllocator(native: Native, provider: Provider, allocator: Allocator): string | undefined {
  try {
    allocate(native, provider, allocator, PAGE_BYTES).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof P2pdmaError)) throw error;
    return error.cause instanceof SyscallError ? error.cause.code : error.message;
  }
}

/** The character device of kernels with the 2022 series allocates at first touch, so it is touched here. */
function allocate(native: Native, provider: Provider, allocator: Allocator, lengthBytes: number): Mapping {
  try {
    const file = native.open(allocator.path, constants.O_RDWR);
    let mapping: Mapping | undefined;
    try {
      mapping = native.mapShared(file.fd, lengthBytes, allocator.path);
      if (allocator.kind === "chardev") native.prefault(mapping);
      return mapping;
    } catch (error) {
      mapping?.close();
      throw error;
    } finally {
      native.close(file);
    }
  } catch (error) {
    throw error instanceof SyscallError ? allocationError(provider, allocator, lengthBytes, error) : error;
  }
}

function allocationError(
  provider: Provider,
  allocator: Allocator,
  lengthBytes: number,
  cause: SyscallError,
): P2pdmaError {
  const what = `Cannot map p2pmem of "${provider.bdf}" (${provider.name}) through ${allocator.path}`;
  switch (cause.code) {
    case "ENOMEM":
      return noPeerToPeer(
        "NO_P2PMEM",
        `${what}: asked ${formatBytes(lengthBytes)}, available ${formatBytes(provider.availableBytes)}`,
        {
          cause,
          hint: "lower --depth or --chunk, name another --provider, or end the process that holds it",
        },
      );
    case "ENODEV":
    case "ENOTSUP":
      return noPeerToPeer("NO_P2PMEM", `${what}: this kernel offers none there (${cause.code})`, {
        cause,
        hint: "needs Linux >= 6.2 with CONFIG_PCI_P2PDMA, or the character-device series",
      });
    case "EACCES":
    case "EPERM":
      return noPeerToPeer("NO_P2PMEM", `${what}: permission denied`, {
        cause,
        hint: "run as root, or give the file to your group with a udev rule",
      });
    default:
      return noPeerToPeer("NO_P2PMEM", `${what}: ${cause.message}`, { cause });
  }
}

function noAllocator(provider: Provider, kind: AllocatorKind | undefined): P2pdmaError {
  const what = kind === "chardev" ? "no NVMe character device" : "no p2pmem/allocate file";
  return noPeerToPeer(
    "NO_P2PMEM",
    `Cannot map p2pmem of "${provider.bdf}" (${provider.name}): it has ${what}`,
    {
      hint: "p2pmem/allocate needs Linux >= 6.2 with CONFIG_PCI_P2PDMA",
    },
  );
}

function notResident(provider: Provider, allocator: Allocator): P2pdmaError {
  return noPeerToPeer(
    "NOT_RESIDENT",
    `Memory mapped from ${allocator.path} is not inside a BAR of "${provider.bdf}": refusing to call it p2pmem`,
  );
}

/** Slots of one chunk each, every one on a page of its own. */
export function cutSlots(mapping: Mapping, chunkBytes: number, depth: number): MemoryRange[] {
  const stride = roundToPage(chunkBytes);
  return Array.from({ length: depth }, (_, slot) => ({
    mapping,
    offsetBytes: slot * stride,
    lengthBytes: chunkBytes,
  }));
}

function roundToPage(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
