// SPDX-License-Identifier: MIT
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { ConsoleTail } from "./console-tail.ts";
import { LabError } from "./errors.ts";

/** The virtio-serial ports of the guest, and QEMU's monitor. */
export const CHANNELS = ["control", "stdin", "stdout", "stderr", "qmp"] as const;
export type Channel = (typeof CHANNELS)[number];

/** 0 to 2 are QEMU's own, 1 being the guest's serial console; then come the channels. */
const FIRST_CHANNEL_FD = 3;
/** Descriptors that the caller hands over are numbered from here in QEMU. */
export const FIRST_FILE_FD = FIRST_CHANNEL_FD + CHANNELS.length;

export function channelFd(channel: Channel): number {
  return FIRST_CHANNEL_FD + CHANNELS.indexOf(channel);
}

/** How QEMU ended. */
export interface MachineEnd {
  /** In words, with QEMU's own. */
  readonly how: string;
  /** By abort(): one of its assertions failed. */
  readonly isAbort: boolean;
}

/** A QEMU process, the sockets to it, and what its console said. */
export interface Machine {
  readonly pid: number;
  readonly channels: Readonly<Record<Channel, Duplex>>;
  readonly console: ConsoleTail;
  /** Settles once QEMU has ended. */
  readonly exited: Promise<MachineEnd>;
  kill(): void;
}

/**
 * Starts QEMU with sockets for its channels and `files` as descriptors from FIRST_FILE_FD on.
 * In a session of its own, so that Ctrl-C at the terminal is ours to handle, and bound to the
 * life of this process even if that is SIGKILLed.
 */
export function startMachine(qemu: string, args: readonly string[], files: readonly number[]): Machine {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...CHANNELS.map(() => "pipe" as const), ...files];
  const setpriv = findProgram("setpriv");
  const [program, prefix] = setpriv ? [setpriv, ["--pdeathsig", "KILL", "--", qemu]] : [qemu, []];
  const child = spawn(program, [...prefix, ...args], { stdio, detached: true });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);

  const console = new ConsoleTail();
  child.stdout?.on("data", (chunk: Buffer) => console.push(chunk));
  const exited = describeExit(child).finally(() => process.off("exit", kill));
  return { pid: child.pid ?? 0, channels: channelsOf(child), console, exited, kill };
}

function channelsOf(child: ChildProcess): Record<Channel, Duplex> {
  const entries = CHANNELS.map((channel) => {
    const socket = child.stdio[channelFd(channel)] as Duplex;
    // QEMU's end closes when it ends, which `exited` reports; a late write must not crash us.
    socket.on("error", () => {});
    return [channel, socket] as const;
  });
  return Object.fromEntries(entries) as Record<Channel, Duplex>;
}

/** QEMU's own words are kept: they tell why it would not start. */
function describeExit(child: ChildProcess): Promise<MachineEnd> {
  const messages: Buffer[] = [];
  (child.stderr as Readable).on("data", (chunk: Buffer) => messages.push(chunk));
  return new Promise((resolve) => {
    child.once("error", (error) =>
      resolve({ how: `QEMU could not be started: ${error.message}`, isAbort: false }),
    );
    child.once("close", (code, signal) => {
      const how = signal ? `QEMU was killed by ${signal}` : `QEMU ended with exit code ${code}`;
      const said = Buffer.concat(messages).toString().trim();
      resolve({ how: said === "" ? how : `${how}: ${said}`, isAbort: signal === "SIGABRT" });
    });
  });
}

/** @throws LabError with the package to install. */
export function findQemu(env: NodeJS.ProcessEnv = process.env): string {
  const wanted = env.P2PDMA_LAB_QEMU ?? "qemu-system-x86_64";
  const found = wanted.includes("/") ? wanted : findProgram(wanted, env);
  if (found && isExecutable(found)) return found;
  throw new LabError(`Cannot run the lab: "${wanted}" is not installed`, {
    hint: "apt-get install qemu-system-x86",
  });
}

export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const directories = (env.PATH ?? "/usr/bin:/bin").split(delimiter).filter(Boolean);
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
