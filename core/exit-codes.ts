// SPDX-License-Identifier: MIT

/** Exit codes of every command. Frozen: scripts depend on them. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  noPeerToPeer: 3,
  dataDiffer: 4,
  badRanges: 5,
  stopped: 6,
  refused: 7,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** One sentence for each, for help, manual and README. */
export const exitCodeMeaning: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "failed",
  2: "wrong usage: nothing was tried",
  3: "peer-to-peer is not possible here",
  4: "data differ",
  5: "finished, with bad ranges left out",
  6: "stopped by an error, can be resumed",
  7: "refused for safety: nothing was touched",
  130: "interrupted by SIGINT",
  143: "interrupted by SIGTERM",
};
