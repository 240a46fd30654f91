// SPDX-License-Identifier: MIT
import { type Native, type PerfCounter, type PerfEvent, SyscallError } from "../../ffi/index.ts";
import type { SystemView } from "../sysfs.ts";

/** An event of a memory controller, and what one count of it moved. */
export interface DramEvent extends PerfEvent {
  readonly bytesPerCount: number;
}

/** Counters of all memory traffic, or why there are none. */
export interface DramMeter {
  readonly missing: string | undefined;
  /** Names of the counting units: `uncore_imc_0`. */
  readonly units: readonly string[];
  /** Bytes read from and written to DRAM so far, by anybody. */
  bytes(): number;
  close(): void;
}

const UNITS = "/sys/bus/event_source/devices";
const CACHE_LINE_BYTES = 64;

/** Intel names its events in sysfs. Free-running units count the same once more. */
const INTEL_UNIT = /^uncore_imc(_\d+)?$/;
const INTEL_EVENTS = ["cas_count_read", "cas_count_write", "data_reads", "data_writes"];

/** AMD, family 19h from Zen 4 on: umc_cas_cmd.all, one cache line each. */
const AMD_CONTROLLER = /^amd_umc_\d+$/;
const AMD_CAS_COMMANDS = 0x0an;

/** AMD before that: dram_channel_data_controller_0 to 7 of the data fabric (Zen, Zen 2, Zen 3). */
const AMD_FABRIC = "amd_df";
const AMD_CHANNELS = [0x07, 0x47, 0x87, 0xc7, 0x107, 0x147, 0x187, 0x1c7];
const AMD_CHANNEL_MASK = 0x38n;

/** Events that together count all DRAM traffic; empty where no unit of this machine is known to. */
export function findDramEvents(sys: SystemView): DramEvent[] {
  const units = sys.list(UNITS);
  const intel = units.filter((unit) => INTEL_UNIT.test(unit)).flatMap((unit) => intelEvents(sys, unit));
  if (intel.length > 0) return intel;
  const controllers = units.filter((unit) => AMD_CONTROLLER.test(unit));
  if (controllers.length > 0) {
    return controllers.flatMap((unit) => eventsOf(sys, unit, [AMD_CAS_COMMANDS], CACHE_LINE_BYTES));
  }
  if (!units.includes(AMD_FABRIC) || !hasOldFabric(sys)) return [];
  return eventsOf(sys, AMD_FABRIC, AMD_CHANNELS.map(fabricConfig), CACHE_LINE_BYTES);
}

/** Opens them all; what can't be is said, since a part would pass for the whole. */
export function openDramMeter(sys: SystemView, native: Native): DramMeter {
  const events = findDramEvents(sys);
  if (events.length === 0)
    return noMeter("this machine has no memory controller counters that are known here");
  const open: { counter: PerfCounter; bytesPerCount: number }[] = [];
  const close = () => {
    for (const { counter } of open.splice(0)) counter.close();
  };
  try {
    for (const event of events) {
      open.push({ counter: native.openPerfCounter(event), bytesPerCount: event.bytesPerCount });
    }
  } catch (error) {
    close();
    if (!(error instanceof SyscallError)) throw error;
    return noMeter(reasonOf(error));
  }
  const bytes = () =>
    open.reduce((sum, { counter, bytesPerCount }) => sum + counter.read() * bytesPerCount, 0);
  const units = [...new Set(events.map(({ label }) => label.split("/")[0] ?? label))];
  return { missing: undefined, units, bytes, close };
}

/** For measurements that are not about it. */
export const NO_DRAM_METER = noMeter("not asked for");

function noMeter(missing: string): DramMeter {
  return { missing, units: [], bytes: () => 0, close: () => {} };
}

function reasonOf({ code, target }: SyscallError): string {
  const isDenied = code === "EACCES" || code === "EPERM";
  return isDenied ? "counting needs CAP_PERFMON (root)" : `the kernel does not count "${target}": ${code}`;
}

function intelEvents(sys: SystemView, unit: string): DramEvent[] {
  return INTEL_EVENTS.flatMap((name) => {
    const at = `${UNITS}/${unit}/events/${name}`;
    const config = parseTerms(sys.text(at) ?? "");
    const scale = Number.parseFloat(sys.text(`${at}.scale`) ?? "");
    const unitBytes = BYTES[sys.text(`${at}.unit`) ?? ""];
    if (config === undefined || !unitBytes || !Number.isFinite(scale)) return [];
    return eventsOf(sys, unit, [config], scale * unitBytes, name);
  });
}

const BYTES: Readonly<Record<string, number>> = { MiB: 2 ** 20, Bytes: 1, bytes: 1 };

/** `event=0x04,umask=0x03`: the formats of uncore_imc put these into bits 0 to 7 and 8 to 15. */
function parseTerms(text: string): bigint | undefined {
  const terms = new Map(text.split(",").map((term) => term.trim().split("=") as [string, string]));
  const event = terms.get("event");
  if (event === undefined || [...terms.keys()].some((key) => key !== "event" && key !== "umask"))
    return undefined;
  return BigInt(event) | (BigInt(terms.get("umask") ?? 0) << 8n);
}

/** Events of 12 bits, the upper four of them from bit 32 on. */
function fabricConfig(event: number): bigint {
  const code = BigInt(event);
  return (code & 0xffn) | (AMD_CHANNEL_MASK << 8n) | ((code >> 8n) << 32n);
}

function hasOldFabric(sys: SystemView): boolean {
  const [first = ""] = (sys.text("/proc/cpuinfo") ?? "").split("\n\n");
  const field = (name: string) => Number(new RegExp(`^${name}\\s*: (\\d+)$`, "m").exec(first)?.[1]);
  const [family, model] = [field("cpu family"), field("model")];
  return (
    family === 0x17 || (family === 0x19 && ZEN_3_MODELS.some(([from, to]) => model >= from && model <= to))
  );
}

/** Milan, Chagall and the desktop and mobile parts; the other models of the family are Zen 4. */
const ZEN_3_MODELS = [
  [0x00, 0x0f],
  [0x20, 0x2f],
  [0x40, 0x5f],
] as const;

/** Uncore units count once a package: `cpumask` names the processor to ask for each. */
function eventsOf(
  sys: SystemView,
  unit: string,
  configs: readonly bigint[],
  bytesPerCount: number,
  name?: string,
): DramEvent[] {
  const type = sys.integer(`${UNITS}/${unit}/type`);
  const cpus = (sys.text(`${UNITS}/${unit}/cpumask`) ?? "")
    .split(",")
    .map((part) => Number.parseInt(part, 10));
  if (type === undefined || cpus.some((cpu) => !Number.isInteger(cpu))) return [];
  return cpus.flatMap((cpu) =>
    configs.map((config) => {
      const label = `${unit}/${name ?? `0x${config.toString(16)}`}/`;
      return { type: Number(type), config, cpu, label, bytesPerCount };
    }),
  );
}
