// SPDX-License-Identifier: MIT
import type { SystemView } from "../sysfs.ts";

export interface Mount {
  /** `259:1`; a number that is no block device's for btrfs, which may have several. */
  readonly deviceNumber: string;
  /** What was mounted, as it was given: `/dev/nvme0n1p2`, or any word for a virtual file system. */
  readonly source: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** The file system itself, not just this view of it. */
  readonly isReadOnly: boolean;
}

/** The mounts this process sees, from /proc/self/mountinfo. */
export function listMounts(sys: SystemView): Mount[] {
  const lines = sys.text("/proc/self/mountinfo")?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const fields = line.split(" ");
    const separator = fields.indexOf("-");
    const [deviceNumber, mountPoint] = [fields[2], fields[4]];
    const [fileSystem, source, options] = fields.slice(separator + 1);
    if (separator < 6 || !deviceNumber || !mountPoint || !fileSystem || !source || !options) return [];
    return [
      {
        ...{ deviceNumber, fileSystem, isReadOnly: options.split(",").includes("ro") },
        ...{ mountPoint: unescapeOctal(mountPoint), source: unescapeOctal(source) },
      },
    ];
  });
}

/** Type of the file system that a device number belongs to. */
export function fileSystemOf(sys: SystemView, deviceNumber: string): string | undefined {
  return listMounts(sys).find((mount) => mount.deviceNumber === deviceNumber)?.fileSystem;
}

/** Block devices and files in use as swap, as paths. */
export function listSwaps(sys: SystemView): string[] {
  const lines = sys.text("/proc/swaps")?.split("\n").slice(1) ?? [];
  return lines.map((line) => unescapeOctal(line.split(/\s+/)[0] ?? "")).filter((path) => path);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
