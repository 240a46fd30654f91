// SPDX-License-Identifier: MIT

/**
 * The registers around a Controller Memory Buffer as they were read; undefined
 * where they could not be. Layouts: NVM Express Base Specification 2.1, 3.1.4.
 */
export interface CmbRegisters {
  /** Controller Capabilities, offset 0x00. */
  readonly cap?: bigint;
  /** Version, 0x08. */
  readonly vs?: number;
  /** Location, 0x38. */
  readonly cmbloc?: number;
  /** Size, 0x3c. */
  readonly cmbsz?: number;
  /** Memory space control, 0x50. */
  readonly cmbmsc?: bigint;
  /** Status, 0x58. */
  readonly cmbsts?: number;
  /** Elasticity buffer size, 0x5c. */
  readonly cmbebs?: number;
  /** Sustained write throughput, 0x60. */
  readonly cmbswtp?: number;
}

/**
 * none: there is no CMB. disabled: there is one that the host has not enabled (NVMe 1.4 on).
 * unmapped: enabled to be described, but the controller answers to no address. reserved: its size or place
 * is given in values that mean nothing. present: it can be used. unknown: not enough registers were read.
 */
export type CmbState = "present" | "unmapped" | "disabled" | "reserved" | "none" | "unknown";

export interface Cmb {
  readonly state: CmbState;
  /** Undefined unless CMBLOC and CMBSZ are known and describe a CMB. */
  readonly location: CmbLocation | undefined;
  readonly supports: CmbSupport | undefined;
  readonly restrictions: readonly CmbRestriction[];
  /** CMBLOC.CQDA: queues in the CMB need only be aligned to 4 bytes. */
  readonly queuesDwordAligned: boolean | undefined;
  /** CAP.CMBS: the controller follows NVMe 1.4, where the host enables the CMB. */
  readonly isHostEnabled: boolean | undefined;
  /** CMBMSC, where CAP.CMBS says that there is one. */
  readonly control: CmbControl | undefined;
  /** CMBSTS.CBAI: the controller took no notice of the address it was given. */
  readonly isBaseInvalid: boolean | undefined;
  /** Undefined where the controller tells nothing about it. */
  readonly elasticity: CmbElasticity | undefined;
  /** Bytes per second; undefined where the controller tells nothing. */
  readonly sustainedWriteBytesPerSecond: bigint | undefined;
  /** `1.4.0` */
  readonly version: string | undefined;
}

export interface CmbLocation {
  /** CMBLOC.BIR */
  readonly bar: number;
  /** From the start of the BAR. */
  readonly offsetBytes: bigint;
  readonly sizeBytes: bigint;
  /** The unit both were given in. */
  readonly unitBytes: bigint;
}

/** What may be placed in the CMB. */
export interface CmbSupport {
  readonly submissionQueues: boolean;
  readonly completionQueues: boolean;
  /** PRP lists and SGLs. */
  readonly lists: boolean;
  /** Data and metadata on the way from the controller: what Read returns. */
  readonly readData: boolean;
  /** Data and metadata on the way to the controller: what Write takes. */
  readonly writeData: boolean;
}

/** A rule about the CMB. In the register 0 means enforced and 1 not enforced. */
export interface CmbRestriction {
  /** Name of the field of CMBLOC: `CDPMLS`. */
  readonly field: string;
  readonly isEnforced: boolean;
  /** What holds now, as a sentence. */
  readonly meaning: string;
}

export interface CmbControl {
  /** CRE: CMBLOC and CMBSZ can be read. */
  readonly registersEnabled: boolean;
  /** CMSE: the controller takes addresses from CBA on for its CMB. */
  readonly memorySpaceEnabled: boolean;
  /** CBA: PCI bus address. */
  readonly baseAddress: bigint;
}

export interface CmbElasticity {
  readonly sizeBytes: bigint;
  /** CMBRBB: reads that touch none of the waiting writes overtake them; else they may. */
  readonly readsBypass: boolean;
}

/** Largest CMBSZ.SZU with a meaning: units of 64 GiB. */
const LAST_SIZE_UNIT = 6;

/** Values of CMBLOC.BIR with a meaning. */
const BARS = [0, 2, 3, 4, 5];

/** Rules in the order of the bits, from bit 3 of CMBLOC on: what 0 and what 1 means. */
const RESTRICTIONS: readonly (readonly [field: string, bit: number, enforced: string, free: string])[] = [
  [
    "CQMMS",
    3,
    "a queue lies in the CMB as a whole or not at all",
    "a queue may lie partly in the CMB and partly in other memory",
  ],
  ["CQPDS", 4, "a queue in the CMB is one contiguous piece", "a queue in the CMB may be in several pieces"],
  [
    "CDPMLS",
    5,
    "a PRP list or SGL lies in the CMB as a whole or not at all",
    "a PRP list or SGL may itself lie partly in the CMB and partly in other memory",
  ],
  [
    "CDPCILS",
    6,
    "only commands of queues in the CMB may have their PRP list or SGL there",
    "a command of any queue may have its PRP list or SGL in the CMB",
  ],
  [
    "CDMMMS",
    7,
    "data and metadata of a command lie in the CMB as a whole or not at all",
    "data and metadata of a command may lie partly in the CMB and partly in other memory",
  ],
];

