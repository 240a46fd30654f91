// SPDX-License-Identifier: MIT
// Compares what is predicted for every pair of a machine with what its kernel does. Told by its argument what to set up.
import { execFileSync } from "node:child_process";
import type { Bdf } from "../../../core/pci/bdf.ts";
import type { MapType, Rule } from "../../../core/pci/rules.ts";
import {
  commonBridge,
  findRemedies,
  kindOf,
  type Machine,
  predictReach,
  providersOf,
  type Remedy,
  readMachine,
  redirectingPorts,
} from "../../../core/topo/index.ts";
import type { Parts } from "../topology-parts.ts";
import { KernelLog } from "./kernel-log.ts";
import { randomContent, sys, writeMedium } from "./media.ts";
import { probePair, type Seen } from "./pair-probe.ts";
import { rebind, resolvePort, writeAcs } from "./ports.ts";

/** A state of the machine in which every pair is judged. */
export interface Step {
  readonly name: string;
  /** ACS control bits of ports, by `A^1` for the port above drive A; all others are as at boot. */
  readonly acs?: Readonly<Record<string, number>>;
  /** Type the commands that `topo` gives for the first refused pair, instead of setting bits. */
  readonly followAdvice?: boolean;
  /** Leave the drivers bound, so that the kernel still has its old verdicts. */
  readonly keepVerdicts?: boolean;
}

export interface PairResult extends Seen {
  readonly step: string;
  readonly provider: string;
  readonly client: string;
  readonly mapType: MapType | undefined;
  readonly rule: Rule;
  readonly distance: number | undefined;
  /** Ports that topo says redirect, and those that the kernel's log names; both undefined where it names none. */
  readonly predictedPorts: string | undefined;
  readonly loggedPorts: string | undefined;
}

/** What the host hands over, and what it gets. */
export interface Plan {
  readonly steps: readonly Step[];
}
export type Line =
  | { readonly kind: "pair"; readonly pair: PairResult }
  | { readonly kind: "machine"; readonly parts: Parts }
  | { readonly kind: "advice"; readonly remedies: readonly Remedy[] };

const plan = JSON.parse(process.argv[2] ?? "{}") as Plan;

report({ kind: "machine", parts: partsHere() });
const log = new KernelLog();
giveDrivesContent(readMachine(sys));
const atBoot = readMachine(sys).tree;
for (const step of plan.steps) await judge(step);

function partsHere(): Parts {
  const pools = sys.list("/sys/bus/pci/devices").map((bdf) => `/sys/bus/pci/devices/${bdf}/p2pmem/published`);
  return { letters: sys.list("/dev/lab"), providers: pools.filter((path) => sys.text(path) === "1").length };
}

async function judge(step: Step): Promise<void> {
  const before = readMachine(sys);
  if (step.followAdvice) typeCommands(adviceFor(before));
  else await setUp(before, step);
  const machine = readMachine(sys);
  const reach = predictReach(machine);
  for (const [row, provider] of reach.providers.entries()) {
    for (const [column, client] of reach.clients.entries()) {
      const verdict = reach.verdicts[row]?.[column];
      if (!verdict) continue;
      const { mapType, rule, distance } = verdict;
      log.readNew();
      const seen = probePair(provider, client);
      const asked = commonBridge(verdict) !== undefined ? redirectingPorts(verdict) : [];
      report({
        kind: "pair",
        pair: {
          ...{
            step: step.name,
            provider: provider.name,
            client: client.name,
            mapType,
            rule,
            distance,
            ...seen,
          },
          predictedPorts: asked.length > 0 ? asked.join(";") : undefined,
          loggedPorts: loggedPorts(log.readNew(), client.bdf),
        },
      });
    }
  }
  report({ kind: "advice", remedies: adviceFor(machine) });
}

async function setUp(machine: Machine, step: Step): Promise<void> {
  for (const { bdf, acs } of atBoot.functions.values()) {
    if (acs.state === "present") writeAcs(machine.tree, bdf, acs.control);
  }
  for (const [reference, control] of Object.entries(step.acs ?? {})) {
    writeAcs(machine.tree, resolvePort(machine, reference), control);
  }
  if (step.keepVerdicts) return;
  for (const { bdf, pci } of providersOf(machine)) if (pci.driver) await rebind(bdf, pci.driver);
}

function adviceFor(machine: Machine): Remedy[] {
  const refused = predictReach(machine)
    .verdicts.flat()
    .find((verdict) => kindOf(verdict) === "refused");
  return refused ? findRemedies(machine, refused) : [];
}

/** setpci may not be there, so its one form is done by hand; the rest is for the shell. */
function typeCommands(remedies: readonly Remedy[]): void {
  const { tree } = readMachine(sys);
  const commands = remedies.find(({ kind }) => kind === "acs-now")?.commands ?? [];
  for (const command of commands) {
    const match = /^setpci -s (\S+) ECAP_ACS\+6\.w=([0-9a-f]{4})$/.exec(command);
    if (match) writeAcs(tree, match[1] as Bdf, Number.parseInt(match[2] ?? "", 16));
    else execFileSync("sh", ["-c", command]);
  }
}

function giveDrivesContent(machine: Machine): void {
  for (const { controller } of machine.devices) {
    const [namespace] = controller?.namespaces ?? [];
    if (namespace) writeMedium(`/dev/${namespace.name}`, 0n, randomContent(4096));
  }
}

/** The kernel tells once, when it computes a verdict, which ports redirect. */
function loggedPorts(lines: readonly string[], client: Bdf): string | undefined {
  const about = lines.filter((line) => line.includes(client));
  return about.map((line) => /pci=disable_acs_redir=(\S+)/.exec(line)?.[1]).find((ports) => ports);
}

function report(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
