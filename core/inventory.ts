// SPDX-License-Identifier: MIT
import type { Native } from "../ffi/index.ts";
import { listControllers, type NvmeController } from "./nvme/controllers.ts";
import { listProviders, type Provider } from "./p2pmem/providers.ts";
import { probeAllocator } from "./p2pmem/staging.ts";
import type { SystemView } from "./sysfs.ts";

/** Byte counts are strings, as they can pass 2^53. */
export interface Inventory {
  readonly schema: "p2pdma.list/1";
  readonly controllers: readonly ListedController[];
  readonly providers: readonly ListedProvider[];
}

export interface ListedController {
  readonly name: string;
  readonly pciAddress: string | null;
  readonly transport: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  readonly hasCmb: boolean;
  readonly namespaces: readonly {
    readonly path: string;
    readonly nsid: number;
    readonly sizeBytes: string;
    readonly lbaSizeBytes: number;
    readonly wwid: string | null;
  }[];
}

export interface ListedProvider {
  readonly bdf: string;
  readonly name: string;
  readonly sizeBytes: string;
  readonly availableBytes: string;
  readonly isPublished: boolean;
  /** `works`, or why a page could not be mapped. */
  readonly allocators: readonly { readonly kind: string; readonly path: string; readonly status: string }[];
}

/** What there is to copy and to copy through. Each allocator is tried with one page. */
export function takeInventory(sys: SystemView, native: Native): Inventory {
  return {
    schema: "p2pdma.list/1",
    controllers: listControllers(sys).map(listController),
    providers: listProviders(sys).map((provider) => listProvider(native, provider)),
  };
}

function listController(controller: NvmeController): ListedController {
  const { bdf, namespaces, state: _, ...rest } = controller;
  return {
    ...rest,
    pciAddress: bdf ?? null,
    namespaces: namespaces.map((namespace) => ({
      path: `/dev/${namespace.name}`,
      nsid: namespace.nsid,
      sizeBytes: namespace.sizeBytes.toString(),
      lbaSizeBytes: namespace.lbaSizeBytes,
      wwid: namespace.wwid ?? null,
    })),
  };
}

function listProvider(native: Native, provider: Provider): ListedProvider {
  return {
    bdf: provider.bdf,
    name: provider.name,
    sizeBytes: provider.sizeBytes.toString(),
    availableBytes: provider.availableBytes.toString(),
    isPublished: provider.isPublished,
    allocators: provider.allocators.map((allocator) => ({
      ...allocator,
      status: probeAllocator(native, provider, allocator) ?? "works",
    })),
  };
}
