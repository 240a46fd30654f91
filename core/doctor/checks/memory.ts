// SPDX-License-Identifier: MIT
import { formatBytes } from "../../units.ts";
import type { PoolFacts } from "../drive-facts.ts";
import type { Facts } from "../facts.ts";
import { type Check, type Finding, type Fix, failUnless, fix, listWords, pass, warn } from "../finding.ts";
import { hasOtherMemory } from "../paths.ts";
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
  if (queueBytes === undefined) return pass(`${provider.name}: what its queues take is not shown`);
  const held = holders.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
  const rest = provider.sizeBytes - provider.availableBytes - held;
  const queues = queueBytes > rest ? rest : queueBytes;
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
    const isSpare = hasOtherMemory(facts, provider.bdf);
    return failUnless(isSpare, `${free}${holderWords(one)}`, ...releaseFixes(one));
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
