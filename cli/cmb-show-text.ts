// SPDX-License-Identifier: MIT
import type { Cmb, CmbRegisters, CmbSupport } from "../core/nvme/cmb.ts";
import type { CmbReport, CmbWindow, P2pmemReport } from "../core/nvme/cmb-report.ts";
import { formatBytes } from "../core/units.ts";

type Line = readonly [label: string, text: string];

const WIDTH = 11;

/** The CMBs for people: what is there, what it may be used for, who uses it. */
export function renderCmbs(reports: readonly CmbReport[]): string {
  if (reports.length === 0) {
    return "No NVMe controller on PCI in this machine. To see some: p2pdma lab run -- p2pdma cmb show\n";
  }
  return reports.map(renderOne).join("\n");
}

function renderOne(report: CmbReport): string {
  const { cmb, read, p2pmem, noP2pmem } = report;
  const lines: Line[] = [
    ["CMB", describeCmb(report)],
    ...(cmb.supports ? supportLines(cmb.supports) : []),
    ...enableLines(cmb),
    ...ruleLines(cmb),
    ...speedLines(cmb),
    ...(p2pmem ? p2pmemLines(p2pmem) : []),
    ...(noP2pmem ? [["p2pmem", `none: ${noP2pmem}`] as const] : []),
    ...registerLines(report),
    ...(read.problem ? [["not read", `${unreadRegisters(read.registers)}: ${read.problem}`] as const] : []),
  ];
  return `${headOf(report)}\n${lines.map(([label, text]) => `  ${label.padEnd(WIDTH)} ${text}\n`).join("")}`;
}

function headOf({ bdf, controller, cmb, isNvme, p2pmem }: CmbReport): string {
  if (!isNvme) return `${p2pmem?.provider.name} (${bdf})`;
  if (!controller) return `${bdf} (not bound to the kernel's NVMe driver)`;
  const { name, model, serial, firmware } = controller;
  const version = cmb.version && `NVMe ${cmb.version}`;
  const facts = [bdf, model, serial && `serial ${serial}`, firmware && `firmware ${firmware}`, version];
  return `${name} (${facts.filter((fact) => fact).join(", ")})`;
}

function describeCmb({ cmb, window, read, isNvme }: CmbReport): string {
  const place = cmb.location && describePlace(cmb, window);
  switch (cmb.state) {
    case "present":
      return `${place}`;
    case "unmapped":
      return `${place}; but it answers to no address: the host has not switched its memory on`;
    case "disabled":
      return "there is one, but the host has not enabled it, so size and place can't be read (needs Linux >= 5.12)";
    case "reserved":
      return "described by reserved values in CMBLOC or CMBSZ: this can't be used";
    case "none":
      return isNvme ? "none" : "none: it is no NVMe device";
    case "unknown":
      return read.problem
        ? "none that the kernel shows; whether the drive has one that is not enabled is not known"
        : "not known";
  }
}

function describePlace({ location }: Cmb, window: CmbWindow | undefined): string {
  if (!location) return "";
  const size = `${formatBytes(location.sizeBytes)} (${location.sizeBytes} bytes)`;
  const addresses = window && `: ${range(window.start, window.end)}`;
  const cut = window?.isCut
    ? `; the BAR ends early, ${formatBytes(window.end - window.start)} can be reached`
    : "";
  return `${size} in BAR ${location.bar}, from byte ${location.offsetBytes} on${addresses ?? ""}${cut}`;
}

const SUPPORT_WORDS: readonly (readonly [keyof CmbSupport, string])[] = [
  ["submissionQueues", "submission queues (SQS)"],
  ["completionQueues", "completion queues (CQS)"],
  ["lists", "PRP lists and SGLs (LISTS)"],
  ["readData", "data that is read from the drive (RDS)"],
  ["writeData", "data that is written to the drive (WDS)"],
];

function supportLines(supports: CmbSupport): Line[] {
  const words = (wanted: boolean) =>
    SUPPORT_WORDS.flatMap(([key, text]) => (supports[key] === wanted ? [text] : [])).join(", ") || "nothing";
  return [
    ["may hold", words(true)],
    ["may not", words(false)],
  ];
}

