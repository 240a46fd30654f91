// SPDX-License-Identifier: MIT
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { listControllers, type NvmeNamespace } from "../nvme/controllers.ts";
import type { SystemView } from "../sysfs.ts";

/**
 * Turns a name that survives a reboot into a path: `serial:S5X…` (one controller with one namespace, or
 * `serial:S5X…/2` for namespace 2) or `wwid:eui.…`. Anything else is a path already, `/dev/disk/by-id/…` included.
 * @throws P2pdmaError NOT_FOUND when no drive has it, USAGE when several have.
 */
export function resolveDeviceName(sys: SystemView, name: string): string {
  const [, kind, wanted = ""] = /^(serial|wwid):(.+)$/.exec(name) ?? [];
  if (kind === undefined) return name;
  const found = kind === "serial" ? bySerial(sys, wanted) : byWwid(sys, wanted);
  const [first, second] = found;
  if (!first)
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot find "${name}": no NVMe namespace has it`);
  if (second) {
    const paths = found.map(({ name }) => `/dev/${name}`).join(", ");
    throw usageError(`"${name}" is not unique: ${paths}`, "name one by its wwid, or by serial:SERIAL/NSID");
  }
  return `/dev/${first.name}`;
}

function bySerial(sys: SystemView, wanted: string): NvmeNamespace[] {
  const [serial, nsid] = wanted.split("/", 2);
  const spaces = listControllers(sys)
    .filter((controller) => controller.serial === serial)
    .flatMap(({ namespaces }) => namespaces);
  return spaces.filter((space) => nsid === undefined || String(space.nsid) === nsid);
}

/** Several controllers may lead to one namespace, which is then listed once. */
function byWwid(sys: SystemView, wanted: string): NvmeNamespace[] {
  const spaces = listControllers(sys).flatMap(({ namespaces }) => namespaces);
  const matching = spaces.filter(({ wwid }) => wwid === wanted);
  return [...new Map(matching.map((space) => [space.name, space])).values()];
}
