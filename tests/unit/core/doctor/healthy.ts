// SPDX-License-Identifier: MIT
// A machine on which everything is as it should be, to plant faults in, and what only a running machine tells.
import { examine } from "../../../../core/doctor/examine.ts";
import { type Question, readFacts } from "../../../../core/doctor/facts.ts";
import type { Finding, Status } from "../../../../core/doctor/finding.ts";
import type { Here, PathFacts } from "../../../../core/doctor/here.ts";
import type { ProbeResult } from "../../../../core/doctor/probe.ts";
import { type Native, SyscallError } from "../../../../ffi/index.ts";
import {
  cmb,
  drive,
  type FunctionDescription,
  hostBridge,
  type MachineDescription,
  port,
} from "../../../fixtures/machines/description.ts";
import { machineFiles } from "../../machines.ts";
import type { MemoryFiles } from "../../memory-files.ts";

const MIB = 1 << 20;
export const A = "0000:03:00.0";
export const B = "0000:04:00.0";
export const PORT_A = "0000:02:00.0";
export const PORT_B = "0000:02:01.0";
export const DRIVE_A = `/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/${PORT_A}/${A}`;
const LIMITS = "Limit                     Soft Limit           Hard Limit           Units\n";

export interface Variation {
  /** ACS control of the two downstream ports. */
  readonly acs?: number;
  /** Each drive on a root port of its own, without the switch. */
  readonly apart?: boolean;
  readonly kernel?: string;
  readonly options?: readonly string[];
  readonly cpu?: Readonly<Record<string, string>>;
  readonly a?: Partial<FunctionDescription>;
  readonly b?: Partial<FunctionDescription>;
}

const OPTIONS = ["PCI=y", "PCI_P2PDMA=y", "ZONE_DEVICE=y", "IO_URING=y", "RANDOMIZE_MEMORY=y"];

/** Drives A (64 MiB CMB) and B (no CMB) below one switch of a server. */
export function server(over: Variation = {}): MemoryFiles {
  const acs = over.acs === undefined ? {} : { acs: { capability: 0x5f, control: over.acs } };
  const a = drive(
    A,
    "1e0f:0007",
    { name: "nvme0", model: "Test Drive", serial: "SN-A", cmb: cmb(64, 2) },
    {
      windows: { 0: [0xb8000000n, 0x8000n], 2: [0x18000000000n, BigInt(64 * MIB)] },
      p2pmem: { size: 64 * MIB, available: 64 * MIB, isPublished: true },
      ...over.a,
    },
  );
  const b = drive(B, "1e0f:0007", { name: "nvme1", model: "Test Drive", serial: "SN-B" }, { ...over.b });
  const below = [
    port(PORT_A, "1000:c010", "downstream-port", [a], acs),
    port(PORT_B, "1000:c010", "downstream-port", [b], acs),
  ];
  const machine: MachineDescription = {
    ...{
      name: "server",
      source: "made up",
      kernel: over.kernel ?? "6.12.1",
      options: over.options ?? OPTIONS,
    },
    cpu: over.cpu ?? { vendor_id: "GenuineIntel", "cpu family": "6" },
    roots: {
      "pci0000:00": [
        hostBridge("0000:00:00.0", "8086:29c0"),
        ...(over.apart
          ? [
              port("0000:00:01.0", "8086:4c01", "root-port", [a]),
              port("0000:00:02.0", "8086:4c01", "root-port", [b]),
            ]
          : [
              port("0000:00:01.0", "8086:4c01", "root-port", [
                port("0000:01:00.0", "1000:c010", "upstream-port", below),
              ]),
            ]),
      ],
    },
  };
  const files = machineFiles(machine);
  files.write("/sys/module/nvme/parameters/use_cmb_sqes", "Y\n");
  files.write("/sys/module/nvme_core/parameters/multipath", "Y\n");
  files.write(
    "/proc/self/limits",
    `${LIMITS}Max locked memory         8388608              8388608              bytes\n`,
  );
  return files;
}

export interface HereOver {
  readonly log?: readonly string[];
  /** Paths that may not be opened. */
  readonly denied?: readonly string[];
  readonly paths?: Readonly<Record<string, PathFacts>>;
  readonly alignment?: number;
  readonly characterDevice?: string;
  /** Registers by offset; without any the BAR is kept from us. */
  readonly registers?: Readonly<Record<number, number>>;
}

export function fakeHere(over: HereOver = {}): Here {
  return {
    native: fakeNative(over.registers),
    stat: (path) => over.paths?.[path],
    canAccess: (path) => !over.denied?.includes(path),
    directAlignment: () => over.alignment ?? 512,
    kernelLog: () => over.log ?? [],
    tryCharacterDevice: () => over.characterDevice ?? "ENODEV",
  };
}

function fakeNative(registers: HereOver["registers"]): Native {
  const native = {
    PAGE_BYTES: 4096,
    frameOfProcess: () => undefined,
    mapRegisters: (path: string) => {
      if (!registers) throw new SyscallError("open", 13, path);
      return { close: () => undefined };
    },
    readRegisters: (_: unknown, offsets: readonly number[]) => offsets.map((at) => registers?.[at] ?? 0),
  };
  return native as unknown as Native;
}

/** What a check found, by its id; passes only when asked for. */
export interface Diagnosis {
  readonly isPossible: boolean | undefined;
  readonly exitCode: number;
  /** Every finding that is not a pass: `fail acs-redirect`. */
  readonly complaints: readonly string[];
  find(id: string): readonly Finding[];
  statusOf(id: string): Status | undefined;
}

export function diagnose(
  files: MemoryFiles,
  here?: Here,
  question?: Question,
  probes?: readonly ProbeResult[],
): Diagnosis {
  const { results, isPossible, exitCode } = examine({ ...readFacts(files, here, question), probes });
  const resultOf = (id: string) => results.find(({ check }) => check.id === id);
  return {
    isPossible,
    exitCode,
    complaints: results.flatMap(({ check, findings }) =>
      findings.filter(({ status }) => status !== "pass").map(({ status }) => `${status} ${check.id}`),
    ),
    find: (id) => resultOf(id)?.findings ?? [],
    statusOf: (id) => resultOf(id)?.status,
  };
}

/** All that a finding tells to do. */
export function fixText(findings: readonly Finding[]): string {
  return findings
    .flatMap(({ fixes }) => fixes.flatMap(({ text, commands }) => [text, ...commands]))
    .join("\n");
}

export function whatText(findings: readonly Finding[]): string {
  return findings.map(({ what }) => what).join("\n");
}
