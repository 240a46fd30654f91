// SPDX-License-Identifier: MIT
import type { Facts } from "../facts.ts";
import { type Check, type Finding, fail, fix, listWords, pass, warn } from "../finding.ts";

export const longTermPins: Check = {
  id: "long-term-pins",
  title: "nobody pins p2pmem for long",
  symptom: "io_uring_register_buffers gives EFAULT, an RDMA memory region EREMOTEIO",
  why: "the kernel refuses long-term pins of p2pmem: no io_uring fixed buffers, no RDMA memory regions",
  examine: ({ system }) => {
    const limit = system.lockedMemory ? ` (limit ${system.lockedMemory}, for RAM buffers only)` : "";
    return [
      pass(
        `p2pdma takes ordinary requests, and so needs no locked memory${limit}; do the same in programs of your own`,
      ),
    ];
  },
};

export const ioUring: Check = {
  id: "io-uring",
  title: "io_uring is allowed",
  symptom: "io_uring_setup gives EPERM or ENOSYS",
  why: "the fast engine needs it; the sync engine moves the same data one chunk at a time",
  examine: ({ system }) => {
    const { ioUringDisabled, options, mayAdminister } = system;
    const sync = fix("or use the engine that does without", "p2pdma copy --engine sync ...");
    if (options?.values.get("IO_URING") === "n")
      return [warn("the kernel is built without CONFIG_IO_URING", sync)];
    const isClosed = ioUringDisabled === 2 || (ioUringDisabled === 1 && mayAdminister === false);
    if (!isClosed) return [pass("io_uring is allowed")];
    const who = ioUringDisabled === 2 ? "everybody" : "all but root and one group";
    return [
      warn(
        `io_uring is forbidden to ${who} (kernel.io_uring_disabled=${ioUringDisabled})`,
        fix("allow it", "sysctl kernel.io_uring_disabled=0"),
        sync,
      ),
    ];
  },
};

export const providerRemoval: Check = {
  id: "provider-removal",
  title: "no removal of a provider hangs",
  symptom: "a task stuck in memunmap_pages after unbind, remove or hot-unplug",
  why: "before Linux 7.0 (6.19 with stable updates, 6220694c52a5) a mapping that failed half-way keeps its provider for ever",
  examine: ({ live }) => {
    if (!live) return [];
    if (live.stuck.length === 0) return [pass("no task waits for p2pmem to be given back")];
    const tasks = listWords(live.stuck.map(({ pid, command }) => `${command} (${pid})`));
    return [
      warn(
        `${tasks} waits for p2pmem that is still in use`,
        fix("end the programs that have it mapped", "grep -l p2pmem /proc/[0-9]*/maps"),
        fix(
          "if there is none, only a reboot helps; then update to Linux 7.0, or a stable kernel with 6220694c52a5, and unbind providers only when nothing is mapped",
        ),
      ),
    ];
  },
};

export const mappingMode: Check = {
  id: "mapping-mode",
  title: "programs map p2pmem shared and at offset 0",
  symptom: 'mmap gives EINVAL; dmesg has "fail, attempted private mapping" or "non-zero offset"',
  why: "the kernel allocates p2pmem at mmap, and only for MAP_SHARED at offset 0",
  examine: ({ live }) => {
    if (!live?.log) return [];
    const { badMappings } = live.log;
    if (badMappings.length === 0) return [pass("no program was refused for MAP_PRIVATE or an offset")];
    const commands = [...new Set(badMappings.map(({ command }) => command))];
    const kinds = [
      ...new Set(badMappings.map(({ kind }) => (kind === "private" ? "MAP_PRIVATE" : "an offset"))),
    ];
    return [
      warn(
        `the kernel refused p2pmem to ${listWords(commands)}: mapped with ${kinds.join(" and with ")}`,
        fix("change that program", "mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)"),
        fix(
          "with fio use mem=mmapshared, and no offset",
          "fio --mem=mmapshared:/sys/bus/pci/devices/BDF/p2pmem/allocate ...",
        ),
      ),
    ];
  },
};

/** Text of a udev rule that lets a group allocate. */
export const UDEV_RULE =
  'ACTION!="remove", SUBSYSTEM=="pci", TEST=="p2pmem/allocate", RUN+="/bin/chgrp disk /sys%p/p2pmem/allocate"';

export const permission: Check = {
  id: "permission",
  title: "this user may map p2pmem and open both ends",
  symptom: "EACCES",
  why: "p2pmem/allocate belongs to root (0660), and block devices to the group disk",
  examine: ({ live, drives, ends }) => {
    if (!live) return [];
    const allowed = drives.pools.filter(({ provider }) => live.mayAllocate.get(provider.bdf));
    const memory =
      drives.pools.length === 0
        ? []
        : allowed.length > 0
          ? [pass(`p2pmem of ${listWords(allowed.map(({ provider }) => provider.name))} may be mapped`)]
          : [
              fail(
                `you may not map p2pmem of ${listWords(drives.pools.map(({ provider }) => provider.name))}`,
                fix("run as root", "sudo p2pdma ..."),
                fix(
                  "or let the group disk: write this line to /etc/udev/rules.d/70-p2pmem.rules, then load it",
                  UDEV_RULE,
                  "udevadm control --reload && udevadm trigger --subsystem-match=pci",
                ),
              ),
            ];
    return [...memory, ...judgeEnds(ends)];
  },
};

function judgeEnds(ends: Facts["ends"]): Finding[] {
  if (!ends) return [];
  return [ends.source, ends.destination].flatMap(({ role, word, isPermitted }) => {
    if (isPermitted !== false) return [];
    const verb = role === "source" ? "read" : "write";
    return [
      fail(`you may not ${verb} "${word}"`, fix("run as root, or join the group disk", "sudo p2pdma ...")),
    ];
  });
}
