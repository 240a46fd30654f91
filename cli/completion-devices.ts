// SPDX-License-Identifier: MIT
import { listControllers } from "../core/nvme/controllers.ts";
import { listProviders } from "../core/p2pmem/providers.ts";
import type { SystemView } from "../core/sysfs.ts";
import { formatBytes } from "../core/units.ts";
import { driveSerial, pciArguments } from "../lab/pci-args.ts";
import { findTopology } from "../lab/topologies/index.ts";
import type { Drive } from "../lab/topology.ts";
import type { Suggestion } from "./completion-engine.ts";
import type { DeviceNames } from "./completion-values.ts";

/** What this machine has, by its sysfs. */
export function devicesOf(sys: SystemView): DeviceNames {
  return {
    endpoints: (typed) => endpoints(sys, typed),
    devices: () => [...controllers(sys), ...namespaces(sys)],
    providers: () => providers(sys),
  };
}

/** What a machine of the lab will have. @throws LabError for a topology that there is not. */
export function devicesOfLab(topology: string | undefined): DeviceNames {
  const { drives } = pciArguments(findTopology(topology).pci);
  const paths = drives.map((drive) => ({ word: `/dev/lab/${drive.letter}`, about: describe(drive) }));
  const serials = drives.map((drive) => ({ word: `serial:${driveSerial(drive)}`, about: describe(drive) }));
  return { endpoints: () => [...paths, ...serials], devices: () => paths, providers: () => [] };
}

function describe({ sizeMiB, cmbMiB }: Drive): string {
  const cmb = cmbMiB === undefined ? "no CMB" : `${cmbMiB} MiB CMB`;
  return `${formatBytes(BigInt(sizeMiB) << 20n)}, ${cmb}`;
}

/** Block devices by path and by the names that outlive a reboot; links only when their folder is asked for. */
function endpoints(sys: SystemView, typed: string): Suggestion[] {
  const byLink = typed.startsWith("/dev/disk") ? links(sys, "/dev/disk/by-id") : [];
  const lasting = typed.startsWith("/") ? [] : serials(sys);
  return [...links(sys, "/dev/lab"), ...blockDevices(sys), ...lasting, ...byLink];
}

const UNINTERESTING = /^(loop|ram|zram|sr|fd|nvme\d+c\d+)/;
const SECTOR_BYTES = 512n;

function blockDevices(sys: SystemView): Suggestion[] {
  return sys.list("/sys/class/block").flatMap((name) => {
    const sectors = sys.integer(`/sys/class/block/${name}/size`) ?? 0n;
    if (UNINTERESTING.test(name) || sectors === 0n) return [];
    const model = sys.text(`/sys/class/block/${name}/device/model`)?.trim();
    const isPartition = sys.exists(`/sys/class/block/${name}/partition`);
    const what = isPartition ? "partition" : (model ?? "block device");
    return [
      { word: `/dev/${name.replaceAll("!", "/")}`, about: `${formatBytes(sectors * SECTOR_BYTES)} ${what}` },
    ];
  });
}

function links(sys: SystemView, folder: string): Suggestion[] {
  return sys
    .list(folder)
    .map((name) => ({ word: `${folder}/${name}`, about: sys.resolve(`${folder}/${name}`) ?? "" }));
}

function serials(sys: SystemView): Suggestion[] {
  return listControllers(sys).flatMap(({ serial, model, namespaces }) =>
    namespaces.flatMap(({ name, nsid, wwid }) => {
      const space = namespaces.length > 1 ? `/${nsid}` : "";
      const about = `${model}, /dev/${name}`;
      const byWwid = wwid === undefined ? [] : [{ word: `wwid:${wwid}`, about }];
      return [{ word: `serial:${serial}${space}`, about }, ...byWwid];
    }),
  );
}

function controllers(sys: SystemView): Suggestion[] {
  return listControllers(sys).map(({ name, bdf, model }) => ({
    word: name,
    about: `${model}${bdf ? `, ${bdf}` : ""}`,
  }));
}

function namespaces(sys: SystemView): Suggestion[] {
  return listControllers(sys).flatMap((controller) =>
    controller.namespaces.map(({ name, sizeBytes }) => ({
      word: `/dev/${name}`,
      about: `${formatBytes(sizeBytes)} ${controller.model}`,
    })),
  );
}

function providers(sys: SystemView): Suggestion[] {
  return listProviders(sys).flatMap(({ name, bdf, availableBytes }) => {
    const about = `${formatBytes(availableBytes)} of p2pmem free`;
    return [
      ...(name.startsWith("nvme") ? [{ word: name, about }] : []),
      { word: bdf, about: `${about}, ${name}` },
    ];
  });
}
