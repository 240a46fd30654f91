// SPDX-License-Identifier: MIT
import { usageError } from "../errors.ts";
import { type KernelVersion, parseKernelVersion } from "../pci/p2pdma-history.ts";
import type { Platform } from "../pci/rules.ts";
import type { SystemView } from "../sysfs.ts";

/** The computer around the PCI tree. */
export interface Host {
  readonly name: string | undefined;
  /** As `uname -r` has it. */
  readonly kernelRelease: string | undefined;
  readonly cpuModel: string | undefined;
  /** What verdicts are predicted for: the running kernel unless another one was asked for. */
  readonly platform: Platform;
  readonly isOtherKernel: boolean;
}

const FIRST_ZEN_FAMILY = 0x17;

/** @throws P2pdmaError USAGE when the kernel's version is neither given nor to be seen. */
export function readHost(view: SystemView, wanted?: KernelVersion): Host {
  const kernelRelease = view.text("/proc/sys/kernel/osrelease");
  const running = kernelRelease === undefined ? undefined : parseKernelVersion(kernelRelease);
  const kernel = wanted ?? running;
  if (!kernel)
    throw usageError(
      "Cannot tell which kernel this is",
      "is /proc mounted? For topo name one: --kernel 6.12",
    );
  const cpu = readFirstCpu(view);
  return {
    name: nameOf(view),
    kernelRelease,
    cpuModel: cpu.get("model name"),
    platform: { kernel, isAmdZen: isAmdZen(cpu) },
    isOtherKernel: wanted !== undefined,
  };
}

/** A capture has hashes in place of names. */
function nameOf(view: SystemView): string | undefined {
  const name = view.text("/proc/sys/kernel/hostname");
  return name?.startsWith("hash:") ? undefined : name;
}

/** `6.12`, the way kernels are named in this program's output. */
export function kernelName({ major, minor }: KernelVersion): string {
  return `${major}.${minor}`;
}

/** @throws P2pdmaError USAGE for what is no version. */
export function parseKernelOption(text: string): KernelVersion {
  const version = parseKernelVersion(text);
  if (!version) throw usageError(`--kernel: "${text}" is no kernel version`, "versions look like 6.12");
  return version;
}

/** cpu_supports_p2pdma() in drivers/pci/p2pdma.c. Only x86 has these two fields; Hygon is another vendor. */
function isAmdZen(cpu: ReadonlyMap<string, string>): boolean {
  return cpu.get("vendor_id") === "AuthenticAMD" && Number(cpu.get("cpu family")) >= FIRST_ZEN_FAMILY;
}

function readFirstCpu(view: SystemView): Map<string, string> {
  const [first = ""] = (view.text("/proc/cpuinfo") ?? "").split("\n\n");
  const fields = first.split("\n").map((line) => line.split(":", 2).map((part) => part.trim()));
  return new Map(fields.flatMap(([key, value]) => (key && value ? [[key, value] as const] : [])));
}
