// SPDX-License-Identifier: MIT
import { MemoryFiles } from "../../memory-files.ts";

export const BDF = "0000:03:00.0";

/** A machine with one NVMe drive, which has a CMB of 64 MiB in BAR 2 that the kernel has made p2pmem of. */
export function cmbTree(): MemoryFiles {
  const files = new MemoryFiles();
  const controller = "/sys/class/nvme/nvme0";
  const facts = {
    address: BDF,
    transport: "pcie",
    model: "M",
    serial: "S",
    firmware_rev: "F",
    state: "live",
  };
  for (const [name, text] of Object.entries(facts)) files.write(`${controller}/${name}`, `${text}\n`);
  files.write(`${controller}/cmbloc`, "98\n");
  files.write(`${controller}/cmbsz`, `${0x4021d}\n`);
  const device = `/sys/bus/pci/devices/${BDF}`;
  files.write(`${device}/class`, "0x010802\n");
  files.link(`${device}/driver`, "/sys/bus/pci/drivers/nvme");
  files.folder("/sys/bus/pci/drivers/nvme");
  files.folder(`${device}/nvme/nvme0`);
  const none = "0x0000000000000000 0x0000000000000000 0x0000000000000000";
  const bar0 = "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204";
  const bar2 = "0x00000000f4000000 0x00000000f7ffffff 0x000000000014220c";
  files.write(`${device}/resource`, [bar0, none, bar2, none, none, none].join("\n"));
  files.write(`${device}/p2pmem/size`, `${64 << 20}\n`);
  files.write(`${device}/p2pmem/available`, `${(64 << 20) - 131072}\n`);
  files.write(`${device}/p2pmem/published`, "1\n");
  files.write("/sys/module/nvme/parameters/use_cmb_sqes", "Y\n");
  return files;
}

/** The place of a range of the tree's p2pmem in a process's maps. */
export function mapsLine(start: string, end: string, path: string): string {
  return `${start}-${end} rw-s 00000000 00:15 4242                       ${path}`;
}
