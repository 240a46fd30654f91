// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type OpenFile, SyscallError } from "../../ffi/index.ts";
import type { NamespaceIdentity } from "../nvme/identify.ts";
import { type NamespaceTarget, namespaceTargetOf, noCharDevice } from "../nvme/namespace-target.ts";
import { isAtLeast, parseKernelVersion } from "../pci/p2pdma-history.ts";
import type { CopyPlan } from "./prepare.ts";
import type { CopyEnvironment } from "./request.ts";

/** Both ends of a copy by NVMe Read and Write commands. */
export interface PassthroughTargets {
  readonly read: NamespaceTarget;
  readonly write: NamespaceTarget;
}

/** Before, a command that the kernel could not send looked like one that succeeded. */
const FIRST_KERNEL = { major: 6, minor: 7 };

/**
 * What `--engine passthrough` sends its commands to, or the reason in words why it can't. Tries what needs permission:
 * opening the character devices.
 */
export function passthroughTargets(
  env: CopyEnvironment,
  { src, dst, request }: Pick<CopyPlan, "src" | "dst" | "request">,
): PassthroughTargets | string {
  const kernel = kernelProblem(env);
  if (kernel !== undefined) return kernel;
  const unfit = (disk: string, identity: NamespaceIdentity) => plainProblem(env, disk, identity);
  const read = namespaceTargetOf(env, src, unfit);
  if (typeof read === "string") return read;
  const write = namespaceTargetOf(env, dst, unfit);
  if (typeof write === "string") return write;
  const maxBytes = Math.min(read.maxBytes, write.maxBytes);
  if (request.chunkBytes > maxBytes) {
    return `one command of these drives carries ${maxBytes} bytes at most, --chunk is ${request.chunkBytes}`;
  }
  return openProblem(env, read, write) ?? { read, write };
}

/** @throws SyscallError */
export function openTargets(
  { native }: Pick<CopyEnvironment, "native">,
  { read, write }: PassthroughTargets,
) {
  const opened: OpenFile[] = [];
  const close = () => {
    for (const file of opened) native.close(file);
  };
  const open = (target: NamespaceTarget, flags: number) => {
    const file = native.open(target.charDevice, flags);
    opened.push(file);
    return { ...target, file };
  };
  try {
    return {
      read: open(read, constants.O_RDONLY),
      write: open(write, constants.O_RDWR),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function openProblem(
  env: CopyEnvironment,
  read: NamespaceTarget,
  write: NamespaceTarget,
): string | undefined {
  try {
    openTargets(env, { read, write }).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return `"${error.target}" can't be opened: ${error.code}`;
  }
}

function kernelProblem({ sys }: CopyEnvironment): string | undefined {
  const release = sys.text("/proc/sys/kernel/osrelease") ?? "unknown";
  const version = parseKernelVersion(release);
  const { major, minor } = FIRST_KERNEL;
  const isNew = version && isAtLeast(version, major, minor);
  return isNew ? undefined : `it needs Linux ${major}.${minor} or newer, this is ${release}`;
}

/** Commands complete in any order and carry data alone. */
function plainProblem(
  { sys }: CopyEnvironment,
  disk: string,
  identity: NamespaceIdentity,
): string | undefined {
  if (identity.metadataBytes > 0) {
    return `"${disk}" keeps ${identity.metadataBytes} bytes of metadata with each LBA, which the commands would leave out`;
  }
  const zoned = sys.text(`/sys/class/block/${disk}/queue/zoned`) ?? "none";
  if (zoned !== "none") return `"${disk}" has zones, which are written in order`;
  return identity.charDevice === undefined ? noCharDevice(disk) : undefined;
}
