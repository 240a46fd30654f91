// SPDX-License-Identifier: MIT
import { type End, endsOf } from "../ends.ts";
import { type Check, type Finding, fail, fix, listWords, pass, warn } from "../finding.ts";

/** File systems that are known to hand O_DIRECT requests to the drive untouched. */
const DIRECT_FILE_SYSTEMS = ["ext4", "xfs"];

export const directIo: Check = {
  id: "direct-io",
  title: "I/O on both ends can be direct",
  symptom: "it works, slowly, and the data go through system RAM after all",
  why: "a buffered read into p2pmem is a copy by the CPU: nothing fails, and nothing is gained",
  examine: (facts) => endsOf(facts.ends).flatMap(judgeDirect),
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
    const sizes = endsOf(facts.ends).flatMap(({ word, block, file }) => {
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
