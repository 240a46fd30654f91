// SPDX-License-Identifier: MIT
// Copies whose whole machine loses power: QEMU is killed, and what the drives had not flushed is lost, or not, by chance.
// The journals lie on an ext4 drive that suffers the same. Four copies at once, each to a drive of its own.
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Collector, withInput } from "../../lab/capture.ts";
import { captureIn, type LabSession, startLab } from "../../lab/run.ts";
import { type Drive, drive, pciSwitch, rootPort, type Topology, topology } from "../../lab/topology.ts";
import { type Random, randomOf } from "../unit/random.ts";
import { type ClaimReport, checkClaims } from "./claims.ts";
import { contentOf } from "./content.ts";
import { firstDifference } from "./ends.ts";
import type { RunReport } from "./report.ts";
import { afterPowerCut, durableCount, Medium, readLog } from "./write-log.ts";

export const CUTS_AT_ONCE = 4;

const MIB = 1 << 20;
const DRIVE_MIB = 16;
const [SOURCE, JOURNALS] = ["A", "J"];
const DESTINATIONS = ["B", "C", "D", "E"];
const COMMAND_MS = 240_000;
/**
 * QEMU's NVMe ignores Force Unit Access, with which ext4 makes its commits durable; with these it flushes instead.
 */
const MOUNT = `mkdir -p /j && mount -t ext4 -o data=writeback,journal_async_commit /dev/lab/${JOURNALS} /j`;

interface Pair {
  readonly seed: number;
  readonly random: Random;
  readonly letter: string;
  readonly srcOffset: number;
  readonly dstOffset: number;
  readonly content: Buffer;
  readonly options: readonly string[];
  readonly shaping: readonly string[];
  readonly kills: string[];
  repeated: number;
  chunks: number;
  problem: string | undefined;
}

/** Runs up to four seeds, in one machine that is cut off once to three times. */
export async function runPowerCuts(
  seeds: readonly number[],
  folder: string,
  program: string,
  onRun: (run: RunReport) => void,
): Promise<void> {
  const rig = new Rig(seeds.map(makePair), folder, program);
  rig.prepare();
  const random = randomOf(seeds[0] ?? 0);
  for (let cuts = 1 + random(3); cuts > 0; cuts--) await rig.round(random);
  await rig.round(undefined);
  for (const { seed, kills, repeated, chunks, problem, options } of rig.pairs) {
    onRun({ seed, kind: "power-cut", kills, repeated, chunks, problem, detail: options.join(" ") });
  }
}

function makePair(seed: number, index: number): Pair {
  const random = randomOf(seed);
  const lengthBytes = MIB + random(4 * 256) * 4096;
  const movingMs = 1000 + random(3000);
  const shaping = ["--allow-write", "--rate", String(Math.ceil((lengthBytes * 1000) / movingMs))];
  const chunk = ["--chunk", `${4 << random(6)}K`, "--depth", String(1 << random(4))];
  return {
    ...{ seed, random, shaping, kills: [], repeated: 0, chunks: 0, problem: undefined },
    letter: DESTINATIONS[index] ?? "B",
    srcOffset: index * 6 * MIB + random(64) * 4096,
    dstOffset: random(1024) * 4096,
    content: contentOf(seed, lengthBytes),
    options: ["--via", "p2p", ...chunk, "--checkpoint", `${100 + random(400)}ms`, ...shaping],
  };
}

class Rig {
  private readonly media = new Map<string, Buffer>();

  constructor(
    readonly pairs: readonly Pair[],
    private readonly folder: string,
    private readonly program: string,
  ) {}

  prepare(): void {
    const source = Buffer.alloc(2 * DRIVE_MIB * MIB);
    for (const { content, srcOffset } of this.pairs) content.copy(source, srcOffset);
    this.media.set(SOURCE, source);
    for (const { letter, seed } of this.pairs) {
      this.media.set(letter, contentOf(seed + 1_000_000, DRIVE_MIB * MIB));
    }
    const journals = this.image(JOURNALS);
    writeFileSync(journals, Buffer.alloc(DRIVE_MIB * MIB));
    execFileSync("mkfs.ext4", ["-q", "-F", "-b", "4096", "-J", "size=4", journals], { stdio: "pipe" });
    this.media.set(JOURNALS, readFileSync(journals));
  }

