// SPDX-License-Identifier: MIT
import { ioctl, type OpenFile } from "./files.ts";
import { bufferAddress } from "./load.ts";
import { type MemoryRange, rangeAddress } from "./memory.ts";

/** One NVMe command for passthrough; what is left out is 0. */
export interface NvmeCommand {
  readonly opcode: number;
  readonly nsid?: number;
  readonly cdw10?: number;
  readonly cdw11?: number;
  readonly cdw12?: number;
  readonly cdw13?: number;
  readonly cdw14?: number;
  readonly cdw15?: number;
  /** Read or written by the drive, as the opcode says. */
  readonly data?: Buffer;
  /** The same in mapped memory, p2pmem too: instead of `data`. */
  readonly memory?: MemoryRange;
}

/** _IOWR('N', 0x41 or 0x43, struct nvme_passthru_cmd) */
const NVME_IOCTL_ADMIN_CMD = 0xc0484e41;
const NVME_IOCTL_IO_CMD = 0xc0484e43;
const COMMAND_BYTES = 72;

/**
 * Sends an admin command to the controller behind a namespace's block or character device and waits for it.
 * @returns the NVMe status field: 0 for success, else status code, type (bits 8 to 10) and Do Not Retry (bit 14).
 * @throws SyscallError when the kernel did not send it: EACCES without CAP_SYS_ADMIN, ENOTTY when it is no NVMe device.
 */
export function nvmeAdminCommand(file: OpenFile, command: NvmeCommand): number {
  return send(file, NVME_IOCTL_ADMIN_CMD, command);
}

/** The same with an I/O command for the namespace, for example Compare. */
export function nvmeIoCommand(file: OpenFile, command: NvmeCommand): number {
  return send(file, NVME_IOCTL_IO_CMD, command);
}

function send(file: OpenFile, request: number, command: NvmeCommand): number {
  const { data, memory } = command;
  const address = memory ? rangeAddress(memory) : data ? bufferAddress(data) : 0;
  const out = Buffer.alloc(COMMAND_BYTES);
  out.writeUInt8(command.opcode, 0);
  out.writeUInt32LE(command.nsid ?? 0, 4);
  out.writeBigUInt64LE(BigInt(address), 24);
  out.writeUInt32LE(memory?.lengthBytes ?? data?.length ?? 0, 36);
  const { cdw10, cdw11, cdw12, cdw13, cdw14, cdw15 } = command;
  for (const [index, word] of [cdw10, cdw11, cdw12, cdw13, cdw14, cdw15].entries()) {
    out.writeUInt32LE((word ?? 0) >>> 0, 40 + index * 4);
  }
  return ioctl(file, request, out);
}
