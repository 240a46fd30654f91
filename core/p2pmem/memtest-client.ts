// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type MemoryRange, type Native, O_DIRECT } from "../../ffi/index.ts";
import { expectOf } from "../copy/candidates.ts";
import { type Endpoint, readSource } from "../copy/endpoint.ts";
import { probePeer } from "../copy/probe.ts";
import { noPeerToPeer, usageError } from "../errors.ts";
import { listControllers, type NvmeController } from "../nvme/controllers.ts";
import { parseBdf } from "../pci/bdf.ts";

import type { SystemView } from "../sysfs.ts";
import { readMachine } from "../topo/index.ts";
import type { DmaClient } from "./memtest-dma.ts";
import type { Provider } from "./providers.ts";

/** A drive that was seen to do DMA into the provider's memory. */
export interface FoundClient extends DmaClient {
  readonly endpoint: Endpoint;
  close(): void;
}

/**
 * Opens the drive that shall do the DMA.
 * @param wanted a block device, a controller or its PCI address.
 * @param slot p2pmem of the provider, at least a block long, to try it with.
 * @throws P2pdmaError P2P_REFUSED when the kernel does not let it, USAGE when it is no drive.
 */
export function openClient(
  sys: SystemView,
  native: Native,
  provider: Provider,
  slot: MemoryRange,
  wanted: string,
): FoundClient {
  const path = blockDeviceOf(listControllers(sys), wanted);
  const endpoint = readSource(sys, native, path);
  if (endpoint.kind !== "block") throw usageError(`--dma-from: "${wanted}" is no block device`);
  const problem = problemOf(sys, native, endpoint, provider, slot);
  if (!problem) return openEndpoint(native, endpoint);
  throw noPeerToPeer("P2P_REFUSED", `Cannot test by DMA from "${wanted}": ${problem}`, {
    hint: "name another drive with --dma-from, or test by CPU alone: --by cpu",
  });
}

/**
 * The same with the first drive that can: the provider itself before all others.
 * @returns why none can, in words, when there is none.
 */
export function findClient(
  sys: SystemView,
  native: Native,
  provider: Provider,
  slot: MemoryRange,
): FoundClient | string {
  const reasons: string[] = [];
  const controllers = listControllers(sys).filter(({ bdf }) => bdf !== undefined);
  const own = controllers.filter(({ bdf }) => bdf === provider.bdf);
  const others = controllers.filter(({ bdf }) => bdf !== provider.bdf);
  for (const path of [...own, ...others].flatMap(pathsOf)) {
    const endpoint = readSource(sys, native, path);
    const problem = problemOf(sys, native, endpoint, provider, slot);
    if (!problem) return openEndpoint(native, endpoint);
    reasons.push(problem);
  }
  return reasons[0] ?? "there is no NVMe drive on PCI to do the DMA";
}

/** Why the drive can't do DMA into the provider's memory, by the kernel's own word. */
function problemOf(
  sys: SystemView,
  native: Native,
  endpoint: Endpoint,
  provider: Provider,
  slot: MemoryRange,
): string | undefined {
  if (endpoint.peerProblem) return endpoint.peerProblem;
  const expected = expectOf(readMachine(sys), provider, endpoint.device?.client);
  return probePeer(native, endpoint, provider, slot, expected);
}

function openEndpoint(native: Native, endpoint: Endpoint): FoundClient {
  const file = native.open(endpoint.path, constants.O_RDONLY | O_DIRECT);
  const { sizeBytes, blockBytes } = endpoint;
  return { file, sizeBytes, blockBytes, endpoint, close: () => native.close(file) };
}

/** First namespace of a controller; a path stays what it is. */
function blockDeviceOf(controllers: readonly NvmeController[], wanted: string): string {
  const name = wanted.replace(/^\/dev\//, "");
  const address = parseBdf(wanted);
  const controller = controllers.find((known) => known.name === name || (address && known.bdf === address));
  if (!controller) return wanted.includes("/") || address ? wanted : `/dev/${wanted}`;
  const [path] = pathsOf(controller);
  if (path) return path;
  throw noPeerToPeer("P2P_REFUSED", `Cannot test by DMA from "${wanted}": it has no namespace to read`);
}

function pathsOf({ namespaces }: NvmeController): string[] {
  return namespaces.map(({ name }) => `/dev/${name}`);
}
