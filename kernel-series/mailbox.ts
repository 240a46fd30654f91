// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seriesFolder } from "./folders.ts";
import { patchNames } from "./inputs.ts";

/** What `git format-patch --zero-commit` puts before each mail; git am knows a mailbox by it. */
const SEPARATOR = `From ${"0".repeat(40)} Mon Sep 17 00:00:00 2001\n`;

/** The patches as one mailbox for git am, in order; mails end with an empty line. */
export function exportMailbox(series = seriesFolder()): string {
  return patchNames(series)
    .map((name) => readFileSync(join(series, "patches", name), "utf8"))
    .map((mail) => `${mail.startsWith("From ") ? mail : SEPARATOR + mail}`.replace(/\n*$/, "\n\n"))
    .join("");
}

/** The mail that introduces the series, ready for git send-email. */
export function exportCover(series = seriesFolder()): string {
  return SEPARATOR + readFileSync(join(series, "patches", "0000-cover-letter.patch"), "utf8");
}
