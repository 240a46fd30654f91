// SPDX-License-Identifier: MIT
// Ports by the drive that is below them, their ACS bits, and drivers bound anew.
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from "node:fs";
import { listControllers } from "../../../core/nvme/controllers.ts";
import type { Bdf } from "../../../core/pci/bdf.ts";
import { type PciTree, pathUp } from "../../../core/pci/tree.ts";
import type { Machine } from "../../../core/topo/index.ts";
import { sys } from "./media.ts";
import { expect } from "./report.ts";

/** `A^2` is the second function above drive A. */
export function resolvePort({ tree, devices }: Machine, reference: string): Bdf {
  const [letter, steps = "1"] = reference.split("^");
  const drive = devices.find(({ controller }) => controller?.serial === `P2PLAB-${letter}`);
  const port = drive && pathUp(tree, drive.bdf)[Number(steps)];
  if (!port) throw new Error(`there is no port ${reference}`);
  return port.bdf;
}

/** What setpci does, without setpci: the control register is six bytes into the capability. */
export function writeAcs(tree: PciTree, port: Bdf, control: number): void {
  const acs = tree.functions.get(port)?.acs;
  if (acs?.state !== "present") throw new Error(`${port} has no ACS`);
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(control);
  const file = openSync(`/sys/bus/pci/devices/${port}/config`, "r+");
  try {
    expect(writeSync(file, bytes, 0, 2, acs.offset + 6) === 2, `ACS of ${port} was not written`);
  } finally {
    closeSync(file);
  }
}

/** The kernel keeps its verdicts with the provider's driver data: this throws them away. */
export async function rebind(bdf: Bdf, driver: string): Promise<void> {
  for (const verb of ["unbind", "bind"]) writeFileSync(`/sys/bus/pci/drivers/${driver}/${verb}`, bdf);
  if (driver === "nvme") await waitForDrive(bdf);
}

const WAIT_MS = 30_000;

async function waitForDrive(bdf: Bdf): Promise<void> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; ) {
    const [namespace] = listControllers(sys).find((found) => found.bdf === bdf)?.namespaces ?? [];
    if (namespace && existsSync(`/dev/${namespace.name}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the drive at ${bdf} did not come back`);
}
