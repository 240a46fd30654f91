// SPDX-License-Identifier: MIT

/** What one copy takes while it runs. Names of memory, devices and uplinks are opaque here. */
export interface Demand {
  readonly name: string;
  /** Copies that must have finished before. */
  readonly after: readonly string[];
  /** p2pmem it will hold; undefined for a copy through RAM. */
  readonly memory: { readonly provider: string; readonly bytes: bigint } | undefined;
  /** Controllers (or disks) it is an end of. */
  readonly devices: readonly string[];
  /** Upstream ports of switches that its data cross. */
  readonly uplinks: readonly string[];
  /** A destination is opened exclusively: one copy at a time, whatever the limits. */
  readonly exclusive: string | undefined;
}

export interface Capacity {
  readonly jobs: number;
  readonly perDevice: number;
  readonly perUplink: number;
  /** Bytes by provider; without an entry there is no limit. */
  readonly memory: ReadonlyMap<string, bigint>;
}

/** Why a copy does not start now. */
export type Wait =
  | { readonly for: "pairs"; readonly names: readonly string[] }
  | { readonly for: "jobs" }
  | { readonly for: "memory"; readonly name: string }
  | { readonly for: "device"; readonly name: string }
  | { readonly for: "uplink"; readonly name: string };

export interface Decision {
  readonly start: readonly Demand[];
  readonly waits: ReadonlyMap<string, Wait>;
}

/**
 * Decides what to start now: in order, whatever fits beside what runs. A copy that has to wait for something keeps
 * later ones from taking it, so that a large one is not overtaken for ever.
 * @param waiting in the order of the plan
 * @param finished names of copies that ended well
 */
export function decide(
  waiting: readonly Demand[],
  running: readonly Demand[],
  finished: ReadonlySet<string>,
  capacity: Capacity,
): Decision {
  const load = new Load(capacity);
  for (const demand of running) load.take(demand);
  const start: Demand[] = [];
  const waits = new Map<string, Wait>();
  for (const demand of waiting) {
    const names = demand.after.filter((name) => !finished.has(name));
    const wait: Wait | undefined = names.length > 0 ? { for: "pairs", names } : load.obstacle(demand);
    if (!wait) {
      load.take(demand);
      start.push(demand);
      continue;
    }
    waits.set(demand.name, wait);
    if (wait.for !== "pairs") load.claim(wait);
  }
  return { start, waits };
}

/** What is taken, and what is kept for a copy that waits for it. */
class Load {
  private jobs = 0;
  private readonly memory = new Map<string, bigint>();
  private readonly counts = new Map<string, number>();
  private readonly claimed = new Set<string>();

  constructor(private readonly capacity: Capacity) {}

  take(demand: Demand): void {
    this.jobs++;
    const { memory } = demand;
    if (memory) this.memory.set(memory.provider, this.memoryOf(memory.provider) + memory.bytes);
    for (const key of keysOf(demand)) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** The first thing that is missing. */
  obstacle(demand: Demand): Wait | undefined {
    const { jobs, perDevice, perUplink, memory: limits } = this.capacity;
    if (this.jobs >= jobs) return { for: "jobs" };
    const { memory, devices, uplinks, exclusive } = demand;
    if (exclusive !== undefined && this.isFull("exclusive", exclusive, 1)) {
      return { for: "device", name: exclusive };
    }
    const device = devices.find((name) => this.isFull("device", name, perDevice));
    if (device !== undefined) return { for: "device", name: device };
    const uplink = uplinks.find((name) => this.isFull("uplink", name, perUplink));
    if (uplink !== undefined) return { for: "uplink", name: uplink };
    if (!memory) return undefined;
    const limit = limits.get(memory.provider);
    const fits = limit === undefined || this.memoryOf(memory.provider) + memory.bytes <= limit;
    return fits && !this.claimed.has(`memory ${memory.provider}`)
      ? undefined
      : { for: "memory", name: memory.provider };
  }

  claim(wait: Wait): void {
    if ("name" in wait) this.claimed.add(`${wait.for} ${wait.name}`);
  }

  private isFull(kind: "device" | "uplink" | "exclusive", name: string, limit: number): boolean {
    const key = `${kind} ${name}`;
    return (this.counts.get(key) ?? 0) >= limit || this.claimed.has(key);
  }

  private memoryOf(provider: string): bigint {
    return this.memory.get(provider) ?? 0n;
  }
}

/** A device that is both ends counts once. */
function keysOf({ devices, uplinks, exclusive }: Demand): Set<string> {
  return new Set([
    ...devices.map((name) => `device ${name}`),
    ...uplinks.map((name) => `uplink ${name}`),
    ...(exclusive === undefined ? [] : [`exclusive ${exclusive}`]),
  ]);
}
