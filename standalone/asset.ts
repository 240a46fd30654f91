// SPDX-License-Identifier: MIT
import { getRawAsset } from "node:sea";

/** What the build put into this program under that name; in place, hence not to be written to. */
export function rawAsset(name: string): Uint8Array {
  return new Uint8Array(getRawAsset(name) as ArrayBuffer);
}
