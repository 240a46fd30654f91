// SPDX-License-Identifier: MIT
import { type Bdf, parseBdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";

export interface NvmeNamespace {
  /** Block device name: `nvme0n1`. */
  readonly name: string;
  readonly nsid: number;
  readonly sizeBytes: bigint;
  readonly lbaSizeBytes: number;
  readonly wwid: string | undefined;
}

export interface NvmeController {
  /** `nvme0`; renumbered at every boot. */
  readonly name: string;
  /** Undefined for fabrics controllers. */
  readonly bdf: Bdf | undefined;
  readonly transport: string;
  readonly state: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  readonly hasCmb: boolean;
  readonly namespaces: readonly NvmeNamespace[];
}

const CLASS = "/sys/class/nvme";

/** All NVMe controllers the kernel's driver has, by name. */
export function listControllers(sys: SystemView): NvmeController[] {
  return sys
    .list(CLASS)
    .filter((name) => /^nvme\d+$/.test(name))
    .map((name) => readController(sys, name));
}

function readController(sys: SystemView, name: string): NvmeController {
  const at = `${CLASS}/${name}`;
  const field = (file: string) => sys.text(`${at}/${file}`)?.trim() ?? "";
  return {
    name,
    bdf: parseBdf(field("address")),
    transport: field("transport"),
    state: field("state"),
    model: field("model"),
    serial: field("serial"),
    firmware: field("firmware_rev"),
    hasCmb: sys.exists(`${at}/cmbsz`),
    namespaces: listNamespaces(sys, name),
  };
}

/** With native multipath the usable node hangs below the subsystem; `nvme0c0n1` is the hidden path to it. */
function listNamespaces(sys: SystemView, controller: string): NvmeNamespace[] {
  return sys.list(`${CLASS}/${controller}`).flatMap((entry) => {
    const match = /^nvme(\d+)(?:c\d+)?n(\d+)$/.exec(entry);
    return match ? [readNamespace(sys, `nvme${match[1]}n${match[2]}`)] : [];
  });
}

function readNamespace(sys: SystemView, name: string): NvmeNamespace {
  const at = `/sys/class/block/${name}`;
  return {
    name,
    nsid: Number(sys.integer(`${at}/nsid`) ?? 0n),
    sizeBytes: (sys.integer(`${at}/size`) ?? 0n) * 512n,
    lbaSizeBytes: Number(sys.integer(`${at}/queue/logical_block_size`) ?? 512n),
    wwid: sys.text(`${at}/wwid`),
  };
}
