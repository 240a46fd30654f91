// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import { type CopyRequest, DEFAULTS } from "../core/copy/request.ts";
import { parseSize } from "../core/units.ts";
import { processContext } from "./context.ts";
import { addOutputOptions, type OutputOptions, optionalSize, parseTuning } from "./copy-options.ts";

interface VerifyOptions extends OutputOptions {
  via?: "auto" | "p2p" | "ram";
  provider?: string;
  depth?: string;
  rate?: string;
  hash?: CopyRequest["hash"];
  chunk: string;
  offset?: string;
  length?: string;
  seek?: string;
}

const EXAMPLES = `
Examples:
  Is the copy the same? The destination's drive compares by itself where it has that command:
    p2pdma verify /dev/nvme0n1 /dev/nvme1n1

  Digests of both sides, read through RAM:
    p2pdma verify --hash sha256 /dev/nvme0n1p2 /mnt/backup/root.img

Exit code 0: equal. 4: they differ, and the differing ranges are listed.`;

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("compare two block devices, partitions or files, and write nothing")
    .argument("<source>", "block device, partition or regular file; also serial:SERIAL or wwid:WWID")
    .argument("<destination>", "the same")
    .addOption(
      new Option("--via <way>", "whose memory the source is read into (default: auto)").choices([
        "auto",
        "p2p",
        "ram",
      ]),
    )
    .option("--provider <device>", "PCI address or controller whose memory to use (default: tried in turn)")
    .option("--depth <n>", "chunks in flight (default: adapts to the drives)")
    .option("--rate <size>", "at most so much a second")
    .addOption(
      new Option("--hash <name>", "through RAM, with this digest of both sides").choices(["sha256", "xxh3"]),
    )
    .option("--chunk <size>", "bytes per request, multiple of 4 KiB", "128KiB")
    .option("--offset <size>", "start here on the source")
    .option("--length <size>", "compare this much (default: to the end of the source)")
    .option("--seek <size>", "start here on the destination");
  return addOutputOptions(command).addHelpText("after", EXAMPLES).action(run);
}

async function run(source: string, destination: string, options: VerifyOptions): Promise<void> {
  const { runVerify } = await import("./verify-run.ts");
  const request: CopyRequest = {
    ...DEFAULTS,
    ...parseTuning(options),
    ...{ source, destination, verify: "after" },
    chunkBytes: Number(parseSize(options.chunk, "--chunk")),
    offset: optionalSize(options.offset, "--offset"),
    length: optionalSize(options.length, "--length"),
    seek: optionalSize(options.seek, "--seek"),
  };
  await runVerify(processContext, request, options);
}
