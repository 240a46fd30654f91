// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { findProvider, listProviders, type Provider } from "../p2pmem/providers.ts";
import { type Bdf, parseBdf } from "../pci/bdf.ts";
import { type PciResource, readResources } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";
import { type Cmb, type CmbLocation, decodeCmb } from "./cmb.ts";
import { findMappedAreas, type Holder, listHolders, type MappedArea } from "./cmb-holders.ts";
import { type ReadRegisters, readCmbRegisters } from "./cmb-registers.ts";
import { listControllers, type NvmeController } from "./controllers.ts";

/** A controller's CMB and the p2pmem that the kernel has made of it. */
export interface CmbReport {
  readonly bdf: Bdf;
  /** Undefined when the kernel's NVMe driver has not got the device. */
  readonly controller: NvmeController | undefined;
  /** False for a provider of another kind, which has p2pmem but no CMB. */
  readonly isNvme: boolean;
  readonly cmb: Cmb;
  readonly read: ReadRegisters;
  /** Where the CMB lies for the CPU; undefined when that is not known. */
  readonly window: CmbWindow | undefined;
  readonly p2pmem: P2pmemReport | undefined;
  /** Why there is no p2pmem although there is a CMB. */
  readonly noP2pmem: string | undefined;
}

export interface CmbWindow {
  readonly resource: PciResource;
  /** CPU physical addresses; `end` is exclusive. */
  readonly start: bigint;
  readonly end: bigint;
  /** The BAR ends before the CMB does: what lies behind can't be reached. */
  readonly isCut: boolean;
}

export interface P2pmemReport {
  readonly provider: Provider;
  readonly usedBytes: bigint;
  readonly holders: readonly Holder[];
  /** nvme.use_cmb_sqes: the driver keeps submission queues in CMBs that can hold them. */
  readonly queuesInCmb: boolean | undefined;
}

const NVME_CLASS = 0x0108n;

/** Granularity of device memory on x86; the kernel leaves a CMB out that does not fit, without a word. */
const MEMORY_BLOCK_BYTES = 2n << 20n;

/**
 * Reports on controllers, named as `nvme0`, `/dev/nvme0` or a PCI address; on all PCI ones when none is named.
 * Other providers of p2pmem can be named, too.
 * @param native undefined for a capture.
 * @throws P2pdmaError NOT_FOUND for a name that is neither.
 */
export function reportCmbs(
  sys: SystemView,
  native: Native | undefined,
  names: readonly string[],
): CmbReport[] {
  const controllers = listControllers(sys);
  const providers = listProviders(sys);
  const targets =
    names.length > 0
      ? names.map((name) => findTarget(sys, controllers, providers, name))
      : controllers.flatMap((controller) =>
          controller.bdf ? [{ controller, bdf: controller.bdf, isNvme: true }] : [],
        );
  const isAnyTaken = providers.some((provider) => provider.availableBytes < provider.sizeBytes);
  const here = native && { native, areas: isAnyTaken ? findMappedAreas(sys) : [] };
  return targets.map((target) => reportOne(sys, here, providers, target));
}

/** What only the running machine can answer. */
interface Here {
  readonly native: Native;
  readonly areas: readonly MappedArea[];
}

const NOTHING_TO_READ: ReadRegisters = { registers: {}, sources: {}, problem: undefined };

interface Target {
  readonly bdf: Bdf;
  readonly controller: NvmeController | undefined;
  readonly isNvme: boolean;
}

function findTarget(
  sys: SystemView,
  controllers: readonly NvmeController[],
  providers: readonly Provider[],
  wanted: string,
): Target {
  const name = wanted.replace(/^\/dev\//, "");
  const address = parseBdf(wanted);
  const controller = controllers.find((known) => known.name === name || (address && known.bdf === address));
  const provider = findProvider(providers, wanted);
  const bdf = controller?.bdf ?? provider?.bdf ?? address;
  if (controller && !controller.bdf) {
    throw notFound(wanted, "it is reached over a network, not over PCI, and has no CMB of its own");
  }
  if (!bdf) throw notFound(wanted, "no such controller");
  const classCode = sys.integer(`/sys/bus/pci/devices/${bdf}/class`);
  if (classCode === undefined) throw notFound(wanted, "no such device");
  const isNvme = controller !== undefined || classCode >> 8n === NVME_CLASS;
  if (!isNvme && !provider) throw notFound(wanted, "it is no NVMe device, and offers no p2pmem");
  return { bdf, controller, isNvme };
}

function notFound(wanted: string, reason: string): P2pdmaError {
  return new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot show the CMB of "${wanted}": ${reason}`, {
    hint: "p2pdma list shows the controllers and who else offers p2pmem",
  });
}

function reportOne(
  sys: SystemView,
  here: Here | undefined,
  providers: readonly Provider[],
  { bdf, controller, isNvme }: Target,
): CmbReport {
  const read = isNvme ? readCmbRegisters(sys, bdf, controller?.name, here?.native) : NOTHING_TO_READ;
  const cmb = decodeCmb(isNvme ? read.registers : { cap: 0n, cmbsz: 0 });
  const window = cmb.location && findWindow(readResources(sys, bdf), cmb.location);
  const provider = providers.find((known) => known.bdf === bdf);
  return {
    ...{ bdf, controller, isNvme, cmb, read, window },
    p2pmem: provider && reportP2pmem(sys, here, provider, cmb),
    noP2pmem: provider ? undefined : explainNoP2pmem(cmb, window, controller),
  };
}

function findWindow(resources: readonly PciResource[], location: CmbLocation): CmbWindow | undefined {
  const resource = resources.find(({ index }) => index === location.bar);
  if (!resource) return undefined;
  const start = resource.start + location.offsetBytes;
  const end = start + location.sizeBytes;
  if (start > resource.end) return undefined;
  const isCut = end > resource.end + 1n;
  return { resource, start, end: isCut ? resource.end + 1n : end, isCut };
}

function reportP2pmem(sys: SystemView, here: Here | undefined, provider: Provider, cmb: Cmb): P2pmemReport {
  const usedBytes = provider.sizeBytes - provider.availableBytes;
  const setting = sys.text("/sys/module/nvme/parameters/use_cmb_sqes");
  return {
    provider,
    usedBytes,
    holders: here && usedBytes > 0n ? listHolders(sys, here.native, provider.bdf, here.areas) : [],
    queuesInCmb:
      setting === undefined ? undefined : setting === "Y" && cmb.supports?.submissionQueues === true,
  };
}

function explainNoP2pmem(
  cmb: Cmb,
  window: CmbWindow | undefined,
  controller: NvmeController | undefined,
): string | undefined {
  if (!cmb.location) return undefined;
  if (!controller) return "the kernel's NVMe driver is not bound to the device";
  if (!window) return `BAR ${cmb.location.bar} has no address, or ends before the CMB begins`;
  const isAligned = [window.end - window.start, window.resource.start].every(
    (value) => value % MEMORY_BLOCK_BYTES === 0n,
  );
  return isAligned
    ? "the kernel is without CONFIG_PCI_P2PDMA, or could not register it (dmesg: failed to register the CMB)"
    : "its size or the start of its BAR is no multiple of 2 MiB: the kernel leaves such a CMB out without a message";
}
