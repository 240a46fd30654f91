// SPDX-License-Identifier: MIT
// A copy in the lab that something happens to in the middle: what it says, how soon it ends, what it leaves behind.
import { Writable } from "node:stream";
import { Collector, withInput } from "../../lab/capture.ts";
import { pciArguments } from "../../lab/pci-args.ts";
import type { LabSession } from "../../lab/run.ts";
import type { Topology } from "../../lab/topology.ts";
import { p2pdma } from "./boot.ts";

export interface Disturbance {
  /** Arguments of p2pdma; progress goes to stderr as JSON. */
  readonly copy: readonly string[];
  /** Shell, in the guest, with the process in `$pid`. */
  readonly inGuest?: string;
  /** On the host, at the same moment. */
  readonly onHost?: () => Promise<unknown>;
}

export interface Aftermath {
  readonly exitCode: number;
  /** From the disturbance to the end of the process. */
  readonly endedAfterMs: number;
  readonly stderr: string;
  /** Bytes free of each provider, before and after. */
  readonly freeBefore: ReadonlyMap<string, string>;
  readonly freeAfter: ReadonlyMap<string, string>;
  /** Processes of p2pdma that are still there. */
  readonly orphans: string;
}

const FREE = "for f in /sys/bus/pci/devices/*/p2pmem/available; do echo FREE $f $(cat $f); done";

/** Waits for the journal to claim something, lets it happen, waits for the end. */
export async function disturb(
  lab: LabSession,
  { copy, inGuest = ":", onHost }: Disturbance,
): Promise<Aftermath> {
  const quoted = [...p2pdma, ...copy, "--progress=json"].map((word) => `'${word}'`).join(" ");
  const script = `
    ${FREE}
    ${quoted} >/dev/null 2>/run/p2pdma/errors &
    pid=$!
    until grep -q '"event":"checkpoint","at":"[^"]*","journal":"[^"]*","durableBytes":"[1-9]' /run/p2pdma/errors; do
      [ -d /proc/$pid ] || break
      sleep 0.05
    done
    echo NOW
    since=$(date +%s%N)
    ${inGuest}
    wait $pid
    echo EXIT $? $(( ($(date +%s%N) - since) / 1000000 ))
    ${FREE}
    echo ORPHANS $(pgrep -af 'p2pdma.js (copy|resume)')
    cat /run/p2pdma/errors >&2`;
  const watcher = new LineWatcher("NOW", () => onHost?.());
  const stderr = new Collector();
  const run = { cwd: "/", env: { PATH: process.env.PATH ?? "", HOME: "/run/p2pdma" } };
  const timer = setTimeout(() => lab.kill(`a disturbed copy did not end: ${copy.join(" ")}`), 300_000);
  try {
    const command = ["bash", "-c", script];
    await lab.run({ command, ...run, stdin: withInput(), stdout: watcher, stderr });
    await watcher.acted;
  } finally {
    clearTimeout(timer);
  }
  return parse(watcher.text, stderr.bytes().toString());
}

function parse(stdout: string, stderr: string): Aftermath {
  const [before = "", after = ""] = stdout.split("NOW\n");
  const [, exitCode = "-1", endedAfterMs = "-1"] = /^EXIT (\d+) (\d+)$/m.exec(after) ?? [];
  const orphans = /^ORPHANS (.*)$/m.exec(after)?.[1] ?? "";
  const free = (text: string) =>
    new Map(
      [...text.matchAll(/^FREE \S*\/(\S+)\/p2pmem\/available (\d+)$/gm)].map(([, bdf = "", bytes = ""]) => [
        bdf,
        bytes,
      ]),
    );
  return {
    ...{ exitCode: Number(exitCode), endedAfterMs: Number(endedAfterMs), stderr, orphans },
    ...{ freeBefore: free(before), freeAfter: free(after) },
  };
}

/** Keeps what it is given, and acts when a line comes by. */
class LineWatcher extends Writable {
  text = "";
  acted: Promise<unknown> = Promise.resolve();
  constructor(
    private readonly line: string,
    private readonly act: () => Promise<unknown> | undefined,
  ) {
    super();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const had = this.text.includes(`${this.line}\n`);
    this.text += chunk.toString();
    if (!had && this.text.includes(`${this.line}\n`)) this.acted = this.act() ?? this.acted;
    done();
  }
}

const DEADLINE_MS = 20_000;

/** Takes a device away as a person would who presses the button at its slot. */
export async function unplug(lab: LabSession, id: string): Promise<void> {
  const gone = lab.qmp.nextEvent("DEVICE_DELETED", DEADLINE_MS);
  await lab.qmp.execute("device_del", { id });
  await gone;
}

/** Puts it back where it was, as the topology says. */
export async function plug(lab: LabSession, { pci }: Topology, id: string): Promise<void> {
  const device = pciArguments(pci).args.find((argument) => argument.split(",").includes(`id=${id}`));
  if (device === undefined) throw new RangeError(`no device ${id} in the topology`);
  const [driver = "", ...properties] = device.split(",");
  await lab.qmp.execute("device_add", {
    driver,
    ...Object.fromEntries(properties.map((one) => one.split("="))),
  });
}
