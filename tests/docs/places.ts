// SPDX-License-Identifier: MIT
// Where the commands of documents run: this machine, or a guest of the lab.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../lab/package-root.ts";
import { captureIn, type LabSession, startLab } from "../../lab/run.ts";
import { findTopology } from "../../lab/topologies/index.ts";
import type { MediumError, Topology } from "../../lab/topology.ts";
import type { Directive } from "./directive.ts";

/** Runs a script in bash; both streams come back as one, as on a terminal. */
export interface Place {
  run(script: string): Promise<string>;
  close(): Promise<void>;
}

const DEADLINE_MS = 180_000;

/** Blocks of one document whose places have the same name share one. */
export function placeName({ where, folder, topology, driveMiB, latencyMs, badSectors }: Directive): string {
  return JSON.stringify(
    where === "host" ? [where, folder] : [where, topology, driveMiB, latencyMs, badSectors],
  );
}

export async function openPlace(directive: Directive): Promise<Place> {
  return directive.where === "host" ? openHost(directive) : openGuest(directive);
}

function openHost({ folder }: Directive): Place {
  const root = packageRoot();
  const temporary = mkdtempSync(join(tmpdir(), "p2pdma-docs-"));
  const cwd = folder === "package" ? copyPackage(root, join(temporary, "p2pdma")) : temporary;
  const env = {
    ...process.env,
    PATH: `${join(root, "dist", "bin")}:${process.env.PATH}`,
    XDG_STATE_HOME: join(temporary, "state"),
  };
  return {
    run: (script) => runHere(script, cwd, env),
    close: async () => rmSync(temporary, { recursive: true, force: true }),
  };
}

/** What builds in it must not disturb those who use the original meanwhile. */
function copyPackage(from: string, to: string): string {
  const left = ["node_modules", ".git", join("build", "tests-c"), join("build", "fuzz")].map((name) =>
    join(from, name),
  );
  cpSync(from, to, {
    ...{ recursive: true, preserveTimestamps: true, verbatimSymlinks: true },
    filter: (path) => !left.includes(path),
  });
  symlinkSync(join(from, "node_modules"), join(to, "node_modules"));
  return to;
}

function runHere(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", script], {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString();
    });
    const timer = setTimeout(() => child.pid && process.kill(-child.pid, "SIGKILL"), DEADLINE_MS);
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}

async function openGuest(directive: Directive): Promise<Place> {
  const { latencyMs } = directive;
  const lab = await startLab({
    topology: machineOf(directive),
    ...(latencyMs === undefined ? {} : { latencyNs: latencyMs * 1e6 }),
  });
  return { run: (script) => runInGuest(lab, script), close: () => lab.close() };
}

async function runInGuest(lab: LabSession, script: string): Promise<string> {
  const inFolder = `mkdir -p /run/p2pdma/docs && cd /run/p2pdma/docs\n${script}`;
  const env = { XDG_STATE_HOME: "/run/p2pdma/state", HOME: "/root" };
  const { stdout } = await captureIn(lab, {
    command: ["bash", "-c", inFolder],
    cwd: "/",
    env,
    timeoutMs: DEADLINE_MS,
  });
  return stdout;
}

/** A topology with other drives: all of one size, or with sectors that can't be read. */
function machineOf({ topology, driveMiB, badSectors }: Directive): Topology {
  const errors = badSectors.map((text): [string, MediumError] => {
    const [letter = "", sector = ""] = text.split(":");
    return [letter, { on: "read", sector: Number(sector) }];
  });
  const change = (_: string, value: unknown): unknown => {
    if (!isDrive(value)) return value;
    const mediumErrors = errors.filter(([letter]) => letter === value.letter).map(([, error]) => error);
    return {
      ...value,
      ...(driveMiB === undefined ? {} : { sizeMiB: driveMiB }),
      ...(mediumErrors.length > 0 ? { mediumErrors } : {}),
    };
  };
  return JSON.parse(JSON.stringify(findTopology(topology), change)) as Topology;
}

function isDrive(value: unknown): value is { letter: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "drive" &&
    "letter" in value
  );
}
