// SPDX-License-Identifier: MIT
/*
 * What the runner and the guest's init tell each other, in lines, over the
 * control port. The other side of it is lab/guest/control.c.
 *
 *   host   setup LENGTH\n<strings>   the time, shares to mount, drives to wait for; the answer to hello
 *          start LENGTH\n<strings>   run a command
 *          eof TOTAL                 stdin ends after that many bytes since boot
 *          signal N                  to the command's process group
 *          size ROWS COLUMNS         of the command's terminal
 *          poweroff
 *   guest  hello VERSION             the first words
 *          ready                     all is mounted, send a start
 *          started                   the command runs, send its input
 *          exit STATUS OUT ERR       it ended; bytes written to stdout and stderr since boot
 *          signal N OUT ERR          likewise, killed by a signal
 *          warning TEXT, fatal TEXT
 *          off                       everything is on disk, the power goes
 *
 * <strings> are `key=value`, each ended by a NUL, LENGTH bytes in all.
 */

export const PROTOCOL_VERSION = 1;

export interface Share {
  readonly tag: string;
  readonly path: string;
}

export interface Setup {
  readonly shares: readonly Share[];
  /** In the order the guest numbers them: nvme0, nvme1… */
  readonly driveSerials: readonly string[];
}

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Start {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Bytes sent to stdin before this command: not for it. */
  readonly stdinBase: number;
  /** Run on a terminal of this size instead of on pipes. */
  readonly terminal?: WindowSize;
}

export type GuestMessage =
  | { readonly kind: "hello"; readonly version: number }
  | { readonly kind: "ready" | "started" | "off" }
  | { readonly kind: "warning" | "fatal"; readonly text: string }
  | {
      readonly kind: "exit" | "signal";
      readonly status: number;
      readonly stdoutBytes: number;
      readonly stderrBytes: number;
    };

export function encodeSetup(setup: Setup, nowMs: number): Buffer {
  return withStrings("setup", [
    `clock=${Math.round(nowMs)}`,
    ...setup.shares.map(({ tag, path }) => `share=${tag}:${path}`),
    ...setup.driveSerials.map((serial) => `drive=${serial}`),
  ]);
}

export function encodeStart(start: Start): Buffer {
  const terminal = start.terminal;
  return withStrings("start", [
    ...start.command.map((argument) => `arg=${argument}`),
    ...Object.entries(start.env).map(([name, value]) => `env=${name}=${value}`),
    `cwd=${start.cwd}`,
    `stdin=${start.stdinBase}`,
    ...(terminal ? [`tty=${terminal.rows}x${terminal.columns}`] : []),
  ]);
}

export function encodeLine(verb: "eof" | "signal" | "size" | "poweroff", ...numbers: number[]): Buffer {
  return Buffer.from(`${[verb, ...numbers].join(" ")}\n`);
}

function withStrings(verb: string, strings: readonly string[]): Buffer {
  const nul = strings.find((text) => text.includes("\0"));
  if (nul !== undefined)
    throw new RangeError(`${JSON.stringify(nul)} cannot be passed on: it contains a NUL`);
  const payload = Buffer.from(strings.map((text) => `${text}\0`).join(""));
  return Buffer.concat([Buffer.from(`${verb} ${payload.length}\n`), payload]);
}

/** @throws RangeError for a line no init of this version writes. */
export function parseGuestLine(line: string): GuestMessage {
  const [verb = "", ...words] = line.split(" ");
  if (verb === "ready" || verb === "started" || verb === "off") return { kind: verb };
  if (verb === "warning" || verb === "fatal") return { kind: verb, text: words.join(" ") };
  const numbers = words.map(Number);
  if (verb === "hello" && numbers.length === 1) return { kind: verb, version: numbers[0] ?? 0 };
  const [status, stdoutBytes, stderrBytes] = numbers;
  if (
    (verb === "exit" || verb === "signal") &&
    [status, stdoutBytes, stderrBytes].every(Number.isSafeInteger)
  ) {
    return { kind: verb, status, stdoutBytes, stderrBytes } as GuestMessage;
  }
  throw new RangeError(`The lab guest said ${JSON.stringify(line)}`);
}

/** Cuts a byte stream into lines. */
export function lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.toString("utf8", 0, end);
      rest = rest.subarray(end + 1);
      onLine(line);
    }
  };
}
