// SPDX-License-Identifier: MIT
import { type BlockDevice, readBlockDevice } from "../copy/disk.ts";
import type { Endpoint } from "../copy/endpoint.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { SystemView } from "../sysfs.ts";

/** What is written down of one end of a copy, to find it again and to know it again. Byte counts are decimal strings. */
export interface EndIdentity {
  /** How it was called then; a device may have another name now. */
  readonly path: string;
  readonly kind: "block" | "file";
  readonly sizeBytes: string;
  readonly blockBytes: number;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwid: string | null;
  /** What else tells a device that has neither of these: see aliasOf(). */
  readonly alias: string | null;
  /** Number of the partition; null for a whole disk or a file. */
  readonly partition: number | null;
  readonly startBytes: string | null;
  /** Of a file. The device number is left out: it changes across boots. */
  readonly inode: string | null;
  readonly modifiedNs: string | null;
  /** When a file was made: a new one may get the inode of one that is gone. */
  readonly bornNs: string | null;
}

export function identityOf(sys: SystemView, end: Endpoint): EndIdentity {
  const disk = end.kind === "block" ? end.device : undefined;
  return {
    path: end.path,
    kind: end.kind,
    sizeBytes: end.sizeBytes.toString(),
    blockBytes: end.blockBytes,
    model: disk?.identity.model ?? null,
    serial: disk?.identity.serial ?? null,
    wwid: disk?.identity.wwid ?? null,
    alias: disk ? aliasOf(sys, disk) : null,
    partition: disk ? partitionOf(sys, disk.name) : null,
    startBytes: disk?.startBytes.toString() ?? null,
    inode: end.inode?.split(":").at(-1) ?? null,
    modifiedNs: end.modifiedNs?.toString() ?? null,
    bornNs: end.bornNs?.toString() ?? null,
  };
}

/**
 * For a device without serial and WWID: the UUID of a dm or md device, the file behind a loop device; or else its
 * sequence number, which no other device gets before the next boot. null where there is a serial or WWID.
 */
function aliasOf(sys: SystemView, { disk, identity }: BlockDevice): string | null {
  if (identity.serial || identity.wwid) return null;
  const at = `/sys/class/block/${disk}`;
  for (const file of ["dm/uuid", "md/uuid", "loop/backing_file"]) {
    const text = sys.text(`${at}/${file}`);
    if (text) return `${file} ${text}`;
  }
  const boot = sys.text("/proc/sys/kernel/random/boot_id") ?? "unknown";
  return `diskseq ${sys.text(`${at}/diskseq`) ?? "unknown"} of boot ${boot}`;
}

/** A name for people: `/dev/nvme0n1 (serial S5X…)`. */
export function nameOf({ path, serial, wwid }: EndIdentity): string {
  const known = serial ? ` (serial ${serial})` : wwid ? ` (${wwid})` : "";
  return `${path}${known}`;
}

/**
 * Where a device with this identity is now: devices are renumbered across boots, so the path counts only for a file.
 * @throws P2pdmaError NOT_FOUND, or REFUSED_IDENTITY when several have it
 */
export function locate(sys: SystemView, wanted: EndIdentity): string {
  if (wanted.kind === "file") return wanted.path;
  const found = blockDevices(sys).filter((device) => isSameDevice(sys, device, wanted));
  const [first, second] = found;
  if (!first) {
    throw new P2pdmaError(
      "NOT_FOUND",
      ExitCode.failed,
      `Cannot find ${nameOf(wanted)}: no block device has that identity now`,
      { hint: "p2pdma list shows the drives that are there, with their serials" },
    );
  }
  if (second) {
    const names = found.map(({ name }) => `/dev/${name}`).join(", ");
    throw new P2pdmaError(
      "WRONG_IDENTITY",
      ExitCode.refused,
      `Cannot tell which is ${nameOf(wanted)}: ${names} have that identity`,
    );
  }
  return `/dev/${first.name}`;
}

function blockDevices(sys: SystemView): BlockDevice[] {
  return sys.list("/sys/class/block").flatMap((name) => {
    const number = sys.text(`/sys/class/block/${name}/dev`);
    const device = number === undefined ? undefined : readBlockDevice(sys, number);
    return device ? [device] : [];
  });
}

function isSameDevice(sys: SystemView, device: BlockDevice, wanted: EndIdentity): boolean {
  const { serial, wwid } = device.identity;
  const key = wanted.wwid ? "wwid" : wanted.serial ? "serial" : "alias";
  const has = { wwid, serial, alias: aliasOf(sys, device) };
  return has[key] === wanted[key] && partitionOf(sys, device.name) === wanted.partition;
}

function partitionOf(sys: SystemView, name: string): number | null {
  const number = sys.integer(`/sys/class/block/${name}/partition`);
  return number === undefined ? null : Number(number);
}

/** Fields that say "another device" or "not the same file any more", in words. */
const COMPARED: readonly (readonly [keyof EndIdentity, string])[] = [
  ["kind", "kind"],
  ["serial", "serial"],
  ["wwid", "WWID"],
  ["alias", "identity"],
  ["partition", "partition number"],
  ["startBytes", "start of the partition"],
  ["inode", "inode"],
  ["bornNs", "time of birth"],
];

/** Fixed for a device, not for a file. */
const COMPARED_OF_DEVICES = [
  ["blockBytes", "LBA size"],
  ["sizeBytes", "size in bytes"],
] as const;

/** What makes this end another one than it was; empty when it is the same. */
export function differences(was: EndIdentity, is: EndIdentity): string[] {
  const compared = was.kind === "block" ? [...COMPARED, ...COMPARED_OF_DEVICES] : COMPARED;
  return compared
    .filter(([field]) => was[field] !== is[field])
    .map(([field, words]) => {
      if (field === "bornNs") return "it was made anew";
      return `its ${words} was ${was[field] ?? "unknown"} and is ${is[field] ?? "unknown"}`;
    });
}

/** What changed about a source since, its size and a file's time of modification included. */
export function sourceChanges(was: EndIdentity, is: EndIdentity): string[] {
  const grown = is.kind === "file" && was.sizeBytes !== is.sizeBytes;
  const touched = was.modifiedNs !== is.modifiedNs;
  return [
    ...differences(was, is),
    ...(grown ? [`its size was ${was.sizeBytes} bytes and is ${is.sizeBytes}`] : []),
    ...(touched ? ["it was modified since"] : []),
  ];
}
