// SPDX-License-Identifier: MIT
// Every state that a power cut during one copy could have left: the destination as of each of its flushes, alone and with
// a part of what was written after it, and the journal as of then. No journal may claim what its state does not hold, and
// each state must resume to a whole copy.
import { mkdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captureIn, type LabSession, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { type Random, randomOf } from "../unit/random.ts";
import { checkClaims } from "./claims.ts";
import { contentOf } from "./content.ts";
import { firstDifference, read } from "./ends.ts";
import type { RunReport } from "./report.ts";
import { afterPowerCut, countEntries, durableCount, type LogEntry, Medium, readLog } from "./write-log.ts";

const MIB = 1 << 20;
const DRIVE_BYTES = 8 * MIB;
const COPY_MS = 240_000;

/** A journal as it was on its disk. */
interface Version {
  readonly text: string;
  /** Requests that the destination's log held when it was seen: it was written no later than that. */
  readonly seenAt: number;
}

interface State {
  readonly name: string;
  readonly entries: readonly LogEntry[];
  readonly journal: Version;
}

export interface CrashStateRun {
  readonly seed: number;
  readonly folder: string;
  readonly program: string;
  /** At most so many states are resumed; claims are checked for every journal. */
  readonly mostResumes: number;
}

export async function runCrashStates(run: CrashStateRun, onRun: (report: RunReport) => void): Promise<void> {
  const rig = new Rig(run);
  const lab = await startLab({ topology: rig.topology, disks: rig.disks, shares: [rig.share] });
  try {
    const versions = await rig.copy(lab);
    const log = readLog(rig.logPath);
    onRun(rig.checkVersions(log, versions));
    const states = pick(rig.states(log, versions), run.mostResumes);
    for (const [index, state] of states.entries()) onRun(await rig.resume(lab, state, index));
  } finally {
    await lab.close();
  }
}

/** Evenly from first to last. */
function pick<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, n) => all[Math.round((n * (all.length - 1)) / (most - 1))] as T);
}

class Rig {
  private readonly random: Random;
  private readonly content: Buffer;
  private readonly before: Buffer;
  private readonly dstOffset: number;
  private readonly options: readonly string[];
  private readonly shaping: readonly string[];
  readonly share: string;

  constructor(private readonly run: CrashStateRun) {
    const { seed, folder } = run;
    this.random = randomOf(seed);
    const lengthBytes = (3 * 1024 + this.random(2048)) * 1024;
    this.content = contentOf(seed, lengthBytes);
    this.before = contentOf(seed + 1_000_000, DRIVE_BYTES);
    this.dstOffset = this.random(256) * 4096;
    this.shaping = ["--allow-write", "--rate", String(Math.round(lengthBytes / 2))];
    const chunk = ["--chunk", `${4 << this.random(5)}K`, "--depth", String(2 << this.random(4))];
    this.options = ["--via", "p2p", ...chunk, "--checkpoint", `${120 + this.random(150)}ms`, ...this.shaping];
    this.share = join(folder, "journals");
    rmSync(this.share, { recursive: true, force: true });
    mkdirSync(this.share, { recursive: true });
    const source = Buffer.alloc(DRIVE_BYTES);
    this.content.copy(source);
    writeFileSync(join(folder, "A.img"), source);
    writeFileSync(join(folder, "B.img"), this.before);
  }

  get disks(): string[] {
    return ["A.img", "B.img"].map((name) => join(this.run.folder, name));
  }

  get logPath(): string {
    return join(this.run.folder, "B.log");
  }

  get topology() {
    const source = drive("A", { cmbMiB: 16, sizeMiB: DRIVE_BYTES / MIB });
    const destination = drive("B", { sizeMiB: DRIVE_BYTES / MIB, writeLog: this.logPath });
    return topology({
      name: "crash-states",
      summary: "",
      pci: [rootPort(pciSwitch(source, destination))],
    });
  }

