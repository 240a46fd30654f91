// SPDX-License-Identifier: MIT
// Faults planted one at a time in a healthy machine: each must be found by its check, and named with its fix.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Question } from "../../../../core/doctor/facts.ts";
import type { Status } from "../../../../core/doctor/finding.ts";
import type { Outcome, ProbeResult } from "../../../../core/doctor/probe.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { cmb } from "../../../fixtures/machines/description.ts";
import type { MemoryFiles } from "../../memory-files.ts";
import {
  A,
  B,
  DRIVE_A,
  diagnose,
  fakeHere,
  fixText,
  type HereOver,
  server,
  type Variation,
  whatText,
} from "./healthy.ts";

const MIB = 1 << 20;
const NVME0 = `${DRIVE_A}/nvme/nvme0`;
const pair: Question = { source: "/dev/nvme0n1", destination: "/dev/nvme1n1" };

interface Plant {
  readonly cause: string;
  readonly id: string;
  readonly status: Status;
  readonly what: RegExp;
  readonly fix: RegExp;
  /** Nothing else may be said of the machine; else what else is. */
  readonly also?: readonly string[];
  readonly machine?: Variation;
  readonly files?: (files: MemoryFiles) => void;
  /** Undefined: a capture. */
  readonly here?: HereOver | undefined;
  readonly question?: Question;
  readonly probes?: readonly ProbeResult[];
}

function noP2pmem(files: MemoryFiles): void {
  for (const file of ["size", "available", "published", "allocate"])
    files.remove(`${DRIVE_A}/p2pmem/${file}`);
  files.remove(`${DRIVE_A}/p2pmem`);
}

function probe(client: string, outcome: Outcome, code?: string, isFragmented = false): ProbeResult {
  return {
    provider: A as Bdf,
    client: client as Bdf,
    path: "/dev/x",
    lengthBytes: 4096,
    outcome,
    code,
    isFragmented,
  };
}

const ACS_LOG = `nvme ${B}: ACS redirect is set between the client and provider (${A})`;
const REFUSED_LOG = `nvme ${B}: cannot be used for peer-to-peer DMA as the client and provider (${A}) do not share an upstream bridge or whitelisted host bridge`;
const CMBS = { 0: 0, 4: 1 << 25 };

