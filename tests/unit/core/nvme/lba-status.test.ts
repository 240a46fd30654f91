// SPDX-License-Identifier: MIT
// No emulated drive has Get LBA Status, so its answers are made here, byte by byte as the specification has them.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseLbaStatus, readAllocatedRuns } from "../../../../core/nvme/lba-status.ts";
import type { NvmeCommand } from "../../../../ffi/index.ts";

type Run = readonly [startLba: bigint, lbas: number];

function answer(data: Buffer, runs: readonly Run[], condition: number): void {
  data.writeUInt32LE(runs.length, 0);
  data.writeUInt8(condition, 4);
  for (const [index, [startLba, lbas]] of runs.entries()) {
    data.writeBigUInt64LE(startLba, 8 + index * 16);
    data.writeUInt32LE(lbas - 1, 16 + index * 16);
    data.writeUInt8(0b010, 21 + index * 16);
  }
}

/** A drive that reports these runs, so many a command. */
function fakeDrive(runs: readonly Run[], most: number, last = 2) {
  const commands: NvmeCommand[] = [];
  const send = (command: NvmeCommand): number => {
    commands.push({ ...command });
    const from = BigInt(command.cdw10 ?? 0) | (BigInt(command.cdw11 ?? 0) << 32n);
    const left = runs.filter(([startLba, lbas]) => startLba + BigInt(lbas) > from);
    answer(command.data ?? Buffer.alloc(0), left.slice(0, most), left.length > most ? 1 : last);
    return 0;
  };
  return { send, commands };
}

const range = (startLba: bigint, endLba: bigint) => ({ startLba, endLba });
const FAR = 1n << 33n;

test("the command asks for allocated LBAs up to the end, in a buffer that is told in full", () => {
  const drive = fakeDrive([], 8);
  readAllocatedRuns(drive.send, 3, range(FAR + 5n, FAR + 100n));
  const [command] = drive.commands;
  assert.equal([command?.opcode, command?.nsid, command?.cdw10, command?.cdw11], [0x86, 3, 5, 2]);
  assert.equal([command?.cdw12, command?.cdw13], [4096 / 4 - 1, 0x02000000]);
  assert.is(command?.data?.length, 4096);
});

test("runs are cut to the range and joined where they touch", () => {
  const runs: Run[] = [
    [0n, 20],
    [30n, 10],
    [40n, 10],
    [90n, 50],
  ];
  const found = readAllocatedRuns(fakeDrive(runs, 8).send, 1, range(10n, 100n));
  assert.equal(found, [range(10n, 20n), range(30n, 50n), range(90n, 100n)]);
});

test("an incomplete answer is followed up from where it ends", () => {
  const runs = Array.from({ length: 9 }, (_, index): Run => [BigInt(index) * 10n, 4]);
  const drive = fakeDrive(runs, 2);
  const found = readAllocatedRuns(drive.send, 1, range(0n, 1000n));
  assert.is(drive.commands.length, 5);
  assert.equal(
    found,
    runs.map(([startLba]) => range(startLba, startLba + 4n)),
  );
});

test("it ends when the answer has passed the range", () => {
  const runs = Array.from({ length: 100 }, (_, index): Run => [BigInt(index) * 10n, 4]);
  const drive = fakeDrive(runs, 2);
  assert.equal(readAllocatedRuns(drive.send, 1, range(0n, 12n)), [range(0n, 4n), range(10n, 12n)]);
  assert.is(drive.commands.length, 1);
});

test("a complete answer without runs: nothing is allocated", () => {
  assert.equal(readAllocatedRuns(fakeDrive([], 8).send, 1, range(0n, 1000n)), []);
});

test("what an answer leaves open counts as allocated", () => {
  const open = fakeDrive([[0n, 10]], 8, 0);
  assert.equal(readAllocatedRuns(open.send, 1, range(0n, 1000n)), [range(0n, 1000n)]);
  assert.equal(readAllocatedRuns(fakeDrive([], 8, 0).send, 1, range(5n, 9n)), [range(5n, 9n)]);
  assert.equal(readAllocatedRuns(fakeDrive([], 8, 1).send, 1, range(5n, 9n)), [range(5n, 9n)]);
});

test("a refusal is its status", () => {
  assert.is(
    readAllocatedRuns(() => 0x4001, 1, range(0n, 10n)),
    0x4001,
  );
});

test("a count beyond the buffer is not believed", () => {
  const data = Buffer.alloc(4096);
  data.writeUInt32LE(0xffffffff, 0);
  assert.is(parseLbaStatus(data).runs.length, 255);
});

test.run();
