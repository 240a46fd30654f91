// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import type { CopyRequest } from "../core/copy/copy.ts";
import type { WritePermission } from "../core/copy/safety.ts";
import { usageError } from "../core/errors.ts";
import { parseSize } from "../core/units.ts";
import { ALL_DEVICES } from "./argv.ts";
import { processContext } from "./context.ts";

interface CopyOptions {
  via: CopyRequest["via"];
  provider?: string;
  allocator?: CopyRequest["allocator"];
  engine: CopyRequest["engine"];
  chunk: string;
  depth?: string;
  retries: string;
  offset?: string;
  length?: string;
  seek?: string;
  allowWrite?: string;
  explain?: boolean;
  verify?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const EXAMPLES = `
Examples:
  Copy a whole drive through the memory of a PCI device, and prove it:
    p2pdma copy --via p2p --allow-write=/dev/nvme1n1 /dev/nvme0n1 /dev/nvme1n1

  Copy 10 GiB from the middle of one drive to the start of another, then compare:
    p2pdma copy --offset 1T --length 10G --verify --allow-write=/dev/nvme1n1 /dev/nvme0n1 /dev/nvme1n1

  Whose memory would it go through?
    p2pdma copy --explain /dev/nvme0n1 /dev/nvme1n1

  Save a partition to a file; the receipt goes to jq:
    p2pdma copy --json /dev/nvme0n1p2 /mnt/backup/root.img | jq .route

Sizes: k M G T and KiB MiB are binary, kB MB are decimal.`;

export function copyCommand(): Command {
  return new Command("copy")
    .description("copy a block device, partition or file to another, peer-to-peer where the kernel allows it")
    .argument("<source>", "block device, partition or regular file; also serial:SERIAL or wwid:WWID")
    .argument("<destination>", "the same; a file that is not there is made")
    .addOption(
      new Option("--via <way>", "p2p never falls back; auto takes RAM when it must, and says so")
        .choices(["auto", "p2p", "ram"])
        .default("auto"),
    )
    .option("--provider <device>", "PCI address or controller whose memory to use (default: tried in turn)")
    .addOption(
      new Option("--allocator <kind>", "how to get at that memory (default: what is there)").choices([
        "sysfs",
        "chardev",
      ]),
    )
    .addOption(new Option("--engine <name>", "how to move it").choices(["uring", "sync"]).default("uring"))
    .option("--chunk <size>", "bytes per request, multiple of 4 KiB", "128KiB")
    .option("--depth <n>", "chunks in flight (default: 16, or what free p2pmem allows)")
    .option("--retries <n>", "more tries for a chunk that fails", "3")
    .option("--offset <size>", "start here on the source")
    .option("--length <size>", "copy this much (default: to the end of the source)")
    .option("--seek <size>", "start here on the destination; a file keeps what lies around")
    .option("--allow-write [devices]", "permit overwriting block devices: any, or these (comma separated)")
    .option("--explain", "print whose memory the copy would go through and why, and copy nothing")
    .option("--verify", "read both sides back through RAM afterwards and compare their SHA-256")
    .option("--json", "print the receipt as one JSON object")
    .option("-q, --quiet", "no progress, no receipt")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

async function run(source: string, destination: string, options: CopyOptions): Promise<void> {
  const { explain, runCopy } = await import("./copy-run.ts");
  const request: CopyRequest = {
    source,
    destination,
    via: options.via,
    provider: options.provider,
    allocator: options.allocator,
    engine: options.engine,
    chunkBytes: Number(parseSize(options.chunk, "--chunk")),
    depth: options.depth === undefined ? undefined : parseCount(options.depth, "--depth"),
    retries: parseCount(options.retries, "--retries"),
    verify: options.verify ?? false,
    offset: optionalSize(options.offset, "--offset"),
    length: optionalSize(options.length, "--length"),
    seek: optionalSize(options.seek, "--seek"),
  };
  if (options.explain) return explain(processContext, request, options.json ?? false);
  const output = options.json ? "json" : options.quiet ? "none" : "text";
  await runCopy(processContext, request, {
    permission: permissionOf(options.allowWrite),
    output,
    showProgress: !options.quiet,
  });
}

function permissionOf(option: string | undefined): WritePermission {
  if (option === ALL_DEVICES) return "all";
  return option === undefined ? [] : option.split(",").filter((device) => device);
}

function optionalSize(text: string | undefined, what: string): bigint | undefined {
  return text === undefined ? undefined : parseSize(text, what);
}

function parseCount(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${what}: "${text}" is no whole number`);
  return Number(text);
}
