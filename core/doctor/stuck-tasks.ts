// SPDX-License-Identifier: MIT
import type { SystemView } from "../sysfs.ts";

/** A task that waits for p2pmem to be given back, and can't be killed. */
export interface StuckTask {
  readonly pid: number;
  readonly command: string;
}

/** Where the removal of a provider waits for its pages (mm/memremap.c, drivers/pci/p2pdma.c). */
const WAITING = /memunmap_pages|devm_memremap_pages_release|pci_p2pdma_release/;

/** Tasks in uninterruptible sleep in the removal of a provider; what they wait in is seen by root only. */
export function listStuckTasks(view: SystemView): StuckTask[] {
  return view
    .list("/proc")
    .filter((name) => /^\d+$/.test(name) && isBlocked(view, name))
    .filter((pid) => WAITING.test(`${view.text(`/proc/${pid}/stack`)} ${view.text(`/proc/${pid}/wchan`)}`))
    .map((pid) => ({ pid: Number(pid), command: view.text(`/proc/${pid}/comm`) ?? "" }));
}

/** `1234 (any name) D 2 ...` */
function isBlocked(view: SystemView, pid: string): boolean {
  return /\) D /.test(view.text(`/proc/${pid}/stat`) ?? "");
}