  /** Boots, looks at what the journals claim, goes on with everything, and cuts the power or not. */
  async round(random: Random | undefined): Promise<void> {
    for (const [letter, bytes] of this.media) writeFileSync(this.image(letter), bytes);
    const disks = [...this.media.keys()].sort().map((letter) => this.image(letter));
    const lab = await startLab({ topology: this.machine(), disks });
    try {
      await this.checkJournals(lab);
      const finished = await this.goOn(lab, random);
      if (random) this.losePower(lab, finished);
    } finally {
      await lab.close();
    }
    if (random) this.rebuild();
    else this.checkAll();
  }

  private async checkJournals(lab: LabSession): Promise<void> {
    for (const pair of this.pairs) {
      const journal = `/j/${pair.seed}`;
      const script = `mountpoint -q /j || { ${MOUNT}; } || exit 9; cat ${journal} 2>/dev/null`;
      const { stdout, exitCode, stderr } = await captureIn(lab, { command: ["sh", "-c", script] });
      if (exitCode === 9) throw new Error(`the drive with the journals does not mount: ${stderr}`);
      if (exitCode !== 0) continue;
      try {
        this.count(pair, checkClaims(stdout, this.ends(pair)));
      } catch (error) {
        pair.problem ??= `the journal is no JSON after the cut: ${error}`;
      }
    }
  }

  private count(pair: Pair, claims: ClaimReport): void {
    if (claims.lies.length > 0) pair.problem ??= `the journal claims what was lost: ${claims.lies}`;
    pair.kills.push(`${pair.kills.pop()} with ${claims.claimed} claimed (${claims.state})`);
    pair.chunks = Math.max(pair.chunks, claims.chunks);
    pair.repeated += claims.repeated;
  }

  private ends({ letter, content, srcOffset, dstOffset }: Pair) {
    const destination = this.media.get(letter)?.subarray(dstOffset) ?? Buffer.alloc(0);
    return { source: content, destination, srcBase: srcOffset, dstBase: dstOffset };
  }

  /** Starts all copies; waits for their end, or for the moment of the cut. Answers who had ended well. */
  private async goOn(lab: LabSession, random: Random | undefined): Promise<Set<number>> {
    const [stdout, stderr] = [new Collector(), new Collector()];
    const script = `${this.pairs.map((pair) => this.script(pair)).join("\n")}\nwait`;
    const run = lab.run({
      command: ["sh", "-c", script],
      ...{ cwd: "/", env: { PATH: process.env.PATH ?? "", HOME: "/root" } },
      ...{ stdin: withInput(undefined), stdout, stderr },
    });
    const ended = run.then(
      () => true,
      () => true,
    );
    const limit = new AbortController();
    const moment = random
      ? this.momentOfCut(random, limit.signal)
      : sleep(COMMAND_MS, undefined, { signal: limit.signal });
    await Promise.race([ended, moment.catch(() => {})]);
    limit.abort();
    const codes = [
      ...stdout
        .bytes()
        .toString()
        .matchAll(/^(\d+) (\d+)$/gm),
    ];
    for (const [, seed, code] of codes) {
      const pair = this.pairs.find((one) => one.seed === Number(seed));
      if (pair && code !== "0")
        pair.problem ??= `exit code ${code}: ${stderr.bytes().toString().slice(-2000)}`;
    }
    const good = new Set(codes.filter(([, , code]) => code === "0").map(([, seed]) => Number(seed)));
    for (const pair of random ? [] : this.pairs) {
      if (!good.has(pair.seed)) pair.problem ??= `no end within ${COMMAND_MS / 1000} s`;
    }
    return good;
  }