/** How the CMB is enabled: by the host from NVMe 1.4 on, always on before. */
function enableLines({ isHostEnabled, control, isBaseInvalid, location }: Cmb): Line[] {
  if (isHostEnabled === undefined) return [];
  if (!isHostEnabled) {
    return location ? [["enabled", "always (as before NVMe 1.4: CAP.CMBS is 0)"]] : [];
  }
  const parts = control && [
    `registers ${control.registersEnabled ? "on" : "off"} (CRE)`,
    `memory ${control.memorySpaceEnabled ? "on" : "off"} (CMSE)`,
    ...(control.memorySpaceEnabled ? [`at bus address ${hex(control.baseAddress)} (CBA)`] : []),
    ...(isBaseInvalid === undefined || !control.memorySpaceEnabled
      ? []
      : [`which the drive ${isBaseInvalid ? "REFUSED" : "accepted"} (CBAI)`]),
  ];
  return [["enabled", `by the host (CAP.CMBS is 1)${parts ? `: ${parts.join(", ")}` : ""}`]];
}

function ruleLines({ restrictions, queuesDwordAligned }: Cmb): Line[] {
  const rules = restrictions.map(
    ({ field, isEnforced, meaning }) =>
      `${field.padEnd(8)}${isEnforced ? "enforced" : "not enforced"}`.padEnd(22) + meaning,
  );
  if (queuesDwordAligned !== undefined) {
    const meaning = queuesDwordAligned
      ? "queues in the CMB need an alignment of 4 bytes only"
      : "queues in the CMB are aligned like any other";
    rules.push(`${"CQDA".padEnd(8)}${queuesDwordAligned ? 1 : 0}`.padEnd(22) + meaning);
  }
  return rules.map((rule, index) => [index === 0 ? "rules" : "", rule]);
}

/** Only where the controller tells anything: both registers are optional. */
function speedLines({ elasticity, sustainedWriteBytesPerSecond, isHostEnabled, location }: Cmb): Line[] {
  if (!isHostEnabled || !location) return [];
  const overtaking = elasticity?.readsBypass ? "reads overtake waiting writes" : "reads may overtake writes";
  const buffer = elasticity
    ? `${formatBytes(elasticity.sizeBytes)} of writes at full link speed (${overtaking})`
    : "the drive does not tell";
  const speed = sustainedWriteBytesPerSecond
    ? `${formatBytes(sustainedWriteBytesPerSecond)}/s`
    : "the drive does not tell";
  return [
    ["burst", `${buffer} (CMBEBS)`],
    ["sustained", `${speed} (CMBSWTP)`],
  ];
}

function p2pmemLines({ provider, usedBytes, holders, queuesInCmb }: P2pmemReport): Line[] {
  const { sizeBytes, availableBytes, isPublished } = provider;
  const published = isPublished ? "published to other drivers" : "not published to other drivers";
  const lines: Line[] = [
    ["p2pmem", `${formatBytes(sizeBytes)}, ${formatBytes(availableBytes)} free, ${published}`],
  ];
  const held = holders.reduce((sum, holder) => sum + holder.sizeBytes, 0n);
  const rest = usedBytes - held;
  if (rest > 0n) {
    const who = queuesInCmb
      ? "the kernel's submission queues (nvme.use_cmb_sqes=Y), or processes that can't be seen"
      : "other drivers, or processes that can't be seen";
    lines.push(["taken by", `${formatBytes(rest)}: ${who}`]);
  }
  for (const { pid, command, sizeBytes: size } of holders) {
    lines.push(["taken by", `${formatBytes(size)}: process ${pid} (${command})`]);
  }
  return lines;
}

const NAMES = ["cmbloc", "cmbsz", "cap", "cmbmsc", "cmbsts", "cmbebs", "cmbswtp"] as const;
const WIDE = ["cap", "cmbmsc"];

function registerLines({ read: { registers, sources } }: CmbReport): Line[] {
  const bySource = (wanted: string) =>
    NAMES.filter((name) => sources[name] === wanted)
      .map(
        (name) =>
          `${name.toUpperCase()} 0x${(registers[name] ?? 0).toString(16).padStart(WIDE.includes(name) ? 16 : 8, "0")}`,
      )
      .join("  ");
  return [
    ["in sysfs", bySource("sysfs")],
    ["in BAR 0", bySource("BAR")],
  ].flatMap(([label = "", text = ""]) => (text ? [[label, text] as const] : []));
}

function unreadRegisters(registers: CmbRegisters): string {
  return NAMES.filter((name) => registers[name] === undefined)
    .map((name) => name.toUpperCase())
    .join(", ");
}

function range(start: bigint, end: bigint): string {
  return `${hex(start)}-${hex(end - 1n)}`;
}

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
