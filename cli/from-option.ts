// SPDX-License-Identifier: MIT
import { closeSync, openSync, readSync } from "node:fs";
import { Option } from "commander";
import { captureLimits } from "../core/capture/format.ts";
import { parseCapture } from "../core/capture/parse.ts";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SystemFiles, type SystemView } from "../core/sysfs.ts";

/** `--from FILE`, for commands that can look at a machine that is not here. */
export function fromOption(): Option {
  return new Option(
    "--from <file>",
    "look at the machine of this capture (see p2pdma capture), not at this one",
  );
}

/**
 * The machine a command is about: this one, or that of a capture.
 * @throws P2pdmaError NOT_FOUND, BAD_CAPTURE
 */
export function viewFrom(file: string | undefined): SystemView {
  return file === undefined ? new SystemFiles() : parseCapture(readAtMost(file), file).view;
}

/** Reads one byte more than a capture may have at most, which tells that it has more. Pipes will do. */
function readAtMost(file: string): Uint8Array {
  const buffer = Buffer.alloc(READ_BYTES);
  const parts: Uint8Array[] = [];
  const fd = openFile(file);
  try {
    let total = 0;
    while (total <= captureLimits.fileBytes) {
      const length = readSync(fd, buffer, 0, READ_BYTES, null);
      if (length === 0) break;
      parts.push(Uint8Array.prototype.slice.call(buffer, 0, length));
      total += length;
    }
    return Buffer.concat(parts);
  } catch (cause) {
    throw cannotRead(file, cause);
  } finally {
    closeSync(fd);
  }
}

const READ_BYTES = 1 << 20;

function openFile(file: string): number {
  try {
    return openSync(file, "r");
  } catch (cause) {
    throw cannotRead(file, cause);
  }
}

function cannotRead(file: string, cause: unknown): P2pdmaError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot read capture "${file}": ${reason}`, { cause });
}
