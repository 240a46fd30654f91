// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import type { SystemView } from "../sysfs.ts";
import { formatBytes } from "../units.ts";
import { type DeviceContents, describePartitions, describeSignature } from "./contents.ts";
import type { Endpoint } from "./endpoint.ts";
import { type BlockUse, describeUse } from "./in-use.ts";
import { inspectDestination, type OverwriteKind } from "./obstacles.ts";
import { describeDevice, mayWrite, type WritePermission } from "./safety.ts";

/** What a copy would overwrite, as plain data; byte counts are decimal strings. */
export interface DestinationReport {
  readonly path: string;
  readonly kind: Endpoint["kind"];
  readonly exists: boolean;
  readonly sizeBytes: string;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwid: string | null;
  readonly isReadOnly: boolean;
  readonly uses: readonly BlockUse[];
  /** null for a file. */
  readonly contents: DeviceContents | null;
  readonly obstacles: readonly {
    readonly kind: OverwriteKind;
    readonly found: string;
    /** The user said that it may be overwritten. */
    readonly isOverridden: boolean;
  }[];
  readonly permission: "not needed" | "given" | "missing";
}

/** Looks at a destination and says what a copy to it would destroy, without touching it. */
export function describeDestination(
  env: { readonly sys: SystemView; readonly native: Native },
  dst: Endpoint,
  overwrite: readonly OverwriteKind[],
  permission: WritePermission,
): { report: DestinationReport; lines: string[] } {
  const { uses, contents, obstacles } = inspectDestination(env.sys, env.native, dst);
  const isBlock = dst.kind === "block";
  const { model, serial, wwid } = (isBlock && dst.device?.identity) || {};
  const report: DestinationReport = {
    ...{ path: dst.path, kind: dst.kind, exists: dst.exists, sizeBytes: dst.sizeBytes.toString() },
    ...{ model: model ?? null, serial: serial ?? null, wwid: wwid ?? null },
    ...{ isReadOnly: isBlock && dst.device?.isReadOnly === true, uses, contents },
    obstacles: obstacles.map(({ kind, found }) => ({
      ...{ kind, found, isOverridden: overwrite.includes(kind) },
    })),
    permission: permissionState(env.sys, dst, permission),
  };
  return { report, lines: linesOf(report, dst) };
}

function permissionState(
  sys: SystemView,
  dst: Endpoint,
  permission: WritePermission,
): DestinationReport["permission"] {
  if (dst.kind === "file") return "not needed";
  return mayWrite(sys, dst, permission) ? "given" : "missing";
}

function linesOf(report: DestinationReport, dst: Endpoint): string[] {
  const { path, sizeBytes, wwid, contents, uses, isReadOnly, permission } = report;
  const size = report.exists ? formatBytes(BigInt(sizeBytes)) : "to be made";
  const identity = report.kind === "file" ? "file" : describeDevice(dst);
  const inUse = [...uses.map(describeUse), ...(isReadOnly ? ["it is set read-only"] : [])];
  const refused = report.obstacles.filter(({ isOverridden }) => !isOverridden).map(({ kind }) => kind);
  return [
    `destination  ${[path, identity, wwid && shortWwid(wwid), size].filter((part) => part).join(", ")}`,
    ...(contents ? [`on it        ${describeContents(contents)}`] : []),
    `in use       ${inUse.join(", ") || "by nobody"}`,
    ...(refused.length > 0 ? [`refused      unless --overwrite=${refused.join(",")} is given`] : []),
    ...(permission === "missing" ? [`permission   missing: --allow-write=${path}`] : []),
  ];
}

/** All that is on a device, in one line. */
export function describeContents(contents: DeviceContents): string {
  if (contents.problem !== null) return `can't be told: ${contents.problem}`;
  const hasTable = contents.signatures.some(({ usage }) => usage === "partition-table");
  const found = contents.signatures
    .filter(({ usage }) => usage !== "partition-table")
    .map((signature) => describeSignature(signature));
  if (hasTable || contents.partitions.length > 0) found.push(describePartitions(contents));
  return found.join("; ") || "nothing that is known: no file system, no partitions";
}

const SHORT_WWID = 24;

/** Enough to tell two drives apart: the ends of a long name are what differs. */
function shortWwid(wwid: string): string {
  return wwid.length <= SHORT_WWID ? wwid : `${wwid.slice(0, 12)}…${wwid.slice(-10)}`;
}
