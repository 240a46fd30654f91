// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import { identifyNamespace, type NamespaceIdentity, type NvmeEnvironment } from "./identify.ts";

/** Where Compare commands for an end of a copy go. */
export interface CompareTarget {
  /** `/dev/ng0n1` */
  readonly charDevice: string;
  readonly nsid: number;
  readonly lbaBytes: number;
  /** Where the end begins on its namespace: a partition's start. */
  readonly baseBytes: bigint;
  /** Most bytes of one command, a multiple of lbaBytes: what the drive takes, and what the kernel sends at once. */
  readonly maxBytes: number;
}

/** Compare's Number of Logical Blocks field has 16 bits and counts from 0. */
const MOST_LBAS = 65536;
const PAGE_BYTES = 4096;

/** What is needed to let the drive itself compare, or the reason in words why it can't. */
export function compareTargetOf(env: NvmeEnvironment, endpoint: Endpoint): CompareTarget | string {
  const { device, kind, path } = endpoint;
  if (kind === "file") return `"${path}" is a file: a drive compares LBAs, not files`;
  if (!device) return `"${path}" is no NVMe namespace`;
  const identity = identifyNamespace(env, device.disk);
  if (typeof identity === "string") return identity;
  const { charDevice } = identity;
  const problem = compareProblem(device.disk, identity);
  if (problem !== undefined || charDevice === undefined) return problem ?? noCharDevice(device.disk);
  return {
    charDevice,
    nsid: identity.nsid,
    lbaBytes: identity.lbaBytes,
    baseBytes: device.startBytes,
    maxBytes: mostBytes(env, device.disk, identity),
  };
}

/** Why the drive can't compare plain data; undefined when it can. */
export function compareProblem(disk: string, identity: NamespaceIdentity): string | undefined {
  if (!identity.oncs.compare) return `"${disk}" has no Compare command`;
  if (identity.metadataBytes > 0) {
    return `"${disk}" keeps ${identity.metadataBytes} bytes of metadata with each LBA, which Compare would include`;
  }
  return identity.charDevice === undefined ? noCharDevice(disk) : undefined;
}

function noCharDevice(disk: string): string {
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
