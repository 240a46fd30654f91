// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { gatherAll } from "../core/capture/gatherers.ts";
import { RecordingView } from "../core/capture/recording-view.ts";
import { writeCapture } from "../core/capture/write.ts";
import { P2pdmaError, refused } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { readPciTree } from "../core/pci/tree.ts";
import { SystemFiles } from "../core/sysfs.ts";
import manifest from "../package.json" with { type: "json" };
import type { CaptureFlags } from "./capture.ts";
import type { CliContext } from "./context.ts";

/** Captures this machine, to a file or to stdout. */
export function runCapture(context: CliContext, { output, withSerials = false }: CaptureFlags): void {
  const recording = new RecordingView(new SystemFiles());
  gatherAll(recording);
  warnOfHidden(context, recording);
  const text = writeCapture(recording.answers, { createdWith: `p2pdma ${manifest.version}`, withSerials });
  if (output === undefined || output === "-") context.out(text);
  else writeNew(output, text);
}

function warnOfHidden(context: CliContext, recording: RecordingView): void {
  const functions = [...readPciTree(recording).functions.values()];
  if (functions.some(({ acs }) => acs.state === "unknown")) {
    context.err(
      "p2pdma: config space beyond 64 bytes is hidden, so nobody can tell from this capture whether ACS redirects\n",
    );
    context.err("hint: capture as root\n");
  }
}

/** Never over something: the name could be a drive's. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    if (code === "EEXIST") {
      throw refused("IN_USE", `Cannot write "${file}": it exists`, {
        hint: "remove it, or name another file",
      });
    }
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot write "${file}": ${code}`, { cause });
  }
}
