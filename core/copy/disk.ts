// SPDX-License-Identifier: MIT
import { basename, dirname } from "node:path";
import type { Bdf } from "../pci/bdf.ts";
import { pciFunctionOf } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";

/** Names that stay the same across boots, as far as the device tells them. */
export interface Identity {
  readonly model: string | undefined;
  readonly serial: string | undefined;
  /** NGUID, EUI-64 or UUID form, as the kernel spells it. */
  readonly wwid: string | undefined;
}

/** A block device, or the part of one that a partition is. */
export interface BlockDevice {
  /** Kernel name: `nvme0n1`, `nvme0n1p2`. */
  readonly name: string;
  /** `259:3` */
  readonly number: string;
  /** The whole disk it belongs to; the same name for a whole disk. */
  readonly disk: string;
  /** Where it starts on the disk, in bytes; 0 for a whole disk. */
  readonly startBytes: bigint;
  readonly sizeBytes: bigint;
  readonly logicalBlockBytes: number;
  readonly isReadOnly: boolean;
  /** Devices it is stacked on (dm, md); empty for a plain one. */
  readonly slaves: readonly string[];
  /** PCI function that does the DMA; undefined for loop, dm, fabrics and the like. */
  readonly client: Bdf | undefined;
  readonly identity: Identity;
}

/** Splits a Linux dev_t into `major:minor`. */
export function deviceNumber(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** Reads a block device by number; undefined when there is none (a network or virtual file system, say). */
export function readBlockDevice(sys: SystemView, number: string): BlockDevice | undefined {
  const at = sys.resolve(`/sys/dev/block/${number}`);
  if (!at) return undefined;
  const disk = sys.exists(`${at}/partition`) ? dirname(at) : at;
  const whole = sys.exists(`${disk}/device`) || sys.exists(`${disk}/queue`) ? disk : at;
  return {
    name: basename(at),
    number,
    disk: basename(whole),
    startBytes: (sys.integer(`${at}/start`) ?? 0n) * 512n,
    sizeBytes: (sys.integer(`${at}/size`) ?? 0n) * 512n,
    logicalBlockBytes: Number(sys.integer(`${whole}/queue/logical_block_size`) ?? 512n),
    isReadOnly: sys.text(`${at}/ro`) === "1",
    slaves: sys.list(`${whole}/slaves`),
    client: pciFunctionOf(whole),
    identity: readIdentity(sys, whole),
  };
}

function readIdentity(sys: SystemView, disk: string): Identity {
  const field = (...files: string[]) =>
    files.map((file) => sys.text(`${disk}/${file}`)?.trim()).find((text) => text);
  return {
    model: field("device/model"),
    serial: field("device/serial", "serial"),
    wwid: field("wwid", "device/wwid"),
  };
}
