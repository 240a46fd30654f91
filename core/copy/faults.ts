// SPDX-License-Identifier: MIT
import { type ChunkError, errnoName, errnoText, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Provider } from "../p2pmem/providers.ts";
import type { SystemView } from "../sysfs.ts";
import type { Endpoint } from "./endpoint.ts";
import type { StopSwitch } from "./stop.ts";

/** The chunk that stopped a copy, in words. */
export function chunkFailure(error: ChunkError, src: Endpoint, dst: Endpoint): string {
  const isRead = error.direction === "read";
  const [verb, path, at] = isRead
    ? ["read", src.path, error.srcOffset]
    : ["write", dst.path, error.dstOffset];
  return `Cannot ${verb} "${path}" at ${at} (${error.lengthBytes} bytes): ${reasonOf(error)}`;
}

/** ENODATA has two meanings here: a bad medium, or a source that is shorter than it was. */
function reasonOf({ errno, direction, attempts, madeNoProgress }: ChunkError): string {
  if (madeNoProgress)
    return direction === "read" ? "the source ended early" : "the destination takes nothing more";
  if (errnoName(errno) === "EFAULT") return "the staging memory was taken away (EFAULT)";
  const times = attempts === 1 ? "" : ` after ${attempts} tries`;
  return `${errnoName(errno)} (${errnoText(errno)})${times}`;
}

/** Which of a copy's devices are no longer there, in words. */
export function lostDevices(
  sys: SystemView,
  src: Endpoint,
  dst: Endpoint,
  providers: readonly Provider[],
): string[] {
  const ends = [src, dst].flatMap(({ path, device }) =>
    device && !sys.exists(`/sys/dev/block/${device.number}`) ? [`"${path}" (${device.name}) is gone`] : [],
  );
  const lost = providers.filter((provider) => !isProviderAlive(sys, provider));
  return [...ends, ...lost.map(({ bdf, name }) => `the provider ${bdf} (${name}) is gone`)];
}

const NO_DEVICE = 0xffff;
const VENDOR_AND_DEVICE_BYTES = 4;

/**
 * True while a provider answers and its driver still offers the memory. Reading config space asks the device itself:
 * one that was pulled reads as all ones, and so would its memory, long before the kernel notices.
 */
export function isProviderAlive(sys: SystemView, provider: Provider): boolean {
  const at = `/sys/bus/pci/devices/${provider.bdf}`;
  const config = sys.bytes(`${at}/config`, VENDOR_AND_DEVICE_BYTES);
  if (!sys.exists(`${at}/p2pmem`)) return false;
  return (
    config !== undefined && config.length >= 2 && ((config[1] ?? 0) << 8) + (config[0] ?? 0) !== NO_DEVICE
  );
}

/** A copy that was told to stop. The reason decides the exit code. */
export function interrupted(
  stop: StopSwitch,
  dst: Endpoint,
  doneBytes: bigint,
  totalBytes: bigint,
): P2pdmaError {
  const share = `"${dst.path}" holds ${doneBytes} of ${totalBytes} bytes`;
  if (stop.reason === "time")
    return new P2pdmaError("STOPPED", ExitCode.stopped, `Stopped, its time is up: ${share}`);
  const exit = stop.reason === "SIGTERM" ? ExitCode.terminated : ExitCode.interrupted;
  return new P2pdmaError("INTERRUPTED", exit, `Interrupted: ${share}`);
}

/** True for what a later run can go on from: an error of I/O or of a device, not a mistake of ours. */
export function isResumable(error: unknown): error is P2pdmaError | SyscallError {
  if (error instanceof SyscallError) return true;
  return (
    error instanceof P2pdmaError &&
    ["INTERRUPTED", "STOPPED", "COPY_FAILED", "DATA_DIFFER"].includes(error.code)
  );
}
