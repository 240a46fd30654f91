// SPDX-License-Identifier: MIT
import { gunzipSync, gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { excerptOf } from "../../../../core/capture/excerpt.ts";

const keep = (path: string, text: string) => Buffer.from(excerptOf(path, Buffer.from(text))).toString("utf8");

const parameters: [string, string][] = [
  ["BOOT_IMAGE=/vmlinuz root=UUID=12 ro quiet intel_iommu=on iommu=pt", "intel_iommu=on iommu=pt"],
  [
    "pci=disable_acs_redir=0000:02:00.0;0000:02:01.0 nokaslr",
    "pci=disable_acs_redir=0000:02:00.0;0000:02:01.0 nokaslr",
  ],
  [
    "nvme.use_cmb_sqes=0 nvme_core.multipath=N amd_iommu=off",
    "nvme.use_cmb_sqes=0 nvme_core.multipath=N amd_iommu=off",
  ],
  [
    "lockdown=integrity iommu.passthrough=1 pcie_aspm=off",
    "lockdown=integrity iommu.passthrough=1 pcie_aspm=off",
  ],
  ["pcifoo=1 mypci=2 xiommu=3 nokaslrx nvmex=1 ip=10.0.0.1", ""],
  ['dyndbg="file a +p pci=x" password=secret pci="realloc, noaer"', 'pci="realloc, noaer"'],
  ["nfsroot=10.0.0.1:/srv,nfs rd.luks.key=/key", ""],
  ["", ""],
];
for (const [line, expected] of parameters) {
  test(`excerptOf() keeps of the command line "${line}": "${expected}"`, () => {
    assert.is(keep("/proc/cmdline", `${line}\n`), `${expected}\n`);
  });
}

test("excerptOf() keeps the first CPU and nothing but its name", () => {
  const one =
    "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmicrocode\t: 0xa0011d5\nflags\t\t: fpu hypervisor lm\n";
  const text = `processor\t: 0\n${one}\nprocessor\t: 1\n${one}\n`;
  assert.is(
    keep("/proc/cpuinfo", text),
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nflags\t\t: hypervisor\n\n",
  );
});

test("excerptOf() drops the board's serial number that ARM has in cpuinfo", () => {
  const text =
    "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nHardware\t: BCM2835\nSerial\t\t: 10000000abcdef01\n";
  assert.is(keep("/proc/cpuinfo", text), "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n");
});

test("excerptOf() keeps of a process its user, its capabilities and how much it may lock", () => {
  const status = "Name:\tp2pdma\nUid:\t0\t0\t0\t0\nGroups:\t4 24\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n";
  assert.is(keep("/proc/self/status", status), "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n");
  const limits =
    "Limit                     Soft Limit\nMax cpu time              unlimited\nMax locked memory         8388608\n";
  assert.is(
    keep("/proc/self/limits", limits),
    "Limit                     Soft Limit\nMax locked memory         8388608\n",
  );
});

test("excerptOf() keeps of mounts device, place, type and mode", () => {
  const text = [
    "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw,errors=remount-ro",
    "30 22 259:2 /home/alice/x /data ro,nosuid shared:2 master:3 - xfs /dev/mapper/vg-data rw,logbufs=8",
    "31 22 0:40 / /mnt/nfs rw - nfs4 server.example:/export rw,addr=10.0.0.1",
    "32 22 0:41 / /run/user/1000 rw - tmpfs tmpfs rw,uid=1000",
    "broken line",
    "",
  ].join("\n");
  assert.is(
    keep("/proc/self/mountinfo", text),
    "22 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n30 22 259:2 / /data ro - xfs /dev/mapper/vg-data ro\n",
  );
});

const options =
  "#\n# Linux/x86 6.12.0\n#\nCONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\n# CONFIG_ZONE_DEVICE is not set\nCONFIG_SND=m\nCONFIG_BLK_DEV_NVME=m\n";
const keptOptions =
  "CONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\n# CONFIG_ZONE_DEVICE is not set\nCONFIG_BLK_DEV_NVME=m\n";

test("excerptOf() keeps the kernel's options that matter, also those that are not set", () => {
  assert.is(keep("/boot/config-6.12.0", options), keptOptions);
  const packed = excerptOf("/proc/config.gz", gzipSync(options));
  assert.is(gunzipSync(packed).toString("utf8"), keptOptions);
});

test("excerptOf() keeps of the symbols whether P2PDMA is among them, and no address", () => {
  const symbols =
    "ffffffff81000000 T _stext\nffffffff81000010 t secret\nffffffff81abcdef T pci_p2pdma_add_resource\n";
  assert.is(keep("/proc/kallsyms", symbols), "0 T _stext\n0 T pci_p2pdma_add_resource\n");
  assert.is(keep("/proc/kallsyms", "ffffffff81000000 T _stext\n"), "0 T _stext\n");
});

test("excerptOf() leaves what it does not understand", () => {
  assert.is(keep("/proc/config.gz", "not compressed"), "not compressed");
  assert.is(keep("/sys/class/nvme/nvme0/model", "Model\n"), "Model\n");
});

test.run();
