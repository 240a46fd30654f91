// SPDX-License-Identifier: MIT
import { constants } from "node:os";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Forwarded = (typeof FORWARDED)[number];

const PATIENCE_MS = 5000;

export interface InterruptHandlers {
  /** Passes the signal on; false when there is no command yet to pass it to. */
  readonly forward: (signal: number) => boolean;
  readonly kill: () => void;
}

/**
 * The first signal is the command's to handle; a second one, or a command that does not end
 * within five seconds, ends the guest.
 */
export class Interrupts {
  /** The signal the guest was killed for, if it was. */
  killedBy: number | undefined;
  private first = true;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly handlers: InterruptHandlers) {
    for (const name of FORWARDED) process.on(name, this.receive);
  }

  stop(): void {
    clearTimeout(this.timer);
    for (const name of FORWARDED) process.off(name, this.receive);
  }

  private readonly receive = (name: NodeJS.Signals): void => {
    const signal = constants.signals[name as Forwarded];
    if (this.first && this.handlers.forward(signal)) {
      this.timer = setTimeout(() => this.kill(signal), PATIENCE_MS);
    } else {
      this.kill(signal);
    }
    this.first = false;
  };

  private kill(signal: number): void {
    this.killedBy = signal;
    this.handlers.kill();
  }
}
