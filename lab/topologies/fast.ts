// SPDX-License-Identifier: MIT
import { nullDrive, pciSwitch, ramProvider, rootPort, topology } from "../topology.ts";

/**
 * An emulated CMB is copied 4 KiB at a time, so speed is measured on a provider
 * made of RAM and on drives that keep nothing.
 */
export const fast = topology({
  name: "fast",
  summary: "a 256 MiB RAM-backed provider and two drives that store nothing, below one switch: for speed",
  // ivshmem is no p2pmem device by itself: the lab kernel's driver is told its id.
  kernelArgs: ["pci_p2pmem_bar.ids=1af4:1110", "pci_p2pmem_bar.bar=2"],
  pci: [rootPort(pciSwitch(ramProvider(256), nullDrive("A"), nullDrive("B")))],
});
