// SPDX-License-Identifier: MIT
import type { Readable, Writable } from "node:stream";
import { guestError, type LabError, QemuAbort } from "./errors.ts";
import type { Machine, MachineEnd } from "./machine.ts";
import {
  encodeLine,
  encodeSetup,
  encodeStart,
  type GuestMessage,
  lineSplitter,
  PROTOCOL_VERSION,
  parseGuestLine,
  type Setup,
  type WindowSize,
} from "./protocol.ts";
import { QmpClient } from "./qmp.ts";
import { InputPump, OutputPump } from "./streams.ts";

export interface GuestCommand {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly terminal?: WindowSize;
}

/** How a command ended; `exitCode` is 128 + N for one that signal N killed, as in a shell. */
export interface CommandStatus {
  readonly exitCode: number;
  readonly signal?: number;
}

type Expected = GuestMessage["kind"];

/** A booted guest that runs one command after another. */
export class LabSession {
  readonly qmp: QmpClient;
  /** What the guest's init found odd, for example a drive that never appeared. */
  readonly warnings: string[] = [];
  private readonly input: InputPump;
  private readonly output: OutputPump;
  private readonly errors: OutputPump;
  private readonly waiting: { kinds: Expected[]; settle: (message: GuestMessage | LabError) => void }[] = [];
  private failure: LabError | undefined;
  private isUp = false;
  private isOff = false;
  private closing: Promise<void> | undefined;
  private isBusy = false;
  private isRunning = false;

  constructor(private readonly machine: Machine) {
    const { control, stdin, stdout, stderr, qmp } = machine.channels;
    this.qmp = new QmpClient(qmp);
    this.input = new InputPump(stdin);
    this.output = new OutputPump(stdout);
    this.errors = new OutputPump(stderr);
    control.on(
      "data",
      lineSplitter((line) => this.receive(line)),
    );
    void machine.exited.then((end) => this.fail(this.death(end)));
  }

  /** The last lines of the guest's kernel console, at most 200. */
  consoleTail(): string[] {
    return this.machine.console.lines();
  }

  get pid(): number {
    return this.machine.pid;
  }

  /** Waits until the guest has mounted everything and found its drives. */
  async boot(setup: Setup, timeoutMs: number): Promise<void> {
    const timer = setTimeout(
      () => this.kill(`The lab guest did not come up within ${timeoutMs / 1000} s`),
      timeoutMs,
    );
    // Both at once: one read may bring both lines.
    const [hello, ready] = [this.expect("hello"), this.expect("ready")];
    ready.catch(() => {}); // reported by `hello`
    try {
      await hello;
      this.isUp = true;
      this.machine.channels.control.write(encodeSetup(setup, Date.now()));
      await ready;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs one command to its end. @throws LabError when the guest dies before it. */
  async run(command: GuestCommand): Promise<CommandStatus> {
    if (this.isBusy) throw new TypeError("a lab guest runs one command at a time");
    this.isBusy = true;
    return this.runAlone(command).finally(() => {
      this.isBusy = this.isRunning = false;
    });
  }

  private async runAlone(command: GuestCommand): Promise<CommandStatus> {
    const ended = this.expect("exit", "signal");
    ended.catch(() => {}); // a guest that dies early is reported by `started`
    const started = this.expect("started");
    this.output.attach(command.stdout);
    this.errors.attach(command.stderr);
    this.machine.channels.control.write(encodeStart({ ...command, stdinBase: this.input.total }));
    try {
      await started;
      this.isRunning = true;
      this.input.attach(command.stdin, (total) => this.tell("eof", total));
      const end = await ended;
      this.isRunning = false;
      if (end.kind !== "exit" && end.kind !== "signal") throw new TypeError("unreachable");
      await this.drain(end.stdoutBytes, end.stderrBytes);
      return end.kind === "exit"
        ? { exitCode: end.status }
        : { exitCode: 128 + end.status, signal: end.status };
    } finally {
      this.input.detach();
    }
  }

  /** Sends a signal to the command's process group; false when none runs. */
  signal(number: number): boolean {
    if (this.isRunning) this.tell("signal", number);
    return this.isRunning;
  }

  resize({ rows, columns }: WindowSize): void {
    this.tell("size", rows, columns);
  }

  /** Powers the guest off, with its files synced, and waits for QEMU to be gone. */
  close(timeoutMs = 10_000): Promise<void> {
    this.closing ??= this.powerOff(timeoutMs);
    return this.closing;
  }

  private async powerOff(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.machine.kill(), timeoutMs);
    if (!this.failure) {
      const off = this.expect("off");
      this.tell("poweroff");
      await off.catch(() => {});
    }
    this.isOff = true;
    this.machine.kill();
    await this.machine.exited;
    clearTimeout(timer);
  }

  /** Ends the guest now; what waits for it fails with this reason. */
  kill(reason: string): void {
    this.fail(guestError(reason, this.consoleTail()));
  }

  /** The status may overtake the last output: they travel through different ports. */
  private async drain(stdoutBytes: number, stderrBytes: number): Promise<void> {
    const complete = await Promise.all([this.output.drained(stdoutBytes), this.errors.drained(stderrBytes)]);
    if (complete.every(Boolean)) return;
    await this.machine.exited;
    throw this.failure ?? this.death({ how: "output was lost", isAbort: false });
  }

  private tell(verb: "eof" | "signal" | "size" | "poweroff", ...numbers: number[]): void {
    this.machine.channels.control.write(encodeLine(verb, ...numbers));
  }

  private expect(...kinds: Expected[]): Promise<GuestMessage> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      const settle = (message: GuestMessage | LabError) =>
        message instanceof Error ? reject(message) : resolve(message);
      this.waiting.push({ kinds, settle });
    });
  }

  private receive(line: string): void {
    try {
      this.handle(parseGuestLine(line));
    } catch (cause) {
      this.kill((cause as Error).message);
    }
  }

  private handle(message: GuestMessage): void {
    if (message.kind === "warning") this.warnings.push(message.text);
    if (message.kind === "fatal") this.kill(`The lab guest gave up: ${message.text}`);
    if (message.kind === "hello" && message.version !== PROTOCOL_VERSION) {
      this.fail(guestError("The lab's guest init is of another version", [], "p2pdma lab build"));
    }
    const index = this.waiting.findIndex(({ kinds }) => kinds.includes(message.kind));
    if (index >= 0) this.waiting.splice(index, 1)[0]?.settle(message);
  }

  private fail(error: LabError): void {
    if (this.failure || this.isOff) return;
    this.failure = error;
    this.machine.kill();
    for (const { settle } of this.waiting.splice(0)) settle(error);
  }

  private death({ how, isAbort }: MachineEnd): LabError {
    const lines = this.consoleTail();
    if (isAbort && !this.isUp) return new QemuAbort(`The lab guest did not start: ${how}`);
    const panic = lines.find((line) => line.includes("Kernel panic"))?.replace(/^\[[ 0-9.]*\] */, "");
    return guestError(`The lab guest ${this.isUp ? "died" : "did not start"}: ${panic ?? how}`, lines);
  }
}
