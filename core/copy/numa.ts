// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";

const NODES = "/sys/devices/system/node";

/**
 * The CPUs beside the first of these devices whose NUMA node is known. Submitting from there keeps doorbells and
 * interrupts off the links between sockets.
 * @returns undefined where it makes no difference: fewer than two nodes have CPUs, or no device tells its node.
 */
export function cpusBeside(sys: SystemView, devices: readonly (Bdf | undefined)[]): number[] | undefined {
  const nodes = sys.list(NODES).filter((name) => /^node\d+$/.test(name));
  const cpusOf = (node: string) => parseCpuList(sys.text(`${NODES}/${node}/cpulist`) ?? "");
  if (nodes.filter((node) => cpusOf(node).length > 0).length < 2) return undefined;
  const nodeOf = (bdf: Bdf) => sys.integer(`/sys/bus/pci/devices/${bdf}/numa_node`);
  const node = devices.map((bdf) => bdf && nodeOf(bdf)).find((number) => number !== undefined);
  const cpus = node === undefined ? [] : cpusOf(`node${node}`);
  return cpus.length > 0 ? cpus : undefined;
}

/** `0-3,8,10-11`; anything else in it is left out. */
export function parseCpuList(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const from = Number(first);
    return first === undefined
      ? []
      : Array.from({ length: Math.max(0, Number(last) - from + 1) }, (_, n) => from + n);
  });
}
