// SPDX-License-Identifier: MIT
// No host bridge of QEMU's is on the kernel's list, and no option gives it another id. A copy of QEMU whose root
// port has one is: the first device on an expander's root bus is a root port, and that is what the kernel looks up.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findQemu } from "../../lab/machine.ts";

export interface PatchedQemu {
  readonly program: string;
  /** Where its firmware and its modules are, which a copy elsewhere does not find by itself. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Vendor and device id of pcie-root-port, 1b36:000c, as they stand in the program. */
const ROOT_PORT_IDS = Buffer.from([0x36, 0x1b, 0x0c, 0x00]);

/** Undefined when this QEMU does not have the ids in exactly one place. The copy goes when the process ends. */
export function patchQemu(vendorId: number, deviceId: number): PatchedQemu | undefined {
  const original = findQemu();
  const image = readFileSync(original);
  const at = image.indexOf(ROOT_PORT_IDS);
  if (at < 0 || image.indexOf(ROOT_PORT_IDS, at + 1) >= 0) return undefined;
  image.writeUInt16LE(vendorId, at);
  image.writeUInt16LE(deviceId, at + 2);
  const folder = mkdtempSync(join(tmpdir(), "p2pdma-qemu-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "qemu");
  writeFileSync(program, image);
  chmodSync(program, 0o755);
  const folders = execFileSync(original, ["-L", "help"], { encoding: "utf8" }).trim().split("\n");
  return {
    program,
    args: folders.flatMap((path) => ["-L", path]),
    env: { P2PDMA_LAB_QEMU: program, ...moduleFolder() },
  };
}

function moduleFolder(): Record<string, string> {
  const folders = readdirSync("/usr/lib").map((name) => join("/usr/lib", name, "qemu"));
  const found = folders.find((folder) => existsSync(join(folder, "accel-tcg-x86_64.so")));
  return found === undefined ? {} : { QEMU_MODULE_DIR: found };
}