  private script({ seed, letter, options, shaping, content, srcOffset, dstOffset }: Pair): string {
    const p2pdma = `${process.execPath} ${this.program}`;
    const range = `--offset ${srcOffset} --seek ${dstOffset} --length ${content.length}`;
    const copy = `${p2pdma} copy -q ${options.join(" ")} --journal=/j/${seed} ${range} /dev/lab/${SOURCE} /dev/lab/${letter}`;
    const resume = `${p2pdma} resume -q ${shaping.join(" ")} /j/${seed}`;
    return `( if [ -e /j/${seed} ]; then ${resume}; else ${copy}; fi; echo ${seed} $? ) &`;
  }

  /** When the drives have written so much together; half of the cuts then wait for a journal to be written. */
  private async momentOfCut(random: Random, signal: AbortSignal): Promise<void> {
    const all = this.pairs.reduce((sum, { content }) => sum + content.length, 0);
    await this.untilWritten(
      this.pairs.map(({ letter }) => letter),
      random(all),
      signal,
    );
    if (random(2) === 0) await sleep(random(100), undefined, { signal });
    else {
      const written = statSync(this.log(JOURNALS)).size;
      await this.untilWritten([JOURNALS], written, signal);
      await sleep(random(15), undefined, { signal });
    }
  }

  private async untilWritten(letters: readonly string[], bytes: number, signal: AbortSignal): Promise<void> {
    const written = () => letters.reduce((sum, letter) => sum + statSync(this.log(letter)).size, 0);
    while (written() <= bytes) await sleep(2, undefined, { signal });
  }

  private losePower(lab: LabSession, finished: ReadonlySet<number>): void {
    lab.kill("power cut");
    for (const pair of this.pairs) {
      const isDone = finished.has(pair.seed);
      pair.kills.push(`cut at ${statSync(this.log(pair.letter)).size >> 10} KiB written`);
      if (isDone) this.mustBeWhole.add(pair);
    }
  }

  private readonly mustBeWhole = new Set<Pair>();

  /** All media as the cut left them. */
  private rebuild(): void {
    for (const [letter, bytes] of this.media) {
      if (letter === SOURCE) continue;
      const log = readLog(this.log(letter));
      const pair = this.pairs.find((one) => one.letter === letter);
      const medium = new Medium(this.log(letter), bytes);
      const random = pair?.random ?? randomOf(log.length);
      for (const entry of afterPowerCut(log, log.length, random)) medium.apply(entry);
      medium.close();
      if (pair) {
        pair.kills.push(
          `${pair.kills.pop()}, ${log.length - durableCount(log, log.length)} of ${log.length} requests not durable`,
        );
      }
    }
    for (const pair of this.mustBeWhole) this.checkWhole(pair, "exit code 0 before the cut");
  }

  private checkAll(): void {
    for (const pair of this.pairs) {
      this.media.set(pair.letter, readFileSync(this.image(pair.letter)));
      this.checkWhole(pair, "at the end");
    }
  }

  private checkWhole(pair: Pair, when: string): void {
    const { destination } = this.ends(pair);
    const at = firstDifference(destination.subarray(0, pair.content.length), pair.content);
    if (at !== undefined) pair.problem ??= `${when}, yet the destination differs at ${at}`;
  }

  private machine(): Topology {
    const plain = (letter: string, over: Partial<Drive> = {}) =>
      drive(letter, { sizeMiB: DRIVE_MIB, writeLog: this.log(letter), ...over });
    return topology({
      name: "power-cut",
      summary: "a source with memory, four destinations, a drive for the journals",
      pci: [
        rootPort(
          pciSwitch(
            drive(SOURCE, { cmbMiB: 16, sizeMiB: 2 * DRIVE_MIB }),
            ...this.pairs.map(({ letter }) => plain(letter)),
            plain(JOURNALS),
          ),
        ),
      ],
    });
  }

  private image(letter: string): string {
    return join(this.folder, `${letter}.img`);
  }

  private log(letter: string): string {
    return join(this.folder, `${letter}.log`);
  }
}
