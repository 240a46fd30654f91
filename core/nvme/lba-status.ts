// SPDX-License-Identifier: MIT
import type { NvmeCommand } from "../../ffi/index.ts";

/** A run of LBAs. `endLba` is exclusive. */
export interface LbaRun {
  readonly startLba: bigint;
  readonly endLba: bigint;
}

const GET_LBA_STATUS = 0x86;
/** ATYPE 02h: allocated LBAs. 10h and 11h, the older ones, list potentially unrecoverable LBAs, which is no help here. */
const ALLOCATED = 0x02;
const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;
const ANSWER_BYTES = 4096;
const COMPLETE = 0x02;

/** A drive in pieces all over would need millions of commands; the rest then counts as allocated. */
const MOST_COMMANDS = 65_536;

/**
 * The LBAs of a range that the drive counts as allocated, by Get LBA Status with action type 02h (NVM Command Set
 * Specification 1.1, the Get LBA Status command). Whatever the answer leaves open counts as allocated.
 * @param send sends the admin command and answers its NVMe status.
 * @returns runs in the order of the answer, touching ones joined; or the NVMe status with which the drive refused.
 */
export function readAllocatedRuns(
  send: (command: NvmeCommand) => number,
  nsid: number,
  range: LbaRun,
): LbaRun[] | number {
  const data = Buffer.alloc(ANSWER_BYTES);
  const runs: LbaRun[] = [];
  let at = range.startLba;
  for (let commands = 0; at < range.endLba && commands < MOST_COMMANDS; commands++) {
    const status = send(makeCommand(nsid, at, data.fill(0)));
    if (status !== 0) return status;
    const answer = parseLbaStatus(data);
    for (const run of answer.runs) append(runs, clip(run, { startLba: at, endLba: range.endLba }));
    const end = answer.runs.at(-1)?.endLba ?? at;
    if (answer.isComplete || end >= range.endLba) return runs;
    if (end <= at) break; // nothing told about what follows
    at = end;
  }
  append(runs, { startLba: at, endLba: range.endLba });
  return runs;
}

/** RL 0 in the lower half of dword 13: up to the namespace's end. MNDW in dword 12 counts from 0. */
function makeCommand(nsid: number, startLba: bigint, data: Buffer): NvmeCommand {
  return {
    opcode: GET_LBA_STATUS,
    nsid,
    cdw10: Number(startLba & 0xffff_ffffn),
    cdw11: Number(startLba >> 32n),
    cdw12: data.length / 4 - 1,
    cdw13: ALLOCATED << 24,
    data,
  };
}

/** The descriptor list: NLSD and CMPC, then runs with NLB counted from 0. */
export function parseLbaStatus(data: Buffer): { isComplete: boolean; runs: LbaRun[] } {
  const room = Math.floor((data.length - HEADER_BYTES) / DESCRIPTOR_BYTES);
  const count = Math.min(data.readUInt32LE(0), room);
  const runs = Array.from({ length: count }, (_, index) => {
    const at = HEADER_BYTES + index * DESCRIPTOR_BYTES;
    const startLba = data.readBigUInt64LE(at);
    return { startLba, endLba: startLba + BigInt(data.readUInt32LE(at + 8)) + 1n };
  });
  return { isComplete: data.readUInt8(4) === COMPLETE, runs };
}

function clip(run: LbaRun, bounds: LbaRun): LbaRun {
  return {
    startLba: run.startLba > bounds.startLba ? run.startLba : bounds.startLba,
    endLba: run.endLba < bounds.endLba ? run.endLba : bounds.endLba,
  };
}

function append(runs: LbaRun[], run: LbaRun): void {
  if (run.endLba <= run.startLba) return;
  const last = runs.at(-1);
  if (last && run.startLba <= last.endLba) {
    runs[runs.length - 1] = {
      startLba: run.startLba < last.startLba ? run.startLba : last.startLba,
      endLba: run.endLba > last.endLba ? run.endLba : last.endLba,
    };
  } else runs.push(run);
}