/** Puts registers into words. Pure: what it is given may come from a machine or from a file. */
export function decodeCmb(registers: CmbRegisters): Cmb {
  const { cap, vs, cmbloc, cmbsz } = registers;
  const isHostEnabled = cap === undefined ? undefined : bit(cap, 57);
  const control = isHostEnabled ? decodeControl(registers.cmbmsc) : undefined;
  const isDescribed = cmbloc !== undefined && cmbsz !== undefined && cmbsz !== 0;
  const location = isDescribed ? decodeLocation(cmbloc, cmbsz) : undefined;
  return {
    state: judgeState(cmbsz, location, isHostEnabled, control),
    location,
    supports: location && cmbsz !== undefined ? decodeSupport(cmbsz) : undefined,
    restrictions: location && cmbloc !== undefined ? decodeRestrictions(cmbloc) : [],
    queuesDwordAligned: location && cmbloc !== undefined ? bit(cmbloc, 8) : undefined,
    isHostEnabled,
    control,
    // Before 1.4 these offsets are reserved, whatever reads there.
    isBaseInvalid: isHostEnabled && registers.cmbsts !== undefined ? bit(registers.cmbsts, 0) : undefined,
    elasticity: isHostEnabled ? decodeElasticity(registers.cmbebs) : undefined,
    sustainedWriteBytesPerSecond: isHostEnabled ? decodeAmount(registers.cmbswtp) : undefined,
    version: vs === undefined ? undefined : `${vs >>> 16}.${(vs >>> 8) & 0xff}.${vs & 0xff}`,
  };
}

function judgeState(
  cmbsz: number | undefined,
  location: CmbLocation | undefined,
  isHostEnabled: boolean | undefined,
  control: CmbControl | undefined,
): CmbState {
  if (cmbsz === undefined) return "unknown";
  if (cmbsz === 0) {
    if (isHostEnabled === undefined) return "unknown";
    return isHostEnabled ? "disabled" : "none";
  }
  if (!location) return "reserved";
  return control && !control.memorySpaceEnabled ? "unmapped" : "present";
}

/** 64 bits all the way: a SZU of 5 and more goes past what 32 can hold. */
function decodeLocation(cmbloc: number, cmbsz: number): CmbLocation | undefined {
  const sizeUnit = (cmbsz >>> 8) & 0xf;
  const bar = cmbloc & 0x7;
  const units = BigInt(cmbsz >>> 12);
  if (sizeUnit > LAST_SIZE_UNIT || !BARS.includes(bar) || units === 0n) return undefined;
  const unitBytes = 1n << BigInt(12 + 4 * sizeUnit);
  return { bar, unitBytes, sizeBytes: units * unitBytes, offsetBytes: BigInt(cmbloc >>> 12) * unitBytes };
}

function decodeSupport(cmbsz: number): CmbSupport {
  return {
    submissionQueues: bit(cmbsz, 0),
    completionQueues: bit(cmbsz, 1),
    lists: bit(cmbsz, 2),
    readData: bit(cmbsz, 3),
    writeData: bit(cmbsz, 4),
  };
}

function decodeRestrictions(cmbloc: number): CmbRestriction[] {
  return RESTRICTIONS.map(([field, number, enforced, free]) => {
    const isEnforced = !bit(cmbloc, number);
    return { field, isEnforced, meaning: isEnforced ? enforced : free };
  });
}

function decodeControl(cmbmsc: bigint | undefined): CmbControl | undefined {
  if (cmbmsc === undefined) return undefined;
  return {
    registersEnabled: bit(cmbmsc, 0),
    memorySpaceEnabled: bit(cmbmsc, 1),
    baseAddress: (cmbmsc >> 12n) << 12n,
  };
}

function decodeElasticity(cmbebs: number | undefined): CmbElasticity | undefined {
  const sizeBytes = decodeAmount(cmbebs);
  return sizeBytes === undefined || cmbebs === undefined
    ? undefined
    : { sizeBytes, readsBypass: bit(cmbebs, 4) };
}

/** CMBEBS and CMBSWTP share a form: a 24-bit amount in units of 1, 1 Ki, 1 Mi or 1 Gi. */
function decodeAmount(register: number | undefined): bigint | undefined {
  const unit = (register ?? 0) & 0xf;
  if (!register || unit > 3 || register >>> 8 === 0) return undefined;
  return BigInt(register >>> 8) << BigInt(10 * unit);
}

function bit(value: number | bigint, number: number): boolean {
  return ((BigInt(value) >> BigInt(number)) & 1n) === 1n;
}