const plants: readonly Plant[] = [
  {
    ...{ cause: "a kernel before 6.2", id: "kernel-version", status: "fail" },
    ...{ what: /Linux 6\.1\.0-28-amd64 gives programs no p2pmem/, fix: /Linux 6\.2 or later/ },
    machine: { kernel: "6.1.0-28-amd64" },
    files: (files) => files.remove(`${DRIVE_A}/p2pmem/allocate`),
    here: undefined,
  },
  {
    ...{ cause: "CONFIG_PCI_P2PDMA off", id: "kernel-option", status: "fail" },
    ...{ what: /is off, by \/boot\/config-6\.12\.1/, fix: /needs CONFIG_ZONE_DEVICE[\s\S]*-e PCI_P2PDMA/ },
    machine: { options: ["PCI=y", "MEMORY_HOTPLUG=y"] },
    files: noP2pmem,
    here: { log: ["nvme nvme0: failed to register the CMB"] },
  },
  {
    ...{ cause: "no drive has a CMB", id: "cmb-present", status: "fail" },
    ...{ what: /none of 2 NVMe drives shows a CMB/, fix: /one drive with a CMB[\s\S]*p2pdma lab run/ },
    machine: { a: { nvme: { name: "nvme0", model: "Plain", serial: "S" } } },
    files: noP2pmem,
  },
  {
    ...{ cause: "a CMB for queues only", id: "cmb-data", status: "fail" },
    ...{ what: /nvme0: CMBSZ lacks RDS and WDS/, fix: /any CMB below the same switch serves/ },
    machine: {
      a: {
        nvme: { name: "nvme0", model: "M", serial: "S", cmb: { location: 2, size: cmb(64, 2).size & ~0x18 } },
      },
    },
  },
  {
    ...{ cause: "a CMB of 1 MiB", id: "cmb-aligned", status: "fail" },
    ...{ what: /nvme0: its size is 1 MiB, no multiple of 2 MiB/, fix: /firmware[\s\S]*cmb_size_mb/ },
    machine: {
      a: {
        nvme: { name: "nvme0", model: "M", serial: "S", cmb: cmb(1, 2) },
        windows: { 2: [0x18000000000n, BigInt(MIB)] },
      },
    },
    files: noP2pmem,
  },
  {
    ...{ cause: "a BAR that starts crookedly", id: "cmb-aligned", status: "fail" },
    ...{ what: /BAR 2 starts at 0xf4100000/, fix: /pci=realloc/ },
    machine: { a: { windows: { 2: [0xf4100000n, BigInt(64 * MIB)] } } },
    files: noP2pmem,
  },
  {
    ...{ cause: "an NVMe 1.4 CMB that is not enabled", id: "cmb-enabled", status: "fail" },
    ...{ what: /CAP\.CMBS.*not enabled: CMBSZ reads 0/, fix: /Linux 5\.12[\s\S]*legacy-cmb=on/ },
    machine: { kernel: "5.10.0-33-amd64", a: { nvme: { name: "nvme0", model: "M", serial: "S" } } },
    files: noP2pmem,
    here: { registers: CMBS },
    also: ["fail kernel-version", "fail cmb-enabled"],
  },
  {
    ...{ cause: "a BAR without an address", id: "cmb-registered", status: "fail" },
    ...{ what: /BAR 2, which holds the CMB, has no address/, fix: /Above 4G Decoding[\s\S]*pci=realloc/ },
    machine: { a: { windows: { 0: [0xb8000000n, 0x8000n] } } },
    files: noP2pmem,
  },
  {
    ...{ cause: "a CMB beyond what can be added", id: "cmb-registered", status: "fail" },
    ...{ what: /nvme0: the kernel could not register/, fix: /nokaslr/ },
    files: noP2pmem,
    here: { log: ["nvme nvme0: failed to register the CMB"] },
  },
  {
    ...{ cause: "submission queues crowd the CMB", id: "cmb-queues", status: "warn" },
    ...{ what: /queues take 8 MiB of 64 MiB/, fix: /nvme\.use_cmb_sqes=0/ },
    files: (files) => {
      files.write(`${NVME0}/queue_count`, "129\n");
      files.write(`${NVME0}/sqsize`, "1023\n");
      files.write(`${DRIVE_A}/p2pmem/available`, `${56 * MIB}\n`);
    },
  },
  {
    ...{ cause: "a pool that a process holds", id: "pool", status: "fail" },
    ...{ what: /0 B of 64 MiB p2pmem is free, held by fio \(77\) 64 MiB/, fix: /kill 77/ },
    files: (files) => {
      files.write(`${DRIVE_A}/p2pmem/available`, "0\n");
      files.write("/proc/77/comm", "fio\n");
      files.write(
        "/proc/77/maps",
        `7f0000000000-7f0004000000 rw-s 00000000 00:16 1234 ${DRIVE_A}/p2pmem/allocate\n`,
      );
    },
  },
  {
    ...{ cause: "a pool in pieces", id: "pool", status: "warn" },
    ...{ what: /but not 2 MiB in one piece/, fix: /--chunk 64KiB --depth 4/ },
    probes: [probe(A, "moved", undefined, true), probe(B, "moved")],
  },
  {
    ...{ cause: "a private mapping", id: "mapping-mode", status: "warn" },
    ...{ what: /refused p2pmem to fio: mapped with MAP_PRIVATE/, fix: /MAP_SHARED, fd, 0[\s\S]*mmapshared/ },
    here: { log: [`nvme ${A}: fio: fail, attempted private mapping`] },
  },
  {
    ...{ cause: "no permission to allocate", id: "permission", status: "fail" },
    ...{ what: /may not map p2pmem of nvme0/, fix: /SUBSYSTEM=="pci", TEST=="p2pmem\/allocate"/ },
    here: { denied: [`/sys/bus/pci/devices/${A}/p2pmem/allocate`] },
  },
  {
    ...{ cause: "no permission to write the destination", id: "permission", status: "fail" },
    ...{ what: /may not write "\/dev\/nvme1n1"/, fix: /group disk/ },
    here: { denied: ["/dev/nvme1n1"] },
    question: pair,
  },
  {
    ...{ cause: "ACS redirection on the way", id: "acs-redirect", status: "fail" },
    what: /ACS on 0000:02:00\.0, 0000:02:01\.0 sends data up/,
    fix: /setpci -s 0000:02:00\.0 ECAP_ACS\+6\.w=0011\nsetpci -s 0000:02:01\.0[\s\S]*unbind[\s\S]*pci=disable_acs_redir=0000:02:00\.0;0000:02:01\.0/,
    machine: { acs: 0x1d },
    question: pair,
  },
  {
    ...{ cause: "ACS that can't be read", id: "acs-redirect", status: "unknown" },
    ...{ what: /could not be read.*needs CAP_SYS_ADMIN/, fix: /sudo p2pdma doctor/ },
    machine: { a: { configBytes: 64 } },
    files: (files) => files.write("/proc/self/status", "CapEff:\t0000000000000000\n"),
    question: pair,
  },
  {
    ...{ cause: "two root ports of an unlisted host bridge", id: "host-bridge", status: "fail" },
    ...{
      what: /nvme0 with nvme1: no PCI bridge is above both.*8086:29c0/,
      fix: /below one PCI Express switch/,
    },
    machine: { apart: true },
    question: pair,
  },
  {
    ...{ cause: "a verdict from before setpci, by the log", id: "cached-verdict", status: "fail" },
    ...{
      what: /refused it before and keeps its verdict/,
      fix: /echo 0000:03:00\.0 > \/sys\/bus\/pci\/drivers\/nvme\/bind/,
    },
    machine: { acs: 0 },
    here: { log: [ACS_LOG, REFUSED_LOG] },
  },
  {
    ...{ cause: "a verdict from before setpci, as tried", id: "cached-verdict", status: "fail" },
    ...{ what: /keeps its verdict/, fix: /drivers\/nvme\/unbind/ },
    machine: { acs: 0 },
    probes: [probe(A, "moved"), probe(B, "refused", "EREMOTEIO")],
    question: pair,
    also: ["fail cached-verdict", "fail probe"],
  },
  {
    ...{ cause: "a namespace behind native multipath", id: "multipath", status: "fail" },
    ...{ what: /nvme0n1: behind NVMe native multipath/, fix: /nvme_core\.multipath=N/ },
    files: (files) => files.folder(`${NVME0}/nvme0c0n1`),
    question: pair,
  },
  {
    ...{ cause: "dm on top of a drive", id: "stacking", status: "fail" },
    ...{
      what: /"\/dev\/dm-0" is dm-0, which is stacked on nvme0n1/,
      fix: /with dm-0 stopped: \/dev\/nvme0n1/,
    },
    files: (files) => addVirtualDisk(files, "dm-0", "253:0", ["nvme0n1"]),
    question: { source: "/dev/dm-0", destination: "/dev/nvme1n1" },
  },
  {
    ...{ cause: "a loop device", id: "stacking", status: "fail" },
    ...{ what: /a loop device/, fix: /p2pdma list/ },
    files: (files) => addVirtualDisk(files, "loop0", "7:0", []),
    question: { source: "/dev/loop0", destination: "/dev/nvme1n1" },
  },
  {
    ...{ cause: "a file on tmpfs", id: "direct-io", status: "fail" },
    ...{ what: /"\/tmp\/image" is on tmpfs/, fix: /ext4 or xfs/ },
    files: (files) => files.write("/proc/self/mountinfo", "30 22 0:25 / /tmp rw - tmpfs tmpfs rw\n"),
    here: { paths: { "/tmp/image": { kind: "file", number: "0:25" } } },
    question: { source: "/tmp/image", destination: "/dev/nvme1n1" },
  },
  {
    ...{ cause: "a file that refuses direct I/O", id: "direct-io", status: "fail" },
    ...{ what: /refuses direct I\/O/, fix: /lsattr/ },
    files: (files) => files.write("/proc/self/mountinfo", "30 22 259:0 / /mnt rw - ext4 /dev/nvme0n1 rw\n"),
    here: { paths: { "/mnt/image": { kind: "file", number: "259:0" } }, alignment: 0 },
    question: { source: "/mnt/image", destination: "/dev/nvme1n1" },
  },
  {
    ...{ cause: "blocks of two sizes", id: "alignment", status: "warn" },
    ...{ what: /blocks of 512 bytes, "\/dev\/nvme1n1" of 4096/, fix: /multiples of 4096[\s\S]*nvme format/ },
    machine: { b: { nvme: { name: "nvme1", model: "M", serial: "S", lbaBytes: 4096 } } },
    question: pair,
  },
  {
    ...{ cause: "io_uring forbidden", id: "io-uring", status: "warn" },
    ...{ what: /forbidden to everybody/, fix: /sysctl kernel\.io_uring_disabled=0[\s\S]*--engine sync/ },
    files: (files) => files.write("/proc/sys/kernel/io_uring_disabled", "2\n"),
  },
  {
    ...{ cause: "DMA faults of the IOMMU", id: "iommu", status: "warn" },
    ...{ what: /the IOMMU has stopped DMA of nvme1/, fix: /iommu=pt/ },
    here: {
      log: [
        "DMAR: [DMA Write NO_PASID] Request device [04:00.0] fault addr 0x18000000000 [fault reason 0x05]",
      ],
    },
  },
  {
    ...{ cause: "an IOMMU with code of its own", id: "iommu", status: "unknown" },
    ...{ what: /DMA code of its own/, fix: /--probe/ },
    machine: { cpu: { cpu: "POWER9, altivec supported" } },
    files: (files) => files.write("/sys/class/iommu/pci0000:00/name", ""),
  },
  {
    ...{ cause: "lockdown where ACS redirects", id: "lockdown", status: "warn" },
    ...{ what: /integrity.*setpci can't change ACS/, fix: /kernel parameter/ },
    machine: { acs: 0x1d },
    files: (files) => files.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n"),
    also: ["fail acs-redirect", "warn lockdown"],
  },
  {
    ...{ cause: "a virtual machine without a switch", id: "virtual-machine", status: "warn" },
    ...{ what: /virtual machine \(QEMU Standard PC\)/, fix: /x3130-upstream[\s\S]*xio3130-downstream/ },
    machine: { apart: true, cpu: { vendor_id: "GenuineIntel", flags: "fpu hypervisor" } },
    files: (files) => {
      files.write("/sys/class/dmi/id/sys_vendor", "QEMU\n");
      files.write("/sys/class/dmi/id/product_name", "Standard PC\n");
    },
    also: ["fail host-bridge", "warn virtual-machine"],
  },
  {
    ...{ cause: "a transfer that hangs", id: "transfer-hangs", status: "fail" },
    ...{ what: /no answer in time: nvme1 into nvme0's; 1 more not tried/, fix: /destination's CMB/ },
    probes: [probe(A, "moved"), probe(B, "hangs", "ETIMEDOUT"), probe(B, "untried")],
  },
  {
    ...{ cause: "metadata beside a CMB that wants all or nothing", id: "mixed-memory", status: "warn" },
    ...{ what: /nvme0n1 \(8 bytes a block\)/, fix: /third device[\s\S]*--ms=0/ },
    files: (files) => files.write(`${NVME0}/nvme0n1/metadata_bytes`, "8\n"),
  },
  {
    ...{ cause: "a removal that hangs", id: "provider-removal", status: "warn" },
    ...{ what: /bash \(99\) waits for p2pmem/, fix: /reboot[\s\S]*6220694c52a5/ },
    files: (files) => {
      files.write("/proc/99/stat", "99 (bash) D 1 99 99 0\n");
      files.write("/proc/99/comm", "bash\n");
      files.write("/proc/99/stack", "[<0>] memunmap_pages+0x40/0x260\n");
    },
  },
  {
    ...{ cause: "a drive bound to vfio", id: "nvme-driver", status: "warn" },
    ...{ what: /0000:05:00\.0 is bound to vfio-pci/, fix: /vfio-pci\/unbind[\s\S]*drivers\/nvme\/bind/ },
    files: (files) => addStray(files, "0000:05:00.0", "vfio-pci"),
  },
];

function addVirtualDisk(files: MemoryFiles, name: string, number: string, slaves: readonly string[]): void {
  const at = `/sys/devices/virtual/block/${name}`;
  files.write(`${at}/dev`, `${number}\n`);
  files.write(`${at}/size`, "2048\n");
  files.write(`${at}/queue/logical_block_size`, "512\n");
  for (const slave of slaves) files.folder(`${at}/slaves/${slave}`);
  files.link(`/sys/class/block/${name}`, at);
  files.link(`/sys/dev/block/${number}`, at);
  files.write(`/dev/${name}`, "");
}

function addStray(files: MemoryFiles, bdf: string, driver: string): void {
  const at = `/sys/devices/pci0000:00/${bdf}`;
  files.link(`/sys/bus/pci/devices/${bdf}`, at);
  files.write(`${at}/class`, "0x010802\n");
  files.write(`${at}/config`, new Uint8Array(256));
  files.folder(`/sys/bus/pci/drivers/${driver}`);
  files.link(`${at}/driver`, `/sys/bus/pci/drivers/${driver}`);
}

for (const plant of plants) {
  test(`examine() finds ${plant.cause}: ${plant.id}`, () => {
    const files = server(plant.machine);
    plant.files?.(files);
    const here = "here" in plant && plant.here === undefined ? undefined : fakeHere(plant.here);
    const diagnosis = diagnose(files, here, plant.question, plant.probes);
    const findings = diagnosis.find(plant.id).filter(({ status }) => status !== "pass");
    assert.is(diagnosis.statusOf(plant.id), plant.status, diagnosis.complaints.join());
    assert.match(whatText(findings), plant.what);
    assert.match(fixText(findings), plant.fix);
    assert.equal([...new Set(diagnosis.complaints)], plant.also ?? [`${plant.status} ${plant.id}`]);
    const codes: Readonly<Record<Status, number>> = { pass: 0, warn: 0, unknown: 1, fail: 3 };
    const worst = (["fail", "unknown", "warn"] as const).find((status) =>
      diagnosis.complaints.some((complaint) => complaint.startsWith(status)),
    );
    assert.is(diagnosis.exitCode, codes[worst ?? "pass"]);
  });
}

test.run();
