// SPDX-License-Identifier: MIT
import type { Provider } from "../p2pmem/providers.ts";
import { readPciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";
import { judgePair, type Machine, type Pair, readMachine } from "../topo/index.ts";
import { type DriveFacts, readDriveFacts } from "./drive-facts.ts";
import { type End, readEnd } from "./ends.ts";
import type { Here } from "./here.ts";
import { type KernelLog, parseKernelLog } from "./kernel-log.ts";
import type { ProbeResult } from "./probe.ts";
import { listStuckTasks, type StuckTask } from "./stuck-tasks.ts";
import { readSystemFacts, type SystemFacts } from "./system-facts.ts";

/** The two ends of a copy, with the kernel's verdicts predicted where both are PCI devices. */
export interface EndsFacts {
  readonly source: End;
  readonly destination: End;
  readonly pair: Pair | undefined;
}

/** What of the running machine a capture does not have. */
export interface LiveFacts {
  /** By provider's address: whether its memory may be mapped by this process. */
  readonly mayAllocate: ReadonlyMap<string, boolean>;
  /** Whether some character device hands out p2pmem; asked only where there is no `p2pmem/allocate`. */
  readonly characterDeviceWorks: boolean;
  /** Undefined without the right to read it. */
  readonly log: KernelLog | undefined;
  readonly stuck: readonly StuckTask[];
}

/** One read-only snapshot: every check is a function of it. */
export interface Facts {
  readonly machine: Machine;
  readonly system: SystemFacts;
  readonly drives: DriveFacts;
  /** Undefined when the machine as a whole is asked about. */
  readonly ends: EndsFacts | undefined;
  /** Undefined for a capture. */
  readonly live: LiveFacts | undefined;
  /** Undefined when nothing was tried. */
  readonly probes: readonly ProbeResult[] | undefined;
}

export interface Question {
  readonly source: string;
  readonly destination: string;
}

/**
 * Reads all that the checks look at.
 * @param here undefined for a capture.
 * @throws P2pdmaError USAGE when an end can't be found, or the kernel's version is unknown.
 */
export function readFacts(
  view: SystemView,
  here: Here | undefined,
  question: Question | undefined,
): Omit<Facts, "probes"> {
  const machine = readMachine(view);
  const drives = readDriveFacts(view, machine.tree, here?.native);
  return {
    machine,
    system: readSystemFacts(view, machine.tree),
    drives,
    ends: question && readEnds(view, machine, here, question),
    live: here && readLive(view, here, drives),
  };
}

/** All that the checks would ask of a machine that is not here. */
export function readDoctorFacts(view: SystemView): void {
  const tree = readPciTree(view);
  readSystemFacts(view, tree);
  readDriveFacts(view, tree, undefined);
}

function readEnds(view: SystemView, machine: Machine, here: Here | undefined, question: Question): EndsFacts {
  const source = readEnd(view, machine, here, "source", question.source);
  const destination = readEnd(view, machine, here, "destination", question.destination);
  const areBoth = source.device && destination.device;
  const pair = areBoth ? judgePair(machine, source.device, destination.device) : undefined;
  return { source, destination, pair };
}

function readLive(view: SystemView, here: Here, { pools }: DriveFacts): LiveFacts {
  const lines = here.kernelLog();
  const providers = pools.map(({ provider }) => provider);
  const lacking = providers.filter(({ allocators }) => allocators.every(({ kind }) => kind !== "sysfs"));
  return {
    mayAllocate: new Map(providers.map((provider) => [provider.bdf, mayAllocate(here, provider)])),
    characterDeviceWorks: lacking.some((provider) => here.tryCharacterDevice(provider) === undefined),
    log: lines && parseKernelLog(lines),
    stuck: listStuckTasks(view),
  };
}

/** A character device may be there and hand out nothing, so it is tried where the sysfs file is not for us. */
function mayAllocate(here: Here, provider: Provider): boolean {
  const isOpen = provider.allocators.some(
    ({ kind, path }) => kind === "sysfs" && here.canAccess(path, "read-write"),
  );
  return isOpen || here.tryCharacterDevice(provider) === undefined;
}
