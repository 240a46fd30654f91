// SPDX-License-Identifier: MIT
import type { Native } from "../ffi/index.ts";
import { type BlockUse, findUses } from "./copy/in-use.ts";
import { listControllers, type NvmeController } from "./nvme/controllers.ts";
import { listProviders, type Provider } from "./p2pmem/providers.ts";
import { probeAllocator } from "./p2pmem/staging.ts";
import { type PciFunction, type PciLink, type PciTree, readPciTree } from "./pci/tree.ts";
import type { SystemView } from "./sysfs.ts";

/** Byte counts are strings, as they can pass 2^53; null where there is no such thing. */
export interface Inventory {
  readonly schema: "p2pdma.list/1";
  readonly controllers: readonly ListedController[];
  readonly providers: readonly ListedProvider[];
}

export interface ListedController {
  readonly name: string;
  readonly pciAddress: string | null;
  readonly transport: string;
  readonly state: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  readonly hasCmb: boolean;
  /** Size and free part of its p2pmem. */
  readonly p2pmem: { readonly sizeBytes: string; readonly availableBytes: string } | null;
  readonly link: PciLink | null;
  readonly numaNode: number | null;
  readonly iommuGroup: string | null;
  readonly namespaces: readonly {
    readonly path: string;
    readonly nsid: number;
    readonly sizeBytes: string;
    readonly lbaSizeBytes: number;
    readonly wwid: string | null;
    readonly uses: readonly BlockUse[];
  }[];
}

export interface ListedProvider {
  readonly bdf: string;
  readonly name: string;
  readonly driver: string | null;
  readonly sizeBytes: string;
  readonly availableBytes: string;
  readonly isPublished: boolean;
  /** `works`, the errno of mapping one page, or `not tried` where nothing may be mapped. */
  readonly allocators: readonly { readonly kind: string; readonly path: string; readonly status: string }[];
}

/**
 * What there is to copy and to copy through.
 * @param native tries each allocator with one page; undefined for a machine that is not this one.
 */
export function takeInventory(sys: SystemView, native: Native | undefined): Inventory {
  const tree = readPciTree(sys);
  const providers = listProviders(sys);
  return {
    schema: "p2pdma.list/1",
    controllers: listControllers(sys).map((controller) => listController(sys, tree, providers, controller)),
    providers: providers.map((provider) => listProvider(native, tree, provider)),
  };
}

function listController(
  sys: SystemView,
  tree: PciTree,
  providers: readonly Provider[],
  controller: NvmeController,
): ListedController {
  const { bdf, namespaces, ...rest } = controller;
  const memory = providers.find((provider) => provider.bdf === bdf);
  return {
    ...rest,
    ...placeOf(bdf && tree.functions.get(bdf)),
    pciAddress: bdf ?? null,
    p2pmem: memory ? sizesOf(memory) : null,
    namespaces: namespaces.map(({ name, nsid, sizeBytes, lbaSizeBytes, wwid }) => ({
      ...{ path: `/dev/${name}`, nsid, sizeBytes: sizeBytes.toString(), lbaSizeBytes, wwid: wwid ?? null },
      uses: findUses(sys, name, name),
    })),
  };
}

function placeOf(found: PciFunction | undefined): Pick<ListedController, "link" | "numaNode" | "iommuGroup"> {
  return {
    link: found?.link ?? null,
    numaNode: found?.numaNode ?? null,
    iommuGroup: found?.iommuGroup ?? null,
  };
}

function sizesOf({ sizeBytes, availableBytes }: Provider): { sizeBytes: string; availableBytes: string } {
  return { sizeBytes: sizeBytes.toString(), availableBytes: availableBytes.toString() };
}

function listProvider(native: Native | undefined, tree: PciTree, provider: Provider): ListedProvider {
  return {
    ...{ bdf: provider.bdf, name: provider.name, isPublished: provider.isPublished },
    driver: tree.functions.get(provider.bdf)?.driver ?? null,
    ...sizesOf(provider),
    allocators: provider.allocators.map((allocator) => ({
      ...allocator,
      status: native ? (probeAllocator(native, provider, allocator) ?? "works") : "not tried",
    })),
  };
}
