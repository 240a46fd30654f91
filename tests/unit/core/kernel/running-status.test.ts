// SPDX-License-Identifier: MIT
// What can be told of a kernel that runs: this machine's, and made-up ones.
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { examineRunning, readRunningKernel } from "../../../../core/kernel/index.ts";
import { SystemFiles, type SystemView } from "../../../../core/sysfs.ts";
import { MemoryFiles } from "../../memory-files.ts";

const OPTIONS = ["64BIT", "ZONE_DEVICE", "PCI_P2PDMA", "BLK_DEV_NVME", "EXT4_FS", "IOMMU_DMA", "NVME_TARGET"];
const SYMBOLS = [
  "memremap_pages",
  "pci_p2pdma_add_resource",
  "pci_p2pdma_map_segment",
  "dma_pci_p2pdma_supported",
];

interface Machine {
  readonly release?: string;
  readonly off?: readonly string[];
  readonly symbols?: readonly string[];
  readonly modules?: readonly string[];
  readonly installed?: readonly string[];
  readonly files?: readonly string[];
}

function machine({ release = "6.12.1", off = [], symbols, modules = [], installed, files = [] }: Machine) {
  const view = new MemoryFiles();
  const options = OPTIONS.map((name) =>
    off.includes(name) ? `# CONFIG_${name} is not set` : `CONFIG_${name}=y`,
  );
  view.write("/proc/config.gz", gzipSync(`${options.join("\n")}\n`));
  view.write("/proc/sys/kernel/osrelease", `${release}\n`);
  const table = symbols?.map((name) => `0000000000000000 T ${name}\n`).join("");
  view.write("/proc/kallsyms", table);
  for (const name of modules) view.folder(`/sys/module/${name}`);
  if (installed) {
    view.write(`/lib/modules/${release}/modules.builtin`, "kernel/fs/ext4/ext4.ko\n");
    const lines = installed.map((name) => `kernel/drivers/${name}.ko.xz: kernel/drivers/base.ko.xz\n`);
    view.write(`/lib/modules/${release}/modules.dep`, lines.join(""));
  }
  for (const path of files) view.write(path, "1\n");
  return examine(view);
}

function examine(view: SystemView) {
  const findings = examineRunning(readRunningKernel(view));
  const find = (id: string) => findings.find(({ feature }) => feature.id === id);
  return { state: (id: string) => find(id)?.state, evidence: (id: string) => find(id)?.evidence ?? "" };
}

test("an option that is off decides, whatever the version", () => {
  const { state, evidence } = machine({ off: ["PCI_P2PDMA"], release: "6.18.0" });
  assert.is(state("sysfs-allocate"), "absent");
  assert.is(evidence("sysfs-allocate"), "CONFIG_PCI_P2PDMA is off, by /proc/config.gz");
});

test("an exported function shows in the symbol table, with the compiler's suffix too", () => {
  const { state, evidence } = machine({ symbols: [...SYMBOLS, "p2pmem_alloc_mmap.llvm.42"] });
  assert.is(state("sysfs-allocate"), "present");
  assert.is(evidence("sysfs-allocate"), "/proc/kallsyms has p2pmem_alloc_mmap()");
});

test("one that is not in the table is not in the kernel, backported or not", () => {
  const { state, evidence } = machine({ symbols: SYMBOLS });
  assert.is(state("sysfs-allocate"), "absent");
  assert.match(evidence("sysfs-allocate"), /no p2pmem_alloc_mmap\(\)/);
  assert.is(
    machine({ symbols: [...SYMBOLS, "p2pmem_alloc_mmap"], release: "6.1.9" }).state("sysfs-allocate"),
    "present",
  );
});

test("without a symbol table the version is asked", () => {
  assert.is(machine({}).state("sysfs-allocate"), "present");
  assert.is(machine({ release: "6.1.9" }).state("sysfs-allocate"), "unknown");
});

test("a function that a compiler may have merged into its caller is not missed", () =>
  assert.is(machine({ symbols: SYMBOLS, modules: ["nvme_core"] }).state("nvme-mmap"), "unknown"));

test("a module's functions are missed only while it is loaded", () => {
  const [idle, loaded] = [machine({ symbols: SYMBOLS }), machine({ symbols: SYMBOLS, modules: ["nvme"] })];
  assert.is(idle.state("nvme-p2pdma"), "present");
  assert.is(loaded.state("nvme-p2pdma"), "absent");
});

test("a module that is neither loaded nor installed is absent", () => {
  const found = machine({ symbols: SYMBOLS, installed: ["nvme/host/nvme-core"] });
  assert.is(found.state("nvme-p2pdma"), "absent");
  assert.match(found.evidence("nvme-p2pdma"), /nvme is neither loaded nor installed/);
  assert.is(machine({ symbols: SYMBOLS, installed: ["nvme/host/nvme"] }).state("nvme-p2pdma"), "present");
});

test("a file allocate in sysfs proves itself, even when nothing else can be read", () => {
  const folder = "/sys/bus/pci/devices/0000:03:00.0/p2pmem";
  const { state, evidence } = machine({ files: [`${folder}/size`, `${folder}/allocate`], symbols: [] });
  assert.is(state("sysfs-allocate"), "present");
  assert.is(evidence("sysfs-allocate"), `${folder}/allocate`);
});

const config = ownConfig();
if (config === undefined) {
  console.log("# skip: this machine's kernel: it does not show its configuration in /proc/config.gz");
} else {
  test("this machine's kernel is judged as its configuration says", () => {
    const { state } = examine(new SystemFiles());
    const has = (name: string) => new RegExp(`^CONFIG_${name}=[ym]$`, "m").test(config);
    assert.is(state("zone-device"), has("ZONE_DEVICE") ? "present" : "absent");
    assert.is(state("p2pdma"), has("PCI_P2PDMA") ? "present" : "absent");
    if (!has("PCI_P2PDMA")) {
      for (const id of ["sysfs-allocate", "bio-direct", "nvme-mmap", "providers"])
        assert.is(state(id), "absent", id);
    }
  });
}

function ownConfig(): string | undefined {
  try {
    return gunzipSync(readFileSync("/proc/config.gz")).toString();
  } catch {
    return undefined;
  }
}

test.run();
