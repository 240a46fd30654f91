// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { P2pdmaError } from "../../../../core/errors.ts";
import { type Comparer, compareMemory } from "../../../../core/nvme/compare-memory.ts";
import type { MemoryRange, Native, NvmeCommand } from "../../../../ffi/index.ts";

const LBA = 512;
const BASE_LBA = 2n ** 33n;
const COMPARE_FAILURE = 0x4285; // Do Not Retry is set

const comparer: Comparer = {
  ...{ file: { fd: 3, path: "/dev/ng0n1" }, nsid: 7, lbaBytes: LBA, maxBytes: 5 * LBA },
  baseBytes: BASE_LBA * BigInt(LBA),
};

/** A drive that differs from memory in some LBAs of its end; the range of memory begins at LBA 2 of a buffer. */
function driveWith(differing: readonly number[], status = COMPARE_FAILURE) {
  const commands: NvmeCommand[] = [];
  const nvmeIoCommand = (_file: unknown, command: NvmeCommand): number => {
    commands.push(command);
    const lba = Number(BigInt(command.cdw10 ?? 0) + (BigInt(command.cdw11 ?? 0) << 32n) - BASE_LBA);
    const count = (command.cdw12 ?? 0) + 1;
    assert.is(command.opcode, 5);
    assert.is(command.nsid, 7);
    assert.is(command.memory?.lengthBytes, count * LBA);
    assert.is(command.memory?.offsetBytes, (lba - 100 + 2) * LBA);
    assert.ok(count <= 5);
    return differing.some((one) => one >= lba - 100 && one < lba - 100 + count) ? status : 0;
  };
  return { native: { nvmeIoCommand } as unknown as Native, commands };
}

const range = (lbas: number) => ({ offsetBytes: 2 * LBA, lengthBytes: lbas * LBA }) as unknown as MemoryRange;

test("compareMemory() finds the first LBA that differs, wherever it is", () => {
  for (let lbas = 1; lbas <= 13; lbas++) {
    assert.is(compareMemory(driveWith([]).native, comparer, range(lbas), 100n * BigInt(LBA)), undefined);
    for (let first = 0; first < lbas; first++) {
      const { native } = driveWith([first, lbas - 1]);
      assert.is(compareMemory(native, comparer, range(lbas), 100n * BigInt(LBA)), first * LBA);
    }
  }
});

test("compareMemory() asks no more than it must: one command a piece, and halving in one of them", () => {
  const { native, commands } = driveWith([8]);
  compareMemory(native, comparer, range(13), 100n * BigInt(LBA));
  assert.ok(commands.length <= 2 + Math.ceil(Math.log2(5)), String(commands.length));
});

test("compareMemory() takes no other answer for a difference", () => {
  const { native } = driveWith([1], 0x281);
  assert.throws(
    () => compareMemory(native, comparer, range(2), 100n * BigInt(LBA)),
    (error: unknown) =>
      error instanceof P2pdmaError &&
      error.message ===
        'Cannot compare "/dev/ng0n1" at LBA 8589934692: Unrecovered Read Error (status 0x281)',
  );
});

test.run();
