// SPDX-License-Identifier: MIT
import type { SystemView } from "../sysfs.ts";
import type { Journal } from "./journal.ts";

export type Owner = Journal["process"];

/** This process, so that another one can tell whether it still lives. */
export function ownProcess(sys: SystemView): Owner {
  return ownerOf(sys, process.pid);
}

export function ownerOf(sys: SystemView, pid: number): Owner {
  return { pid, startTicks: startTicksOf(sys, pid) ?? "unknown", bootId: bootIdOf(sys) };
}

/** True when the process that wrote a journal still runs: its number alone may have been given away again. */
export function isAlive(sys: SystemView, owner: Owner): boolean {
  return owner.bootId === bootIdOf(sys) && startTicksOf(sys, owner.pid) === owner.startTicks;
}

/** True while a copy writes this journal. One that has ended it may live on: a session, a program that uses the library. */
export function isAtWork(sys: SystemView, { state, process }: Pick<Journal, "state" | "process">): boolean {
  return state === "running" && isAlive(sys, process);
}

function bootIdOf(sys: SystemView): string {
  return sys.text("/proc/sys/kernel/random/boot_id") ?? "unknown";
}

/** Field 22 of proc(5)'s stat; the name before it may hold spaces and parentheses. A zombie writes no more. */
function startTicksOf(sys: SystemView, pid: number): string | undefined {
  const stat = sys.text(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}
