// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import { type CopyRequest, DEFAULTS, throughHeld } from "../core/copy/request.ts";
import type { HeldBuffer } from "../core/p2pmem/held-buffer.ts";
import { processContext } from "./context.ts";
import {
  addOutputOptions,
  addTuningOptions,
  optionalSize,
  parseTuning,
  permissionOf,
  type TuningOptions,
} from "./copy-options.ts";

interface CopyOptions extends TuningOptions {
  chunk?: string;
  offset?: string;
  length?: string;
  seek?: string;
  sparse: CopyRequest["sparse"];
  /** false for `--no-journal`. */
  journal: string | boolean;
  restart?: boolean;
  explain?: boolean;
  dryRun?: boolean;
  /** Only in a session (`p2pdma shell`), which holds it. */
  through?: HeldBuffer;
}

const EXAMPLES = `
Examples:
  Copy a whole drive through the memory of a PCI device, and prove it:
    p2pdma copy --via p2p --allow-write=/dev/nvme1n1 /dev/nvme0n1 /dev/nvme1n1

  What would it do? Nothing is opened for writing:
    p2pdma copy --dry-run /dev/nvme0n1 /dev/nvme1n1

  In a runbook: drives by name, a journal, compared by the drive afterwards; and how to go on when it stopped:
    p2pdma copy --journal move.journal --verify --allow-write=serial:S5XY /dev/disk/by-id/nvme-eui.01 serial:S5XY
    p2pdma resume --allow-write=serial:S5XY move.journal

  Save what can be read of a failing drive; bad.map lists the rest, for ddrescue too:
    p2pdma copy --on-error skip --mapfile bad.map /dev/nvme0n1 /mnt/rescue/disk.img

  Copy 10 GiB from the middle of one drive to the start of another, at 500 MiB a second:
    p2pdma copy --offset 1T --length 10G --rate 500M --allow-write=/dev/nvme1n1 /dev/nvme0n1 /dev/nvme1n1

  Whose memory would it go through?
    p2pdma copy --explain /dev/nvme0n1 /dev/nvme1n1

  Save a partition to a file; the receipt goes to jq:
    p2pdma copy --json /dev/nvme0n1p2 /mnt/backup/root.img | jq .route

Sizes: k M G T and KiB MiB are binary, kB MB are decimal. Times: 90s, 10m, 1h30m.`;

export function copyCommand(): Command {
  const command = new Command("copy")
    .description("copy a block device, partition or file to another, peer-to-peer where the kernel allows it")
    .argument("<source>", "block device, partition or regular file; also serial:SERIAL or wwid:WWID")
    .argument("<destination>", "the same; a file that is not there is made")
    .option(
      "--chunk <size>",
      "bytes per request, multiple of 4 KiB (default: 128KiB, less where drives or p2pmem are small)",
    )
    .option("--offset <size>", "start here on the source")
    .option("--length <size>", "copy this much (default: to the end of the source)")
    .option("--seek <size>", "start here on the destination; a file keeps what lies around")
    .addOption(
      new Option("--sparse <when>", "recreate holes instead of moving zeros")
        .choices(["auto", "never"])
        .default("auto"),
    )
    .option("--journal <file>", "where to keep the journal (default: one for each pair of drives)")
    .option("--no-journal", "keep none: an interrupted copy starts again from the beginning")
    .option("--restart", "replace an unfinished journal and begin anew")
    .option("--explain", "print whose memory the copy would go through and why, and copy nothing")
    .option("--dry-run", "print everything the copy would do, and touch nothing");
  return addOutputOptions(addTuningOptions(command)).addHelpText("after", EXAMPLES).action(run);
}

async function run(source: string, destination: string, options: CopyOptions): Promise<void> {
  const { explain, planOnly, runCopy } = await import("./copy-run.ts");
  const given: CopyRequest = {
    ...DEFAULTS,
    ...parseTuning(options),
    source,
    destination,
    sparse: options.sparse,
    chunkBytes: Number(optionalSize(options.chunk, "--chunk") ?? DEFAULTS.chunkBytes),
    mayLowerChunk: options.chunk === undefined,
    offset: optionalSize(options.offset, "--offset"),
    length: optionalSize(options.length, "--length"),
    seek: optionalSize(options.seek, "--seek"),
    journal: journalOf(options),
  };
  const request = options.through ? throughHeld(given, options.through) : given;
  if (options.explain) return explain(processContext, request, options.json ?? false);
  const show = { ...options, permission: permissionOf(options.allowWrite) };
  if (options.dryRun) return planOnly(processContext, request, show);
  await runCopy(processContext, request, show);
}

function journalOf({ journal, restart }: CopyOptions): CopyRequest["journal"] {
  if (journal === false) return undefined;
  return { path: typeof journal === "string" ? journal : undefined, restart: restart ?? false };
}
