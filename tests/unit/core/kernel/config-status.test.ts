// SPDX-License-Identifier: MIT
// What can be told of a kernel by its configuration: Debian's own, and ones made from it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { examineConfig, judgeUses, parseKernelConfig } from "../../../../core/kernel/index.ts";
import { packageRoot } from "../../../../lab/package-root.ts";

const debian = (series: string): string =>
  readFileSync(join(packageRoot(), "tests/fixtures/kernel-config", `debian-${series}.config`), "utf8");

function examine(text: string) {
  const findings = examineConfig(parseKernelConfig(text, ".config"));
  return {
    state: (id: string) => findings.find(({ feature }) => feature.id === id)?.state,
    evidence: (id: string) => findings.find(({ feature }) => feature.id === id)?.evidence ?? "",
    uses: Object.fromEntries(judgeUses(findings).map(({ use, state }) => [use, state])),
  };
}

for (const series of ["6.1", "6.12"]) {
  test(`Debian's ${series} configuration has struct pages for devices, but no P2PDMA`, () => {
    const { state, evidence, uses } = examine(debian(series));
    assert.is(state("zone-device"), "present");
    assert.is(state("file-systems"), "present");
    for (const id of ["p2pdma", "sysfs-allocate", "nvme-mmap", "bio-direct", "gup-flag", "nvmet-p2pmem"])
      assert.is(state(id), "absent", id);
    assert.is(evidence("sysfs-allocate"), "CONFIG_PCI_P2PDMA is off");
    assert.equal(new Set(Object.values(uses)), new Set(["absent"]));
  });
}

const withP2pdma = (text: string): string =>
  text.replace("# CONFIG_PCI_P2PDMA is not set", "CONFIG_PCI_P2PDMA=y");

test("with P2PDMA switched on, Linux 6.12 copies, by what mainline had", () => {
  const { state, evidence, uses } = examine(withP2pdma(debian("6.12")));
  assert.equal([uses.copy, uses.files, uses.passthrough, uses.nvmet], Array(4).fill("present"));
  assert.match(evidence("sysfs-allocate"), /since 6\.2, this is 6\.12\.117/);
  assert.is(state("nvme-mmap"), "unknown");
  assert.is(uses.rdma, "unknown");
});

test("with P2PDMA switched on, of Linux 6.1 nobody can tell: there may be backports", () => {
  const { state, uses } = examine(withP2pdma(debian("6.1")));
  assert.equal([uses.copy, uses.nvmet], ["unknown", "present"]);
  assert.is(state("dma-direct"), "present");
  assert.is(state("sysfs-allocate"), "unknown");
});

test("the release that brought something has it, the one before can't be told", () => {
  const of = (release: string) => examine(withP2pdma(debian("6.12")).replaceAll("6.12.117", release));
  assert.equal(
    [of("6.2.0").state("sysfs-allocate"), of("6.1.999").state("sysfs-allocate")],
    ["present", "unknown"],
  );
  assert.is(of("7.0.0").state("refusal-einval"), "present");
});

test("without a version in the header nothing is concluded from it", () => {
  const { state, evidence } = examine(withP2pdma(debian("6.12")).replace(/^# Linux.*$/m, ""));
  assert.is(state("p2pdma"), "present");
  assert.is(state("sysfs-allocate"), "unknown");
  assert.match(evidence("sysfs-allocate"), /version is not known/);
});

test("what a defconfig, or a file that was cut off, does not mention can't be told", () => {
  const defconfig = "CONFIG_PCI_P2PDMA=y\n# CONFIG_ZONE_DEVICE is not set\nCONFIG_EXT4_FS=m\n";
  const { state, evidence } = examine(defconfig);
  assert.equal(
    [state("p2pdma"), state("zone-device"), state("file-systems")],
    ["present", "absent", "present"],
  );
  assert.is(state("nvmet-p2pmem"), "unknown");
  assert.match(evidence("nvmet-p2pmem"), /^CONFIG_NVME_TARGET is not mentioned/);
  const whole = withP2pdma(debian("6.12"));
  const before = whole.indexOf("CONFIG_INFINIBAND") + 5;
  assert.is(examine(whole.slice(0, before)).state("rdma-check"), "unknown");
  assert.is(examine(whole.replace(/^CONFIG_INFINIBAND=.*\n/m, "")).state("rdma-check"), "absent");
});

test("one of several options is enough", () => {
  const none = debian("6.12").replace(/^CONFIG_(EXT4|XFS)_FS=m$/gm, "");
  assert.is(examine(`${none}CONFIG_XFS_FS=y\n`).state("file-systems"), "present");
  assert.is(examine(none).evidence("file-systems"), "CONFIG_EXT4_FS or CONFIG_XFS_FS is off");
});

test("what is no configuration is refused", () =>
  assert.throws(() => parseKernelConfig("hello\n", "notes.txt"), /"notes\.txt" is no kernel configuration/));

test.run();
