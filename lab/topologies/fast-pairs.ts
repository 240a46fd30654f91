// SPDX-License-Identifier: MIT
import { nullDrive, pciSwitch, ramProvider, rootPort, topology } from "../topology.ts";

const LETTERS = ["A", "B", "C", "D", "E", "F", "G", "H"];

/** Eight drives, so that four copies run side by side through one provider. */
export const fastPairs = topology({
  name: "fast-pairs",
  summary: "as fast, with eight drives: four copies side by side through one provider",
  kernelArgs: ["pci_p2pmem_bar.ids=1af4:1110", "pci_p2pmem_bar.bar=2"],
  pci: [rootPort(pciSwitch(ramProvider(256), ...LETTERS.map((letter) => nullDrive(letter))))],
});
