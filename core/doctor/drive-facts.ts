// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import { findMappedAreas, type Holder, listHolders } from "../nvme/cmb-holders.ts";
import { type CmbReport, reportCmbs } from "../nvme/cmb-report.ts";
import { listControllers, type NvmeController } from "../nvme/controllers.ts";
import { listProviders, type Provider } from "../p2pmem/providers.ts";
import type { Bdf } from "../pci/bdf.ts";
import type { PciFunction, PciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";

/** A provider's memory, and where it went. */
export interface PoolFacts {
  readonly provider: Provider;
  /** By nvme.use_cmb_sqes; undefined where the driver does not tell. */
  readonly queueBytes: bigint | undefined;
  /** Processes with pieces of it; other users' are seen by root only. */
  readonly holders: readonly Holder[];
}

/** A namespace whose device node is a multipath head: the path to it is hidden. */
export interface MultipathHead {
  /** `nvme0n1` */
  readonly name: string;
  /** Those that lead to it. */
  readonly controllers: readonly NvmeController[];
}

export interface DriveFacts {
  /** All of them, fabrics included. */
  readonly controllers: readonly NvmeController[];
  readonly cmbs: readonly CmbReport[];
  readonly pools: readonly PoolFacts[];
  readonly heads: readonly MultipathHead[];
  /** NVMe functions that the kernel's driver has not got. */
  readonly strays: readonly PciFunction[];
  /** Bytes of metadata with each block, by namespace; only those that have some. */
  readonly metadataBytes: ReadonlyMap<string, number>;
}

const NVME_CLASS = 0x0108;
const QUEUE_ENTRY_BYTES = 64n;
const PAGE_BYTES = 4096n;

/** @param native reads registers in BARs; undefined for a capture. */
export function readDriveFacts(view: SystemView, tree: PciTree, native: Native | undefined): DriveFacts {
  const controllers = listControllers(view);
  const cmbs = reportCmbs(view, native, []);
  const bound = new Set(controllers.map(({ bdf }) => bdf));
  return {
    controllers,
    cmbs,
    pools: listProviders(view).map((provider) => readPool(view, provider, cmbs, native, controllers)),
    heads: readHeads(view, controllers),
    strays: [...tree.functions.values()].filter(
      ({ bdf, classCode }) => classCode >> 8 === NVME_CLASS && !bound.has(bdf),
    ),
    metadataBytes: readMetadata(view, controllers),
  };
}

function readPool(
  view: SystemView,
  provider: Provider,
  cmbs: readonly CmbReport[],
  native: Native | undefined,
  controllers: readonly NvmeController[],
): PoolFacts {
  const report = cmbs.find(({ bdf }) => bdf === provider.bdf);
  const name = controllers.find(({ bdf }) => bdf === provider.bdf)?.name;
  return {
    provider,
    queueBytes: readQueueBytes(view, provider.bdf, name, cmbs),
    holders: report?.p2pmem?.holders ?? findHolders(view, provider, native),
  };
}

/** Of a provider that is no NVMe drive. */
function findHolders(view: SystemView, provider: Provider, native: Native | undefined): readonly Holder[] {
  if (!native || provider.availableBytes === provider.sizeBytes) return [];
  return listHolders(view, native, provider.bdf, findMappedAreas(view));
}

/** nvme_alloc_sq_cmds(): every queue but the administrator's, each on pages of its own. */
function readQueueBytes(
  view: SystemView,
  bdf: Bdf,
  controller: string | undefined,
  cmbs: readonly CmbReport[],
): bigint | undefined {
  const p2pmem = cmbs.find((report) => report.bdf === bdf)?.p2pmem;
  if (controller === undefined || p2pmem?.queuesInCmb === false) return 0n;
  const at = `/sys/class/nvme/${controller}`;
  const [count, depth] = [view.integer(`${at}/queue_count`), view.integer(`${at}/sqsize`)];
  if (count === undefined || depth === undefined || count < 1n) return undefined;
  const queue = (((depth + 1n) * QUEUE_ENTRY_BYTES + PAGE_BYTES - 1n) / PAGE_BYTES) * PAGE_BYTES;
  return (count - 1n) * queue;
}

function readHeads(view: SystemView, controllers: readonly NvmeController[]): MultipathHead[] {
  const heads = new Map<string, NvmeController[]>();
  for (const controller of controllers) {
    for (const entry of view.list(`/sys/class/nvme/${controller.name}`)) {
      const [, subsystem, nsid] = /^nvme(\d+)c\d+n(\d+)$/.exec(entry) ?? [];
      if (subsystem === undefined) continue;
      const head = `nvme${subsystem}n${nsid}`;
      heads.set(head, [...(heads.get(head) ?? []), controller]);
    }
  }
  return [...heads].map(([name, paths]) => ({ name, controllers: paths }));
}

/** `metadata_bytes` came with 6.8; before, integrity has it where the kernel can use it. */
function readMetadata(view: SystemView, controllers: readonly NvmeController[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { name } of controllers.flatMap(({ namespaces }) => namespaces)) {
    const at = `/sys/class/block/${name}`;
    const bytes = view.integer(`${at}/metadata_bytes`) ?? view.integer(`${at}/integrity/tuple_size`) ?? 0n;
    if (bytes > 0n) found.set(name, Number(bytes));
  }
  return found;
}
