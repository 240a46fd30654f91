// SPDX-License-Identifier: MIT
import type { Cmb, CmbRegisters } from "./cmb.ts";
import type { CmbReport, P2pmemReport } from "./cmb-report.ts";

/** Number of hexadecimal digits of each register. */
const DIGITS: Readonly<Record<keyof CmbRegisters, number>> = {
  ...{ cap: 16, vs: 8, cmbloc: 8, cmbsz: 8, cmbmsc: 16, cmbsts: 8, cmbebs: 8, cmbswtp: 8 },
};

/** The document of `cmb show --json`. Byte counts and addresses are strings, as they can pass 2^53; unknown is null. */
export function cmbDocument(reports: readonly CmbReport[]) {
  return { schema: "p2pdma.cmb/1", controllers: reports.map(controllerOf) };
}

function controllerOf({ bdf, controller, isNvme, cmb, read, window, p2pmem, noP2pmem }: CmbReport) {
  return {
    name: controller?.name ?? null,
    pciAddress: bdf,
    isNvme,
    model: controller?.model ?? null,
    serial: controller?.serial ?? null,
    firmware: controller?.firmware ?? null,
    nvmeVersion: cmb.version ?? null,
    state: cmb.state,
    location: cmb.location
      ? {
          bar: cmb.location.bar,
          offsetBytes: String(cmb.location.offsetBytes),
          sizeBytes: String(cmb.location.sizeBytes),
          unitBytes: String(cmb.location.unitBytes),
        }
      : null,
    window: window ? { start: hex(window.start), end: hex(window.end), isCutByBar: window.isCut } : null,
    supports: cmb.supports ?? null,
    restrictions: cmb.restrictions,
    queuesDwordAligned: cmb.queuesDwordAligned ?? null,
    ...controlOf(cmb),
    p2pmem: p2pmem ? p2pmemOf(p2pmem) : null,
    noP2pmemReason: noP2pmem ?? null,
    registers: registersOf(read.registers),
    registerSources: read.sources,
    barProblem: read.problem ?? null,
  };
}

function controlOf(cmb: Cmb) {
  return {
    hostEnabled: cmb.isHostEnabled ?? null,
    control: cmb.control ? { ...cmb.control, baseAddress: hex(cmb.control.baseAddress) } : null,
    baseAddressInvalid: cmb.isBaseInvalid ?? null,
    elasticityBuffer: cmb.elasticity
      ? { sizeBytes: String(cmb.elasticity.sizeBytes), readsBypassWrites: cmb.elasticity.readsBypass }
      : null,
    sustainedWriteBytesPerSecond: cmb.sustainedWriteBytesPerSecond?.toString() ?? null,
  };
}

function p2pmemOf({ provider, usedBytes, holders, queuesInCmb }: P2pmemReport) {
  return {
    sizeBytes: String(provider.sizeBytes),
    availableBytes: String(provider.availableBytes),
    usedBytes: String(usedBytes),
    isPublished: provider.isPublished,
    submissionQueuesInside: queuesInCmb ?? null,
    holders: holders.map(({ pid, command, sizeBytes }) => ({ pid, command, sizeBytes: String(sizeBytes) })),
  };
}

function registersOf(registers: CmbRegisters) {
  const names = Object.keys(DIGITS) as (keyof CmbRegisters)[];
  return Object.fromEntries(
    names.map((name) => {
      const value = registers[name];
      return [name, value === undefined ? null : hex(value, DIGITS[name])];
    }),
  ) as Record<keyof CmbRegisters, string | null>;
}

function hex(value: bigint | number, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
