// SPDX-License-Identifier: MIT
// A copy, and fio moving the same bytes one way each through the same memory, with the same chunk and depth.
import { ALLOCATE } from "./programs.ts";

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
export const DEPTH = 8;
const CHUNK_BYTES = 128 << 10;

/** Each setting that makes fio cheaper. */
export const TUNED =
  `--registerfiles --gtod_reduce=1 --iodepth_batch_submit=${DEPTH} ` +
  `--iodepth_batch_complete_min=1 --iodepth_batch_complete_max=${DEPTH}`;

export const copyWords = (lengthBytes: number) =>
  `--via p2p --chunk ${CHUNK_BYTES} --depth ${DEPTH} --length ${lengthBytes} /dev/lab/A /dev/lab/B`;

export const fio = (direction: "read" | "write", lengthBytes: number, more = "") =>
  `fio --name=one --filename=/dev/lab/${direction === "read" ? "A" : "B"} --rw=${direction} --bs=${CHUNK_BYTES} ` +
  `--iodepth=${DEPTH} --direct=1 --ioengine=io_uring --mem=mmapshared:${ALLOCATE} --size=${lengthBytes} ${more} ` +
  "--output=/dev/null";
