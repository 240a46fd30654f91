// SPDX-License-Identifier: MIT
// Doing less: facts from the drives, holes, zeroing, the drive's own copy, and drives whose LBA sizes differ.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pdma-sparse-"));
const image = join(folder, "N");
writeFileSync(image, "");
truncateSync(image, 8 * 2 ** 30);

/** QEMU's nvme device makes namespaces that may copy nothing (MSSRL 0); nvme-ns makes them with limits of one's own. */
const drivesWithCopy = [
  ["-blockdev", `driver=raw,node-name=disk-N,discard=unmap,file.driver=file,file.filename=${image}`],
  ["-device", "pcie-root-port,id=port-N,bus=pcie.0,addr=0x1e,chassis=99,slot=99"],
  ["-device", "nvme,id=drive-N,bus=port-N,serial=P2PLAB-N"],
  ["-device", "nvme-ns,drive=disk-N,bus=drive-N,mssrl=64,mcl=256,msrc=7,eui64=0x5254000000000001"],
].flat();

const result = await runInLab({
  topology: topology({
    name: "sparse",
    summary: "A, and B with LBAs of 4096 bytes, below one switch",
    pci: [rootPort(pciSwitch(drive("A", { cmbMiB: 64 }), drive("B", { cmbMiB: 32, lbaBytes: 4096 })))],
  }),
  qemuArgs: drivesWithCopy,
  shares: [folder],
  command: [...guestProgram("sparse-cases"), folder],
  stdio: "capture",
});
rmSync(folder, { recursive: true });
registerChecks(result, 40);

test.run();
