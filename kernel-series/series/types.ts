// SPDX-License-Identifier: MIT

/**
 * How sure a fact is. code: read in the sources of Debian's Linux 6.1.192 or 6.12.117. mail: said in the
 * mail named. noted: taken from notes on the kernel's history, and not looked up again. inferred: our
 * conclusion. unverified: nobody could be asked.
 */
export type Trust = "code" | "mail" | "noted" | "inferred" | "unverified";

export interface Source {
  readonly trust: Trust;
  /** Commit, file and name, or mail. */
  readonly text: string;
}

/** merged: as proposed. reworked: with another interface. replaced: something else does it. dropped: not needed. */
export type Fate = "merged" | "reworked" | "replaced" | "dropped";

export const groups = ["page references", "DMA mapping", "drivers", "direct I/O", "user space"] as const;
export type Group = (typeof groups)[number];

/** One patch of the fifth version. */
export interface SeriesPatch {
  /** As in the cover letter, 1 to 24. */
  readonly number: number;
  /** As it was sent. */
  readonly title: string;
  readonly author: string;
  readonly group: Group;
  /** Directory or subsystem of the kernel. */
  readonly subsystem: string;
  /** What it is for. */
  readonly purpose: string;
  /** Patches of the series that it builds on. */
  readonly needs: readonly number[];
  readonly fate: Fate;
  /** What became of it. */
  readonly outcome: string;
  /** First mainline release with it, or with what replaced it. */
  readonly mainline: string | undefined;
  /** Where later versions of the series, or of the kernel, do it differently. */
  readonly changes: readonly string[];
  /** What `p2pdma kernel status` calls it. */
  readonly feature: string | undefined;
  readonly sources: readonly Source[];
}

/** One posting of the series. */
export interface Revision {
  readonly name: string;
  /** Day it was sent, as exactly as known. */
  readonly date: string;
  readonly base: string | undefined;
  readonly what: string;
  /** What a program sees differently; undefined when nothing. */
  readonly interface: string | undefined;
  readonly sources: readonly Source[];
}

/** What came before or after the series. */
export interface Episode {
  readonly when: string;
  readonly title: string;
  readonly what: string;
  /** First mainline release; undefined when it never was in one, or not that we know. */
  readonly mainline: string | undefined;
  readonly feature: string | undefined;
  readonly sources: readonly Source[];
}

export const code = (text: string): Source => ({ trust: "code", text });
export const mail = (text: string): Source => ({ trust: "mail", text });
export const noted = (text: string): Source => ({ trust: "noted", text });
export const inferred = (text: string): Source => ({ trust: "inferred", text });
export const unverified = (text: string): Source => ({ trust: "unverified", text });
