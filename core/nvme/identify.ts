// SPDX-License-Identifier: MIT

import { constants } from "node:fs";
import { basename, dirname } from "node:path";
import { type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import { pciFunctionOf } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";
import { readCmbRegisters } from "./cmb-registers.ts";
import { describeStatus } from "./status.ts";

/** The machine; passed in, so that a saved tree can stand in for sysfs. */
export interface NvmeEnvironment {
  readonly sys: SystemView;
  readonly native: Native;
}

/** What a drive says about one of its namespaces. */
export interface NamespaceIdentity {
  /** `/dev/ng0n1`; undefined where there is none (kernels before 5.13, some containers). */
  readonly charDevice: string | undefined;
  readonly nsid: number;
  readonly sizeLbas: bigint;
  readonly lbaBytes: number;
  /** Bytes of metadata with each LBA; 0 for none. */
  readonly metadataBytes: number;
  /** Commands that the controller has (ONCS). */
  readonly oncs: {
    readonly compare: boolean;
    readonly datasetManagement: boolean;
    readonly writeZeroes: boolean;
    readonly verify: boolean;
    readonly copy: boolean;
  };
  /** The controller has the admin command Get LBA Status. */
  readonly hasLbaStatus: boolean;
  /** Largest transfer of one command in bytes; undefined when there is no limit. */
  readonly mdtsBytes: number | undefined;
  readonly copyLimits: CopyLimits;
  /** DLFEAT: what a deallocated LBA reads as. */
  readonly deallocatedReads: "zeroes" | "ones" | "not told";
  /** DLFEAT: Write Zeroes may deallocate. */
  readonly canDeallocateByWriteZeroes: boolean;
  /** 32 hexadecimal digits; undefined when it is all zeroes, which means not told. */
  readonly nguid: string | undefined;
  /** 16 hexadecimal digits. */
  readonly eui64: string | undefined;
}

/** What one Copy command may hold. A drive that allows no LBA at all can't copy, whatever ONCS says. */
export interface CopyLimits {
  /** MSSRL: LBAs in one source range. */
  readonly rangeLbas: number;
  /** MCL: LBAs in one command. */
  readonly commandLbas: number;
  /** MSRC: source ranges in one command, counted from 1. */
  readonly ranges: number;
  /** OCFS: the drive takes source range descriptors of format 0. */
  readonly hasFormat0: boolean;
}

const IDENTIFY = 0x06;
const CNS_NAMESPACE = 0x00;
const CNS_CONTROLLER = 0x01;
const IDENTIFY_BYTES = 4096;
/** Also the least that CAP.MPSMIN can say, so never too much where it can't be read. */
const LEAST_PAGE_BYTES = 4096;

/**
 * Asks the drive about the namespace behind a block device (or the disk of a partition).
 * @param blockName the kernel's name: `nvme0n1`, `nvme0n1p2`.
 * @returns the reason in words when it is no NVMe namespace, or asking is not permitted.
 */
export function identifyNamespace(env: NvmeEnvironment, blockName: string): NamespaceIdentity | string {
  const disk = diskOf(env.sys, blockName);
  const nsid = env.sys.integer(`/sys/class/block/${disk}/nsid`);
  if (nsid === undefined) return `"${blockName}" is no NVMe namespace`;
  const charDevice = charDeviceOf(env.sys, disk);
  try {
    const file = env.native.open(charDevice ?? `/dev/${disk}`, constants.O_RDONLY);
    try {
      return ask(env, file, disk, charDevice, Number(nsid));
    } finally {
      env.native.close(file);
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return refusal(disk, error);
  }
}

/** The whole disk's kernel name. */
function diskOf(sys: SystemView, blockName: string): string {
  const at = sys.resolve(`/sys/class/block/${blockName}`) ?? blockName;
  return basename(sys.exists(`${at}/partition`) ? dirname(at) : at);
}

function charDeviceOf(sys: SystemView, disk: string): string | undefined {
  const name = disk.replace(/^nvme/, "ng");
  // A container may be given the block device alone.
  const isThere = sys.exists(`/sys/class/nvme-generic/${name}`) && sys.exists(`/dev/${name}`);
  return isThere ? `/dev/${name}` : undefined;
}

function refusal(disk: string, error: SyscallError): string {
  if (error.code === "EACCES" || error.code === "EPERM") {
    return `"${disk}" can't be asked what it supports: not permitted (needs CAP_SYS_ADMIN)`;
  }
  return `"${disk}" can't be asked what it supports: ${error.message}`;
}

function ask(
  env: NvmeEnvironment,
  file: OpenFile,
  disk: string,
  charDevice: string | undefined,
  nsid: number,
): NamespaceIdentity | string {
  const [controller, namespace] = [Buffer.alloc(IDENTIFY_BYTES), Buffer.alloc(IDENTIFY_BYTES)];
  const status =
    env.native.nvmeAdminCommand(file, { opcode: IDENTIFY, cdw10: CNS_CONTROLLER, data: controller }) ||
    env.native.nvmeAdminCommand(file, { opcode: IDENTIFY, nsid, cdw10: CNS_NAMESPACE, data: namespace });
  if (status !== 0) return `"${disk}" refused Identify: ${describeStatus(status)}`;
  return { charDevice, nsid, ...decodeIdentity(controller, namespace, pageBytes(env, disk)) };
}

/** CAP.MPSMIN, the unit of MDTS, from the controller's registers. */
function pageBytes({ sys, native }: NvmeEnvironment, disk: string): number {
  const bdf = pciFunctionOf(sys.resolve(`/sys/class/block/${disk}`) ?? "");
  const cap = bdf && readCmbRegisters(sys, bdf, undefined, native).registers.cap;
  return cap === undefined ? LEAST_PAGE_BYTES : LEAST_PAGE_BYTES << Number((cap >> 48n) & 0xfn);
}

/**
 * Puts the two data structures into words. Offsets: NVM Express Base Specification 2.0, figure 275 (Identify
 * Controller); NVM Command Set Specification 1.0, figure 97 (Identify Namespace) and figure 98 (LBA format).
 * @param minPageBytes CAP.MPSMIN in bytes, the unit of MDTS.
 */
export function decodeIdentity(
  controller: Buffer,
  namespace: Buffer,
  minPageBytes: number,
): Omit<NamespaceIdentity, "charDevice" | "nsid"> {
  const mdts = controller.readUInt8(77);
  const oncs = controller.readUInt16LE(520);
  const format = 128 + 4 * formatIndex(namespace.readUInt8(26));
  const dlfeat = namespace.readUInt8(33);
  return {
    sizeLbas: namespace.readBigUInt64LE(0),
    lbaBytes: 2 ** namespace.readUInt8(format + 2),
    metadataBytes: namespace.readUInt16LE(format),
    oncs: {
      compare: bit(oncs, 0),
      datasetManagement: bit(oncs, 2),
      writeZeroes: bit(oncs, 3),
      verify: bit(oncs, 7),
      copy: bit(oncs, 8),
    },
    hasLbaStatus: bit(controller.readUInt16LE(256), 9),
    mdtsBytes: mdts === 0 ? undefined : minPageBytes * 2 ** mdts,
    copyLimits: {
      rangeLbas: namespace.readUInt16LE(74),
      commandLbas: namespace.readUInt32LE(76),
      ranges: namespace.readUInt8(80) + 1,
      hasFormat0: bit(controller.readUInt16LE(534), 0),
    },
    deallocatedReads: (["not told", "zeroes", "ones"] as const)[dlfeat & 0x7] ?? "not told",
    canDeallocateByWriteZeroes: bit(dlfeat, 3),
    nguid: identifier(namespace.subarray(104, 120)),
    eui64: identifier(namespace.subarray(120, 128)),
  };
}

/** FLBAS: bits 3:0, and above them bits 6:5 where a drive has more than 16 formats. */
function formatIndex(flbas: number): number {
  return (flbas & 0xf) | ((flbas & 0x60) >> 1);
}

function identifier(bytes: Buffer): string | undefined {
  return bytes.some((byte) => byte !== 0) ? bytes.toString("hex") : undefined;
}

function bit(value: number, number: number): boolean {
  return ((value >> number) & 1) === 1;
}
