// SPDX-License-Identifier: MIT
// Doing less: facts from the drives, holes, zeroing, the drive's own copy, and drives whose LBA sizes differ.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { guestProgram, registerChecks } from "./boot.ts";

const MIB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), "p2pdma-sparse-"));
const blankImage = (name: string, sizeBytes: number): string => {
  const path = join(folder, name);
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  return path;
};

/**
 * What the topology can't say: a namespace whose Copy has limits of our own (those of QEMU's plain nvme device may hold
 * no LBA: MSSRL 0), and a drive whose size is no multiple of 4096.
 */
const moreDrives = [
  ["-blockdev", blockdev("N", blankImage("N", 8 * 2 ** 30))],
  ["-device", "pcie-root-port,id=port-N,bus=pcie.0,addr=0x1d,chassis=98,slot=98"],
  ["-device", "nvme,id=drive-N,bus=port-N,serial=P2PLAB-N"],
  ["-device", "nvme-ns,drive=disk-N,bus=drive-N,mssrl=64,mcl=256,msrc=7,eui64=0x5254000000000001"],
  ["-blockdev", blockdev("O", blankImage("O", 4 * 2 ** 20 + 3 * 512))],
  ["-device", "pcie-root-port,id=port-O,bus=pcie.0,addr=0x1e,chassis=99,slot=99"],
  ["-device", "nvme,id=drive-O,bus=port-O,serial=P2PLAB-O,drive=disk-O"],
].flat();

function blockdev(letter: string, path: string): string {
  return JSON.stringify({
    driver: "raw",
    "node-name": `disk-${letter}`,
    discard: "unmap",
    file: { driver: "file", filename: path, discard: "unmap" },
  });
}

const trace = join(folder, "trace");
const lab = await startLab({
  topology: topology({
    name: "sparse",
    summary: "A, and B with LBAs of 4096 bytes, below one switch of a trusted host bridge",
    cpu: "EPYC", // so that the drives on root ports of their own are peers, too
    pci: [rootPort(pciSwitch(drive("A", { cmbMiB: 64 }), drive("B", { cmbMiB: 32, lbaBytes: 4096 })))],
  }),
  qemuArgs: moreDrives,
  shares: [folder],
  trace: { file: trace, events: ["pci_nvme_write"] },
});
try {
  const parts = await captureIn(lab, { command: [...guestProgram("sparse-cases"), folder] });
  const copies = await captureIn(lab, { command: guestProgram("copy-less") });
  registerChecks({ ...parts, consoleTail: lab.consoleTail() }, 41);
  registerChecks({ ...copies, consoleTail: lab.consoleTail() }, 33);
} finally {
  await lab.close();
}
const lines = readFileSync(trace, "utf8").split("\n");
rmSync(folder, { recursive: true });

/** What QEMU saw of the copies of a sparse file of 16 MiB onto drives, at 7 GiB, over content written there before. No other
 * command of any drive goes to those LBAs: the trace does not tell drives apart. */
for (const lbaBytes of [512, 4096]) {
  test(`LBAs of ${lbaBytes}: holes came as Write Zeroes, and only the data as writes`, () => {
    const [start, end] = [7 * 2 ** 30, 7 * 2 ** 30 + 17 * MIB].map((bytes) => bytes / lbaBytes);
    const within = (lba: string | undefined) => Number(lba) >= (start ?? 0) && Number(lba) < (end ?? 0);
    const commands = lines.map((line) =>
      /^pci_nvme_write .*opname '(\w+)' .*count (\d+) lba (0x\w+)/.exec(line),
    );
    const bytesOf = (name: string) =>
      commands
        .filter((command) => command?.[1] === name && within(command[3]))
        .reduce((bytes, command) => bytes + Number(command?.[2]), 0);
    const [zeroed, written] = [bytesOf("NVME_NVM_CMD_WRITE_ZEROES"), bytesOf("NVME_NVM_CMD_WRITE")];
    assert.is(zeroed, 15 * MIB);
    const before = Math.ceil((16 * MIB + 700) / lbaBytes) * lbaBytes + 4096;
    assert.is(written - before, MIB + Math.ceil(700 / lbaBytes) * lbaBytes);
  });
}

test.run();
