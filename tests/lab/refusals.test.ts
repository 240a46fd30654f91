// SPDX-License-Identifier: MIT
// Every reason not to write to a destination, and the one word that lifts it.
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { tempFolder } from "../unit/temp.ts";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

/** Small, so that whole drives can be compared before and after. */
const small = topology({
  name: "refusals",
  summary: "three small drives, A with two namespaces, and one namespace behind two controllers",
  // Every path to a namespace is a block device of its own, as on machines without native multipath.
  kernelArgs: ["nvme_core.multipath=N"],
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 4, sizeMiB: 8 }),
        drive("B", { cmbMiB: 4, sizeMiB: 8 }),
        drive("C", { sizeMiB: 4 }),
      ),
    ),
  ],
});

const MIB = 1 << 20;
const folder = tempFolder("refusals");

function disk(name: string, sizeBytes: number): string[] {
  const filename = join(folder, name);
  writeFileSync(filename, "");
  truncateSync(filename, sizeBytes);
  return ["-blockdev", JSON.stringify({ driver: "file", "node-name": name, filename })];
}

const qemuArgs = [
  ...disk("second", MIB),
  ...["-device", "nvme-ns,drive=second,bus=drive-A,nsid=2"],
  ...["-device", "nvme-subsys,id=shared,nqn=shared"],
  ...["-device", "nvme,id=port0,serial=P2PLAB-S,subsys=shared,bus=pcie.0"],
  ...["-device", "nvme,id=port1,serial=P2PLAB-S,subsys=shared,bus=pcie.0"],
  ...disk("both", 8 * MIB),
  ...["-device", "nvme-ns,drive=both,bus=port0,nsid=1,shared=on"],
];

const command = guestProgram("refusal-cases");
registerChecks(await runInLab({ topology: small, qemuArgs, command, timeoutMs: 800_000 }), 64);

test.run();
