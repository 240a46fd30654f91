// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { P2pdmaError, usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import type { SystemView } from "../core/sysfs.ts";
import {
  findDevice,
  growForest,
  judgePair,
  kernelName,
  type Machine,
  parseKernelOption,
  predictReach,
  readMachine,
} from "../core/topo/index.ts";
import type { CliContext } from "./context.ts";
import { viewFrom } from "./from-option.ts";
import { renderDot } from "./topo-dot.ts";
import { machineJson, pairJson } from "./topo-json.ts";
import { renderBest, renderMatrix } from "./topo-matrix.ts";
import { renderPair } from "./topo-pair.ts";
import { renderSvg } from "./topo-svg.ts";
import { ASCII, type Glyphs, renderTree, UNICODE } from "./topo-tree.ts";

export interface TopoOptions {
  readonly all?: boolean;
  readonly kernel?: string;
  readonly json?: boolean;
  readonly dot?: boolean;
  readonly svg?: string;
  readonly from?: string;
}

export interface TopoEnds {
  readonly source: string | undefined;
  readonly destination: string | undefined;
}

/** Answers the exit code. @throws P2pdmaError USAGE for options that do not go together. */
export async function runTopo(
  context: CliContext,
  { source, destination }: TopoEnds,
  options: TopoOptions,
): Promise<ExitCode> {
  checkOptions(source, destination, options);
  const view = viewFrom(options.from);
  const kernel = options.kernel === undefined ? undefined : parseKernelOption(options.kernel);
  const machine = readMachine(view, { kernel, all: options.all });
  if (source !== undefined && destination !== undefined) {
    return showPair(context, view, machine, source, destination, options);
  }
  showMachine(context, machine, options);
  return ExitCode.done;
}

function checkOptions(source: string | undefined, destination: string | undefined, options: TopoOptions) {
  const forms = [options.json, options.dot, options.svg].filter((form) => form !== undefined);
  if (forms.length > 1) throw usageError("--json, --dot and --svg exclude each other");
  if (source !== undefined && destination === undefined) {
    throw usageError(`topo: "${source}" needs another device to be judged with`, "p2pdma topo nvme0 nvme1");
  }
  if (source !== undefined && (options.dot || options.svg !== undefined)) {
    throw usageError("--dot and --svg show the whole machine: leave the two devices out");
  }
}

function showPair(
  context: CliContext,
  view: SystemView,
  machine: Machine,
  source: string,
  destination: string,
  options: TopoOptions,
): ExitCode {
  const ends = [source, destination].map((word) => findDevice(view, machine, word));
  const [from, to] = ends as [(typeof ends)[number], (typeof ends)[number]];
  const pair = judgePair(machine, from, to);
  context.out(options.json ? toJson(pairJson(machine, pair)) : renderPair(machine, pair, options.all));
  if (pair.works === undefined) return ExitCode.failed;
  return pair.works ? ExitCode.done : ExitCode.noPeerToPeer;
}

function showMachine(context: CliContext, machine: Machine, options: TopoOptions): void {
  if (options.json) context.out(toJson(machineJson(machine)));
  else if (options.dot) context.out(renderDot(machine, growForest(machine, options.all)));
  else if (options.svg !== undefined) drawInto(context, options.svg, machine, options.all ?? false);
  else
    context.out(renderMachine(machine, options.all ?? false, glyphsFor(process.env), process.stdout.columns));
}

/** Everything about the machine as text; `columns` is the width of the terminal, if it goes to one. */
export function renderMachine(machine: Machine, all: boolean, glyphs: Glyphs, columns?: number): string {
  const reach = predictReach(machine);
  const parts = [
    title(machine),
    renderTree(machine, growForest(machine, all), glyphs),
    renderMatrix(reach, columns),
    renderBest(machine, reach),
    machine.isAcsHidden ? "ACS bits are hidden from you: run this as root to have every ? answered.\n" : "",
  ];
  return parts.filter(Boolean).join("\n");
}

function title({ host }: Machine): string {
  const release = `Linux ${host.kernelRelease ?? kernelName(host.platform.kernel)}`;
  const other = host.isOtherKernel
    ? `predicted for Linux ${kernelName(host.platform.kernel)}, not for what runs`
    : undefined;
  return `${[host.name, release, host.cpuModel, other].filter(Boolean).join(", ")}\n`;
}

function drawInto(context: CliContext, file: string, machine: Machine, all: boolean): void {
  const picture = renderSvg(machine, growForest(machine, all), predictReach(machine), new Date());
  try {
    if (file === "-") context.out(picture);
    else writeFileSync(file, picture);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot write "${file}": ${reason}`, { cause });
  }
}

/** The same question that tree(1) asks: what does the locale say. */
export function glyphsFor(env: NodeJS.ProcessEnv): Glyphs {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  return /utf-?8/i.test(locale) ? UNICODE : ASCII;
}

function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
