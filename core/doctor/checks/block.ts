// SPDX-License-Identifier: MIT
import { isAtLeast } from "../../pci/p2pdma-history.ts";
import type { MultipathHead } from "../drive-facts.ts";
import type { End } from "../ends.ts";
import type { Facts } from "../facts.ts";
import {
  type Check,
  type Finding,
  fail,
  failUnless,
  fix,
  listWords,
  pass,
  unknown,
  warn,
} from "../finding.ts";

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
    const disks = endsOf(facts).flatMap(({ block }) => block?.disk ?? []);
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
  examine: (facts) => endsOf(facts).flatMap((end) => judgeStack(facts, end)),
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

/** File systems that are known to hand O_DIRECT requests to the drive untouched. */
const DIRECT_FILE_SYSTEMS = ["ext4", "xfs"];

export const directIo: Check = {
  id: "direct-io",
  title: "I/O on both ends can be direct",
  symptom: "it works, slowly, and the data go through system RAM after all",
  why: "a buffered read into p2pmem is a copy by the CPU: nothing fails, and nothing is gained",
  examine: (facts) => endsOf(facts).flatMap(judgeDirect),
};

function judgeDirect({ word, file }: End): Finding[] {
  if (!file) return [pass(`${word}: a block device, opened with O_DIRECT`)];
  const { fileSystem, alignmentBytes } = file;
  if (!DIRECT_FILE_SYSTEMS.includes(fileSystem ?? "")) {
    return [
      fail(
        `"${word}" is on ${fileSystem ?? "an unknown file system"}, which does not hand direct I/O to a drive`,
        fix("put the file on ext4 or xfs, on a plain NVMe namespace or partition", "findmnt -t ext4,xfs"),
      ),
    ];
  }
  if (alignmentBytes === 0) {
    return [
      fail(
        `"${word}" refuses direct I/O, as files with journalled data, encryption, verity or inline data do`,
        fix(
          "look for such a feature, and mount or make the file without it",
          `lsattr "${word}"; findmnt -no OPTIONS -T "${word}"`,
        ),
      ),
    ];
  }
  return [pass(`${word}: ${fileSystem} does direct I/O`)];
}

export const alignment: Check = {
  id: "alignment",
  title: "both ends have blocks of one size",
  symptom: "EINVAL",
  why: "direct I/O takes whole blocks at block boundaries on either side, so the larger block rules both",
  examine: (facts) => {
    const sizes = endsOf(facts).flatMap(({ word, block, file }) => {
      const bytes = file?.alignmentBytes || block?.logicalBlockBytes;
      return bytes ? [{ word, bytes }] : [];
    });
    const [one, other] = sizes;
    if (!one || !other) return [];
    const largest = Math.max(one.bytes, other.bytes);
    if (one.bytes === other.bytes) return [pass(`blocks of ${largest} bytes at both ends`)];
    return [
      warn(
        `"${one.word}" has blocks of ${one.bytes} bytes, "${other.word}" of ${other.bytes}`,
        fix(
          `give --offset and --seek in multiples of ${largest}; a file system copied as it is will not mount on blocks of another size`,
        ),
        {
          ...fix(
            "or format the drive that is to be written with the other size",
            `nvme id-ns -H ${other.word} | grep "LBA Format"`,
            `nvme format --block-size=${one.bytes} ${other.word}`,
          ),
          warning: "nvme format erases the namespace",
        },
      ),
    ];
  },
};

export const mixedMemory: Check = {
  id: "mixed-memory",
  title: "no command mixes memory of the CMB and RAM",
  symptom: "EIO on the provider itself: NVMe status Invalid Use of Controller Memory Buffer",
  why: "metadata (T10 PI) stays in RAM while the data lie in the CMB, and most controllers want both in one place (CMBLOC.CDMMMS = 0)",
  examine: ({ drives, ends }) => {
    const strict = drives.cmbs.filter(({ cmb }) =>
      cmb.restrictions.some(({ field, isEnforced }) => field === "CDMMMS" && isEnforced),
    );
    const wanted = ends && new Set([ends.source, ends.destination].map(({ block }) => block?.disk));
    const bad = strict.flatMap(({ controller }) =>
      (controller?.namespaces ?? []).filter(
        ({ name }) => drives.metadataBytes.has(name) && (wanted?.has(name) ?? true),
      ),
    );
    if (bad.length === 0) return [pass("no namespace of a provider has metadata")];
    return [
      warn(
        `${listWords(bad.map(({ name }) => `${name} (${drives.metadataBytes.get(name)} bytes a block)`))}: metadata and data of a command can't be apart on this provider`,
        fix(
          "use a third device's p2pmem: the rule holds for a drive's own CMB only",
          "p2pdma copy --provider BDF ...",
        ),
        {
          ...fix(
            "or format the namespace without metadata",
            `nvme format --ms=0 --lbaf=0 /dev/${bad[0]?.name}`,
          ),
          warning: "nvme format erases the namespace",
        },
      ),
    ];
  },
};

function mayPass({ machine }: Facts): boolean {
  return isAtLeast(machine.host.platform.kernel, ...STACKS_MAY_PASS);
}

function endsOf({ ends }: Facts): End[] {
  return ends ? [ends.source, ends.destination] : [];
}