  /** One copy, undisturbed, with every version of its journal kept. */
  async copy(lab: LabSession): Promise<Version[]> {
    const versions: Version[] = [];
    const journal = join(this.share, "journal");
    const watcher = watch(this.share, (_event, name) => {
      if (name !== "journal") return;
      const text = readFileSync(journal, "utf8");
      if (text !== versions.at(-1)?.text) versions.push({ text, seenAt: countEntries(this.logPath) });
    });
    const range = ["--seek", String(this.dstOffset), "--length", String(this.content.length)];
    const copy = [
      "copy",
      "-q",
      ...this.options,
      `--journal=${journal}`,
      ...range,
      "/dev/lab/A",
      "/dev/lab/B",
    ];
    const command = [process.execPath, this.run.program, ...copy];
    const { exitCode, stderr } = await captureIn(lab, { command, timeoutMs: COPY_MS });
    watcher.close();
    if (exitCode !== 0) throw new Error(`the copy ended with ${exitCode}: ${stderr}`);
    return versions;
  }

  /** The rule itself, for each journal: what it claims was flushed before it was written. */
  checkVersions(log: readonly LogEntry[], versions: readonly Version[]): RunReport {
    const problems = versions.flatMap(({ text, seenAt }, index) => {
      const destination = this.replay(log.slice(0, durableCount(log, seenAt)));
      const { lies } = checkClaims(text, this.ends(destination));
      return lies.length > 0 ? [`journal ${index + 1} claims what was not flushed: ${lies}`] : [];
    });
    const flushes = log.filter(({ kind }) => kind === "flush").length;
    return this.report({
      kills: [`${versions.length} journals against ${flushes} flushes and ${log.length} requests`],
      problem: problems.length > 0 ? problems.join("; ") : undefined,
    });
  }

  /** For each flush: exactly what it made durable, and that with some of what came before the next one. */
  states(log: readonly LogEntry[], versions: readonly Version[]): State[] {
    const boundaries = log.flatMap(({ kind }, index) => (kind === "flush" ? [index + 1] : []));
    return boundaries.flatMap((boundary, index) => {
      const next = boundaries[index + 1] ?? log.length;
      const later = boundary + this.random(next - boundary + 1);
      const name = `flush ${index + 1} of ${boundaries.length}`;
      return [
        { name, count: boundary, entries: log.slice(0, boundary) },
        {
          name: `${name} and some of ${later - boundary} later requests`,
          count: later,
          entries: afterPowerCut(log, later, this.random),
        },
      ].flatMap(({ count, ...state }) => {
        const journal = versions.findLast(({ seenAt }) => seenAt <= count);
        return journal ? [{ ...state, journal }] : [];
      });
    });
  }

  /** Puts the state on the drive, resumes, compares. */
  async resume(lab: LabSession, { name, entries, journal }: State, index: number): Promise<RunReport> {
    const destination = this.replay(entries);
    const claims = checkClaims(journal.text, this.ends(destination));
    const [image, file] = [join(this.share, `${index}.img`), join(this.share, `${index}.journal`)];
    writeFileSync(image, destination);
    writeFileSync(file, journal.text);
    const p2pdma = `${process.execPath} ${this.run.program}`;
    const script = [
      `dd if=${image} of=/dev/lab/B bs=1M oflag=direct conv=fsync status=none`,
      `cp ${file} /run/p2pdma/journal`,
      `${p2pdma} resume -q --allow-write /run/p2pdma/journal`,
    ].join(" && ");
    const { exitCode, stderr } = await captureIn(lab, { command: ["sh", "-c", script], timeoutMs: COPY_MS });
    const after = read(this.disks[1] ?? "", 0, DRIVE_BYTES);
    rmSync(image);
    return this.report({
      kills: [`${name} with ${claims.claimed} claimed (${claims.state})`],
      repeated: claims.repeated,
      chunks: claims.chunks,
      problem: exitCode === 0 ? this.fault(after) : `exit code ${exitCode}: ${stderr}`,
    });
  }

  private fault(after: Buffer): string | undefined {
    const expected = Buffer.from(this.before);
    this.content.copy(expected, this.dstOffset);
    const at = firstDifference(after, expected);
    return at === undefined
      ? undefined
      : `the destination differs at ${at} (the copy begins at ${this.dstOffset})`;
  }

  private replay(entries: readonly LogEntry[]): Buffer {
    const medium = new Medium(this.logPath, Buffer.from(this.before));
    for (const entry of entries) medium.apply(entry);
    medium.close();
    return medium.bytes;
  }

  private ends(destination: Buffer) {
    return { source: this.content, destination };
  }

  private report(over: Partial<RunReport>): RunReport {
    const base = { seed: this.run.seed, kind: "crash-states", repeated: 0, chunks: 0, kills: [] } as const;
    return { ...base, detail: this.options.join(" "), ...over };
  }
}
