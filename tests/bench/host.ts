// SPDX-License-Identifier: MIT
// Files on this machine's disk, direct I/O on both ends, a new destination each time, and done when the data are on
// the disk. Times are of whole programs, except where the device's ceiling is concerned.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figure } from "./figures.ts";
import { hostShell, measured, measuredCopy, parseFio } from "./programs.ts";
import { inTurns, median, ratioOf, withSpread } from "./statistics.ts";

const LENGTH_BYTES = 2 ** 31;
const ROUNDS = 5;
/** Where dd cannot be left behind because the device has no more to give. */
const AT_THE_CEILING = 0.95;
/** What fio tries to get out of the device: chunk and depth of each direction. */
const FIO_SETTINGS = [
  { chunk: "128k", depth: 16 },
  { chunk: "1m", depth: 8 },
];

interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly transferMs: number;
}

export async function host(): Promise<Figure[]> {
  const directory = mkdtempSync(join(process.env.P2PDMA_BENCH_DIR ?? tmpdir(), "p2pdma-bench-"));
  const clear = () => rmSync(directory, { recursive: true, force: true });
  process.once("exit", clear);
  try {
    return await measure(directory);
  } finally {
    clear();
  }
}

async function measure(directory: string): Promise<Figure[]> {
  const [src, dst] = [join(directory, "source"), join(directory, "destination")];
  await hostShell.run(
    `dd if=/dev/urandom of=${src} bs=1M count=${LENGTH_BYTES / 2 ** 20} oflag=direct status=none; sync`,
  );
  const fresh = () => hostShell.run(`rm -f ${dst}; sync -f ${directory}`);
  const run = async (command: string): Promise<Sample> => {
    await fresh();
    const { usage } = await measured(hostShell, command);
    return { wallMs: usage.wallMs, cpuMs: usage.userMs + usage.systemMs, transferMs: usage.wallMs };
  };
  const results = await inTurns(ROUNDS, {
    "dd bs=1M": () => run(`dd if=${src} of=${dst} bs=1M iflag=direct oflag=direct conv=fsync status=none`),
    p2pdma: async () => {
      await fresh();
      const { receipt, usage } = await measuredCopy(hostShell, `--via ram ${src} ${dst}`);
      return { wallMs: usage.wallMs, cpuMs: usage.userMs + usage.systemMs, transferMs: receipt.transferMs };
    },
    "qemu-img": () => run(`qemu-img convert -f raw -O raw -S 0 -t none -T none ${src} ${dst}`),
    "qemu-img -m 16 -W": () =>
      run(`qemu-img convert -f raw -O raw -S 0 -t none -T none -m 16 -W ${src} ${dst}`),
    nbdcopy: () =>
      run(
        `sh -c "truncate -s ${LENGTH_BYTES} ${dst} && nbdcopy --flush -- [ qemu-nbd -r -f raw --cache=none ${src} ] [ qemu-nbd -f raw --cache=none ${dst} ]"`,
      ),
    ...Object.fromEntries(
      FIO_SETTINGS.map(({ chunk, depth }) => [
        `fio ${chunk} x ${depth}`,
        () => ceiling(directory, chunk, depth, fresh),
      ]),
    ),
  });
  for (const [name, samples] of Object.entries(results)) {
    const speeds = samples.map(({ wallMs }) => LENGTH_BYTES / wallMs / 1e3);
    const cpu = withSpread(
      samples.map(({ cpuMs }) => cpuMs / (LENGTH_BYTES / 2 ** 30)),
      0,
    );
    console.log(`${name.padEnd(18)} ${withSpread(speeds, 0).padStart(18)} MB/s, CPU ${cpu} ms/GiB`);
  }
  return figures(results);
}

/** Reading the source and writing the destination at once, by fio, without one waiting for the other. */
async function ceiling(
  directory: string,
  chunk: string,
  depth: number,
  fresh: () => Promise<unknown>,
): Promise<Sample> {
  await fresh();
  const common = `--bs=${chunk} --iodepth=${depth} --direct=1 --ioengine=io_uring --size=${LENGTH_BYTES}`;
  const { stdout, usage } = await measured(
    hostShell,
    `fio ${common} --output-format=json --name=read --rw=read --filename=${join(directory, "source")} ` +
      `--name=write --rw=write --end_fsync=1 --fallocate=posix --filename=${join(directory, "destination")}`,
  );
  const wallMs = Math.max(...parseFio(stdout).map(({ job_runtime }) => job_runtime));
  return { wallMs, cpuMs: usage.userMs + usage.systemMs, transferMs: wallMs };
}

function figures(results: Readonly<Record<string, readonly Sample[]>>): Figure[] {
  const speeds = (name: string, of: "wallMs" | "transferMs" = "wallMs") =>
    (results[name] ?? []).map((sample) => LENGTH_BYTES / sample[of] / 1e3);
  const against = (name: string, required?: Figure["required"]): Figure => ({
    name: `files on the host, direct: throughput to ${name}`,
    value: ratioOf(speeds("p2pdma"), speeds(name)),
    ...(required ? { required } : {}),
    detail: `${withSpread(speeds("p2pdma"), 0)} to ${withSpread(speeds(name), 0)} MB/s`,
  });
  const ceilings = FIO_SETTINGS.map(({ chunk, depth }) => speeds(`fio ${chunk} x ${depth}`));
  const best = ceilings.toSorted((a, b) => median(b) - median(a))[0] ?? [];
  const ofCeiling = ratioOf(speeds("p2pdma", "transferMs"), best);
  return [
    against("dd bs=1M", ofCeiling >= AT_THE_CEILING ? undefined : { atLeast: 1.5 }),
    {
      name: "files on the host, direct: share of what fio gets out of the device",
      value: ofCeiling,
      detail: `${withSpread(speeds("p2pdma", "transferMs"), 0)} of ${withSpread(best, 0)} MB/s`,
    },
    against("qemu-img", { atLeast: 1 }),
    against("qemu-img -m 16 -W", { atLeast: 1 }),
    against("nbdcopy", { atLeast: 1 }),
  ];
}
