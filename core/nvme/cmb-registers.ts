// SPDX-License-Identifier: MIT
import { type Native, SyscallError } from "../../ffi/index.ts";
import type { Bdf } from "../pci/bdf.ts";
import { readDriver } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";
import type { CmbRegisters } from "./cmb.ts";

/** Where each register of the answer came from. */
export type RegisterSource = "sysfs" | "BAR";

export interface ReadRegisters {
  readonly registers: CmbRegisters;
  readonly sources: Readonly<Partial<Record<keyof CmbRegisters, RegisterSource>>>;
  /** Why the BAR was not read, in words; undefined when it was. */
  readonly problem: string | undefined;
}

/** Byte offsets in BAR 0; 64-bit registers are read as two halves. */
const OFFSETS = {
  ...{ cap: 0x00, capHigh: 0x04, vs: 0x08, cmbloc: 0x38, cmbsz: 0x3c },
  ...{ cmbmsc: 0x50, cmbmscHigh: 0x54, cmbsts: 0x58, cmbebs: 0x5c, cmbswtp: 0x60 },
} as const;

const ALL_ONES = 0xffffffff;
const BAR_BYTES = 4096;

/**
 * CMBLOC and CMBSZ as the kernel shows them, and the rest from the BAR, with plain 32-bit reads.
 * Never fails: what could not be read is left out, with the reason.
 * @param controller its name in /sys/class/nvme; undefined when the kernel's driver has it not.
 * @param native undefined for a capture, which has no BAR.
 */
export function readCmbRegisters(
  sys: SystemView,
  bdf: Bdf,
  controller: string | undefined,
  native: Native | undefined,
): ReadRegisters {
  const shown = controller === undefined ? {} : readSysfs(sys, `/sys/class/nvme/${controller}`);
  const read = native ? readBar(sys, bdf, native) : "a capture has no BAR to read";
  const fromBar = typeof read === "string" ? {} : read;
  return {
    registers: { ...fromBar, ...shown },
    sources: { ...sourceOf(fromBar, "BAR"), ...sourceOf(shown, "sysfs") },
    problem: typeof read === "string" ? read : undefined,
  };
}

function sourceOf(registers: CmbRegisters, source: RegisterSource): ReadRegisters["sources"] {
  return Object.fromEntries(Object.keys(registers).map((name) => [name, source]));
}

/** Newer kernels have a file each; older ones only `cmb` with both, and `x` for `0x`. */
function readSysfs(sys: SystemView, at: string): CmbRegisters {
  const both = sys.text(`${at}/cmb`) ?? "";
  const field = (name: string) => {
    const line = new RegExp(`^${name}\\s*:\\s*0?x([0-9a-f]+)`, "im").exec(both)?.[1];
    const value = sys.integer(`${at}/${name}`) ?? (line === undefined ? undefined : BigInt(`0x${line}`));
    return value === undefined ? undefined : Number(value);
  };
  const [cmbloc, cmbsz] = [field("cmbloc"), field("cmbsz")];
  return { ...(cmbloc !== undefined && { cmbloc }), ...(cmbsz !== undefined && { cmbsz }) };
}

/** @returns the reason in words when it can't be read. */
function readBar(sys: SystemView, bdf: Bdf, native: Native): CmbRegisters | string {
  const at = `/sys/bus/pci/devices/${bdf}`;
  const power = sys.text(`${at}/power_state`);
  if (power?.startsWith("D3")) return `the device sleeps (${power}) and is not woken for this`;
  const path = `${at}/resource0`;
  try {
    const mapping = native.mapRegisters(path, BAR_BYTES);
    try {
      return unpack(native.readRegisters(mapping, Object.values(OFFSETS)));
    } finally {
      mapping.close();
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return explainBarError(sys, bdf, error);
  }
}

function unpack(values: readonly number[]): CmbRegisters | string {
  if (values.every((value) => value === ALL_ONES)) {
    return "every register reads as all ones: the device is gone, asleep, or its memory is switched off";
  }
  const named = Object.fromEntries(Object.keys(OFFSETS).map((name, index) => [name, values[index] ?? 0]));
  const register = (name: keyof typeof OFFSETS) => named[name] ?? 0;
  const wide = (low: number, high: number) => (BigInt(high) << 32n) | BigInt(low);
  return {
    cap: wide(register("cap"), register("capHigh")),
    vs: register("vs"),
    cmbloc: register("cmbloc"),
    cmbsz: register("cmbsz"),
    cmbmsc: wide(register("cmbmsc"), register("cmbmscHigh")),
    cmbsts: register("cmbsts"),
    cmbebs: register("cmbebs"),
    cmbswtp: register("cmbswtp"),
  };
}

/** Who says no, and what would make them say yes. Exported for its tests. */
export function explainBarError(sys: SystemView, bdf: Bdf, error: SyscallError): string {
  const lockdown = /\[(integrity|confidentiality)\]/.exec(
    sys.text("/sys/kernel/security/lockdown") ?? "",
  )?.[1];
  switch (error.code) {
    case "EACCES":
      return "only root may map a BAR";
    case "EPERM":
      return lockdown
        ? `kernel lockdown (${lockdown}) forbids to map BARs; Secure Boot usually switches it on`
        : "the kernel does not permit it: CAP_SYS_RAWIO is missing, as in most containers";
    case "EINVAL": {
      const driver = readDriver(sys, bdf);
      return driver
        ? `the kernel keeps BARs to their driver (${driver}): CONFIG_IO_STRICT_DEVMEM; boot with iomem=relaxed to read it`
        : "the kernel does not map this BAR (EINVAL)";
    }
    case "ENOENT":
    case "ENODEV":
    case "ENXIO":
      return sys.exists(`/sys/bus/pci/devices/${bdf}`)
        ? "the kernel offers no BAR 0 of it in sysfs (no resource0)"
        : "the device is gone";
    default:
      return error.message;
  }
}
