// SPDX-License-Identifier: MIT

export interface ArchiveFile {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

const REGULAR_FILE = 0o100000;
const TRAILER = "TRAILER!!!";

/**
 * A cpio archive in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same input always gives the same bytes.
 */
export function writeCpio(files: readonly ArchiveFile[]): Buffer {
  const entries = files.map((file, index) =>
    entry(file.name, REGULAR_FILE | file.mode, Buffer.from(file.data), index + 1),
  );
  return Buffer.concat([...entries, entry(TRAILER, 0, Buffer.alloc(0), 0)]);
}

function entry(name: string, mode: number, data: Buffer, inode: number): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, checksum
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([pad(Buffer.concat([Buffer.from(header), nameBytes])), pad(data)]);
}

function pad(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
