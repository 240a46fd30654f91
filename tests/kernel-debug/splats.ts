// SPDX-License-Identifier: MIT

/** How the kernel and its checks begin to complain. */
const PATTERNS: readonly RegExp[] = [
  /\bWARNING:/,
  /\bBUG:/,
  /kernel BUG at/,
  /\bKASAN:/,
  /\bUBSAN:/,
  /\bODEBUG:/,
  /\bOops\b/,
  /general protection fault/,
  /possible (?:circular|recursive|irq|deadlock|unsafe|reason)/i,
  /inconsistent lock/i,
  /suspicious RCU usage/,
  /bad unlock balance|lock held (?:when returning|at task exit)|held lock freed/i,
  /scheduling while atomic|sleeping function called|Voluntary context switch within RCU/,
  /INFO: task .* blocked for more than/,
  /INFO: rcu|rcu: INFO|self-detected stall|detected stalls/,
  /soft lockup|hard LOCKUP/,
  /list_(?:add|del) corruption/,
  /refcount_t:/,
  /Bad page|bad pte|Bad rss-counter|non-zero pgtables_bytes/i,
  /page_table_check/,
  /Call Trace:/,
  /kmemleak: (?:Memory pool empty|Cannot|Kernel memory leak detector disabled)/,
];

/** A report is at most this long: lockdep's tell the whole chain of locks. */
const REPORT_LINES = 120;

/** What none of its users may make the kernel log: each complaint with what follows it. */
export function findSplats(log: readonly string[]): string[][] {
  const reports: string[][] = [];
  for (let index = 0; index < log.length; index++) {
    if (!PATTERNS.some((pattern) => pattern.test(log[index] ?? ""))) continue;
    reports.push(log.slice(index, index + REPORT_LINES));
    index += REPORT_LINES - 1;
  }
  return reports;
}
