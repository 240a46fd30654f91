// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import { identifyNamespace, type NamespaceIdentity, type NvmeEnvironment } from "./identify.ts";

/** Where NVMe commands for an end of a copy go. */
export interface NamespaceTarget {
  /** `/dev/ng0n1` */
  readonly charDevice: string;
  readonly nsid: number;
  readonly lbaBytes: number;
  /** Where the end begins on its namespace: a partition's start. */
  readonly baseBytes: bigint;
  /** Most bytes of one command, a multiple of lbaBytes: what the drive takes, and what the kernel sends at once. */
  readonly maxBytes: number;
}

/** The Number of Logical Blocks field has 16 bits and counts from 0. */
const MOST_LBAS = 65536;
const PAGE_BYTES = 4096;

/**
 * What is needed to send NVMe commands to an end of a copy, or the reason in words why none can be sent.
 * @param unfit why the namespace is not fit for these commands; undefined when it is
 */
export function namespaceTargetOf(
  env: NvmeEnvironment,
  endpoint: Endpoint,
  unfit: (disk: string, identity: NamespaceIdentity) => string | undefined,
): NamespaceTarget | string {
  const { device, kind, path } = endpoint;
  if (kind === "file") return `"${path}" is a file: NVMe commands name LBAs, not files`;
  if (!device) return `"${path}" is no NVMe namespace`;
  const identity = identifyNamespace(env, device.disk);
  if (typeof identity === "string") return identity;
  const { charDevice } = identity;
  const problem = unfit(device.disk, identity);
  if (problem !== undefined || charDevice === undefined) return problem ?? noCharDevice(device.disk);
  return {
    charDevice,
    nsid: identity.nsid,
    lbaBytes: identity.lbaBytes,
    baseBytes: device.startBytes,
    maxBytes: mostBytes(env, device.disk, identity),
  };
}

export function noCharDevice(disk: string): string {
  return `"${disk}" has no character device for passthrough: /dev/${disk.replace(/^nvme/, "ng")}, of Linux 5.13 and newer`;
}

/** The kernel splits no passthrough command: beyond its own limits it refuses it. */
function mostBytes({ sys }: NvmeEnvironment, disk: string, identity: NamespaceIdentity): number {
  const queue = `/sys/class/block/${disk}/queue`;
  const limit = (file: string, unit: number) =>
    Number(sys.integer(`${queue}/${file}`) ?? 0n) * unit || Infinity;
  const least = Math.min(
    identity.mdtsBytes ?? Infinity,
    limit("max_hw_sectors_kb", 1024),
    limit("max_segments", PAGE_BYTES),
    MOST_LBAS * identity.lbaBytes,
  );
  return Math.max(identity.lbaBytes, least - (least % identity.lbaBytes));
}
