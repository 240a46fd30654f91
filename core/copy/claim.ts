// SPDX-License-Identifier: MIT
// Between the checks and the opening time passes, and somebody may have read a prompt meanwhile.
import type { BigIntStats } from "node:fs";
import type { OpenFile } from "../../ffi/index.ts";
import { refused } from "../errors.ts";
import { identityOf } from "../journal/identity.ts";
import type { SystemView } from "../sysfs.ts";
import { deviceNumber, readBlockDevice } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Files } from "./files.ts";
import type { CopyEnvironment } from "./request.ts";

/**
 * Makes sure that what was opened is what was looked at.
 * @throws P2pdmaError WRONG_IDENTITY, before anything is written
 */
export function checkOpened(env: CopyEnvironment, files: Files, src: Endpoint, dst: Endpoint): void {
  checkOpenedEnd(env, files.src, src);
  checkOpenedEnd(env, files.dst, dst);
}

/** The same for one end alone. */
export function checkOpenedEnd(env: CopyEnvironment, file: OpenFile, end: Endpoint): void {
  const change = changeOf(env.sys, end, env.native.fileStatus(file));
  if (change) throw refused("WRONG_IDENTITY", `"${end.path}" is not what it was a moment ago: ${change}`);
}

function changeOf(sys: SystemView, end: Endpoint, stat: BigIntStats): string | undefined {
  if (end.kind === "file") {
    if (!stat.isFile()) return "it is no regular file any more";
    const isSame = end.inode === undefined || end.inode === `${stat.dev}:${stat.ino}`;
    return isSame ? undefined : "another file is there";
  }
  if (!stat.isBlockDevice()) return "it is no block device any more";
  const device = readBlockDevice(sys, deviceNumber(stat.rdev));
  if (!device || device.number !== end.device?.number) return "another device is there";
  const is = identityOf(sys, { ...end, device, sizeBytes: device.sizeBytes });
  return JSON.stringify(is) === JSON.stringify(identityOf(sys, end)) ? undefined : "another device is there";
}
