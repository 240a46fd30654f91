// SPDX-License-Identifier: MIT
import { isAtLeast } from "../../pci/p2pdma-history.ts";
import type { MultipathHead } from "../drive-facts.ts";
import { type End, endsOf } from "../ends.ts";
import type { Facts } from "../facts.ts";
import { type Check, type Finding, fail, failUnless, fix, listWords, pass, unknown } from "../finding.ts";

/** Some stacked devices pass p2pmem on from 2026 on (02666132403a, fb0eeeed91f3); the release is not known for sure. */
const STACKS_MAY_PASS = [7, 0] as const;

const TRY_IT = fix(
  "ask the kernel with one small read by each drive",
  "p2pdma doctor --probe SOURCE DESTINATION",
);

export const multipath: Check = {
  id: "multipath",
  title: "namespaces are not behind native multipath",
  symptom: "EREMOTEIO at submit, before any DMA; a hidden sibling nvme0c0n1 in sysfs",
  why: "the multipath head is a block device of its own, and its queue does not take p2pmem",
  examine: (facts) => {
    const heads = facts.drives.heads.filter(isOnPci);
    const disks = endsOf(facts.ends).flatMap(({ block }) => block?.disk ?? []);
    const affected = facts.ends ? heads.filter(({ name }) => disks.includes(name)) : heads;
    if (affected.length === 0) return [pass("no namespace is behind a multipath head")];
    const what = `${listWords(affected.map(({ name }) => name))}: behind NVMe native multipath`;
    const isOff = fix(
      "switch native multipath off and boot again; two-port drives then show one device for each port: kernel parameter",
      "nvme_core.multipath=N",
    );
    if (mayPass(facts)) return [unknown(`${what}, which this kernel may pass p2pmem through`, TRY_IT, isOff)];
    const names = new Set(affected.map(({ name }) => name));
    const isSpare =
      !facts.ends &&
      facts.drives.controllers.some((one) => one.namespaces.some(({ name }) => !names.has(name)));
    return [failUnless(isSpare, what, isOff)];
  },
};

export const stacking: Check = {
  id: "stacking",
  title: "both ends are NVMe namespaces or partitions of one",
  symptom: "EREMOTEIO",
  why: "only the NVMe driver's own queues take p2pmem: dm, md, loop, SATA and networks do not hand it on",
  examine: (facts) => endsOf(facts.ends).flatMap((end) => judgeStack(facts, end)),
};

function judgeStack(facts: Facts, end: End): Finding[] {
  const { block, word, file } = end;
  if (!block) {
    if (end.device?.controller || file) return [];
    return [fail(`"${word}" has no block device of the NVMe driver`, NAME_A_NAMESPACE)];
  }
  const head = facts.drives.heads.find(({ name }) => name === block.disk);
  if (head && isOnPci(head)) return [];
  const on = file ? `"${word}" is on ${block.name}` : `"${word}" is ${block.name}`;
  if (block.slaves.length > 0)
    return [
      judgeLayers(facts, `${on}, which is stacked on ${listWords(block.slaves)}`, block.name, block.slaves),
    ];
  const isNvme = /^nvme\d+n\d+$/.test(block.disk);
  if (isNvme && block.client) return [pass(`${word}: ${block.disk} belongs to the NVMe driver`)];
  const kind = isNvme ? "reached over a network" : kindOf(block.disk);
  return [fail(`${on}, ${kind}`, NAME_A_NAMESPACE)];
}

/** A namespace over a network has no PCI function behind it, whatever is above it. */
function isOnPci({ controllers }: MultipathHead): boolean {
  return controllers.some(({ bdf }) => bdf !== undefined);
}

const NAME_A_NAMESPACE = fix("name an NVMe namespace, a partition of one, or a file on it", "p2pdma list");

function judgeLayers(facts: Facts, what: string, name: string, slaves: readonly string[]): Finding {
  const raw = fix(
    `copy what it is made of, namespace by namespace, with ${name} stopped: ${slaves.map((slave) => `/dev/${slave}`).join(", ")}`,
  );
  const warned = { ...raw, warning: "writing to a member destroys what is on top of it" };
  if (name.startsWith("md") && mayPass(facts)) {
    return unknown(`${what}; this kernel's md may pass p2pmem on`, TRY_IT, warned);
  }
  return fail(what, warned);
}

function kindOf(disk: string): string {
  if (disk.startsWith("loop")) return "a loop device: its I/O goes through the page cache";
  if (disk.startsWith("dm-")) return "a device mapper target";
  if (disk.startsWith("vd")) return "a paravirtual disk";
  return "no NVMe namespace";
}

function mayPass({ machine }: Facts): boolean {
  return isAtLeast(machine.host.platform.kernel, ...STACKS_MAY_PASS);
}
