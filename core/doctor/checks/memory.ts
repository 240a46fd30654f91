// SPDX-License-Identifier: MIT
import { formatBytes } from "../../units.ts";
import type { PoolFacts } from "../drive-facts.ts";
import type { Facts } from "../facts.ts";
import {
  type Check,
  type Finding,
  type Fix,
  fail,
  failUnless,
  fix,
  listWords,
  pass,
  warn,
} from "../finding.ts";
import { COPY_DEFAULTS } from "../probe-child.ts";

const PAGE_BYTES = 4096n;
const COPY_BYTES = BigInt(COPY_DEFAULTS.chunkBytes * COPY_DEFAULTS.depth);
/** Queues that take less than this part of a CMB are no matter. */
const QUEUE_SHARE = 16n;

export const cmbQueues: Check = {
  id: "cmb-queues",
  title: "submission queues do not crowd the CMB",
  symptom: "available is less than size although nobody has mapped anything",
  why: "the driver keeps its submission queues in the CMB where that can hold them (nvme.use_cmb_sqes), one for each CPU",
  examine: ({ drives }) => drives.pools.map(judgeQueues),
};

function judgeQueues({ provider, queueBytes, holders }: PoolFacts): Finding {
  const held = holders.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
  const rest = provider.sizeBytes - provider.availableBytes - held;
  const queues = queueBytes === undefined || queueBytes > rest ? rest : queueBytes;
  const what = `${provider.name}: submission queues take ${formatBytes(queues)} of ${formatBytes(provider.sizeBytes)}`;
  if (queues * QUEUE_SHARE < provider.sizeBytes) {
    return pass(queues > 0n ? what : `${provider.name}: no submission queues in its p2pmem`);
  }
  return warn(
    what,
    fix(
      "keep them in RAM: kernel parameter, or a line in /etc/modprobe.d/nvme.conf",
      "nvme.use_cmb_sqes=0",
      "options nvme use_cmb_sqes=0",
    ),
  );
}

export const pool: Check = {
  id: "pool",
  title: "enough p2pmem is free, in one piece",
  symptom: "mmap of p2pmem/allocate gives ENOMEM; SIGBUS on touch with the character-device series",
  why: `a copy takes ${formatBytes(COPY_BYTES)} by default, and less of it makes it slow`,
  examine: (facts) => facts.drives.pools.map((one) => judgePool(facts, one)),
};

function judgePool(facts: Facts, one: PoolFacts): Finding {
  const { provider } = one;
  const free = `${provider.name}: ${formatBytes(provider.availableBytes)} of ${formatBytes(provider.sizeBytes)} p2pmem is free`;
  if (provider.availableBytes < PAGE_BYTES) {
    const others = facts.drives.pools.filter((other) => other.provider.availableBytes >= PAGE_BYTES);
    return failUnless(others.length > 0, `${free}${holderWords(one)}`, ...releaseFixes(one));
  }
  if (facts.probes?.some(({ provider: bdf, isFragmented }) => bdf === provider.bdf && isFragmented)) {
    return warn(
      `${free}, but not ${formatBytes(COPY_BYTES)} in one piece${holderWords(one)}`,
      ...releaseFixes(one),
    );
  }
  const isHeld = provider.availableBytes < COPY_BYTES && provider.sizeBytes >= 2n * COPY_BYTES;
  return isHeld ? warn(`${free}${holderWords(one)}`, ...releaseFixes(one)) : pass(free);
}

function holderWords({ holders }: PoolFacts): string {
  if (holders.length === 0) return "";
  const words = holders.map(({ pid, command, sizeBytes }) => `${command} (${pid}) ${formatBytes(sizeBytes)}`);
  return `, held by ${listWords(words)}`;
}

function releaseFixes({ holders, provider }: PoolFacts): Fix[] {
  const smaller = fix(
    "ask for less (chunk times depth), or name another provider",
    "p2pdma copy --chunk 64KiB --depth 4 ...",
  );
  if (holders.length === 0) {
    const search = `grep -l ${provider.bdf}/p2pmem /proc/[0-9]*/maps`;
    return [
      fix("find out who holds it, as root; nvmet and the driver's queues do not show there", search),
      smaller,
    ];
  }
  const end = fix(
    "end who holds it, or wait until it does",
    `kill ${holders.map(({ pid }) => pid).join(" ")}`,
  );
  return [end, smaller];
}

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
