// SPDX-License-Identifier: MIT
import { usageError } from "../errors.ts";
import { parseBdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";
import type { Device, Machine } from "./machine.ts";

/**
 * The function that a user means: `nvme0`, `nvme0n1`, `/dev/nvme0n1p2`, a link in
 * /dev/disk, or a PCI address.
 * @throws P2pdmaError USAGE when it is none, or more than one.
 */
export function findDevice(view: SystemView, machine: Machine, word: string): Device {
  const bdf = parseBdf(word);
  const pci = bdf && machine.tree.functions.get(bdf);
  if (pci) {
    const known = machine.devices.find((device) => device.bdf === bdf);
    return known ?? { bdf, name: bdf, pci, controller: undefined, provider: undefined, isClient: true };
  }
  const name = (view.resolve(word) ?? word).replace(/^.*\//, "");
  const [found, ...others] = machine.devices.filter((device) => answersTo(device, name));
  if (!found) throw unknownDevice(machine, word);
  if (others.length > 0) throw ambiguous(word, [found, ...others]);
  return found;
}

function answersTo(device: Device, name: string): boolean {
  const whole = name.replace(/^(nvme\d+n\d+)p\d+$/, "$1").replace(/^ng(\d+n\d+)$/, "nvme$1");
  const namespaces = device.controller?.namespaces.map((namespace) => namespace.name) ?? [];
  return device.name === name || namespaces.includes(whole);
}

function unknownDevice(machine: Machine, word: string) {
  const known = machine.devices.map(({ name }) => name).join(", ");
  return usageError(
    `"${word}" is no device here that does DMA or lends memory`,
    known ? `there are ${known}; any PCI address will do, too` : "name a PCI address such as 0000:03:00.0",
  );
}

/** With native multipath one namespace hangs below several controllers. */
function ambiguous(word: string, devices: readonly Device[]) {
  const names = devices.map(({ name, bdf }) => `${name} (${bdf})`).join(" and ");
  return usageError(`"${word}" can be reached through ${names}`, "name one of these controllers");
}
