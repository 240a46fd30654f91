// SPDX-License-Identifier: MIT
import type { Command } from "commander";
import { expandBareOptions } from "../../../cli/argv.ts";
import { processContext } from "../../../cli/context.ts";
import { copyCommand } from "../../../cli/copy.ts";
import { doctorCommand } from "../../../cli/doctor.ts";
import { reportError } from "../../../cli/report-error.ts";

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `p2pdma copy` in this process, since starting one takes seconds in the guest. */
export function copyInProcess(...args: string[]): Promise<Ended> {
  return run(copyCommand(), args);
}

/** `p2pdma doctor`; not for probes, which start the program anew. */
export function doctorInProcess(...args: string[]): Promise<Ended> {
  return run(doctorCommand(), args);
}

async function run(command: Command, args: readonly string[]): Promise<Ended> {
  const printed = { stdout: "", stderr: "" };
  const writers = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = (text: string | Uint8Array) => {
      printed[name] += text;
      return true;
    };
  }
  process.exitCode = 0;
  try {
    await command.parseAsync(expandBareOptions([...args]), { from: "user" });
  } catch (error) {
    process.exitCode = reportError(processContext, error);
  } finally {
    Object.assign(process.stdout, { write: writers.stdout });
    Object.assign(process.stderr, { write: writers.stderr });
  }
  const status = Number(process.exitCode);
  process.exitCode = 0;
  return { status, ...printed };
}
