// SPDX-License-Identifier: MIT
// System calls of a copy, and of fio reading the same bytes and writing them, all threads and the whole program, as
// strace counts them. It slows both down, so that more completes between two calls; the copy's own count of
// io_uring_enter without strace stands beside it.
import type { Figure } from "./figures.ts";
import { inGuest, measuredCopy, p2pdma, type Shell, systemCalls } from "./programs.ts";
import { copyWords, DEPTH, fio, GIB, MIB, TUNED } from "./same-bytes.ts";

const SIZES_BYTES = [128 * MIB, 640 * MIB] as const;

export async function calls(): Promise<Figure[]> {
  return inGuest({ topology: "fast" }, count);
}

async function count(shell: Shell): Promise<Figure[]> {
  const ours = await callsPerGiB(shell, (length) => `${p2pdma} copy --allow-write ${copyWords(length)}`);
  const fioOf = async (more?: string) =>
    (await callsPerGiB(shell, (length) => fio("read", length, more))) +
    (await callsPerGiB(shell, (length) => fio("write", length, more)));
  const theirs = await fioOf();
  const tuned = await fioOf(TUNED);
  const { receipt } = await measuredCopy(shell, copyWords(2 * GIB));
  const enters = Number(receipt.counters.ioUringEnters) / 2;
  console.log(
    `system calls per GiB (strace -c): p2pdma ${ours.toFixed(0)} (untraced: ${enters} io_uring_enter), ` +
      `fio ${theirs.toFixed(0)}, fio tuned ${tuned.toFixed(0)}`,
  );
  const name = `system calls per GiB, 128 KiB, depth ${DEPTH}: to fio's`;
  return [
    {
      name,
      value: ours / theirs,
      required: { atMost: 0.5 },
      detail: `${ours.toFixed(0)} to ${theirs.toFixed(0)}`,
    },
    {
      name: "  io_uring_enter calls without strace, to fio's system calls with",
      value: enters / theirs,
      detail: `${enters.toFixed(0)} to ${theirs.toFixed(0)}`,
    },
    {
      name: "  the same to fio with every saving switched on",
      value: ours / tuned,
      detail: `${ours.toFixed(0)} to ${tuned.toFixed(0)}`,
    },
  ];
}

/** What half a GiB more takes, so that the start of a program is not in it. */
async function callsPerGiB(shell: Shell, command: (lengthBytes: number) => string): Promise<number> {
  const [short, long] = SIZES_BYTES;
  const fewer = await systemCalls(shell, command(short));
  const more = await systemCalls(shell, command(long));
  return ((more - fewer) / (long - short)) * GIB;
}
