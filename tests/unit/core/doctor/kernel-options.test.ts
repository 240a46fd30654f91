// SPDX-License-Identifier: MIT
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hasP2pdmaSymbol, readKernelOptions } from "../../../../core/doctor/kernel-options.ts";
import { MemoryFiles } from "../../memory-files.ts";

const TEXT = 'CONFIG_PCI_P2PDMA=y\n# CONFIG_IO_URING is not set\nCONFIG_LOCALVERSION="-x"\n';

function files(content: Readonly<Record<string, string | Uint8Array>>): MemoryFiles {
  const view = new MemoryFiles();
  view.write("/proc/sys/kernel/osrelease", "6.12.1\n");
  for (const [path, bytes] of Object.entries(content)) view.write(path, bytes);
  return view;
}

test("readKernelOptions() prefers the running kernel's own copy", () => {
  const view = files({ "/proc/config.gz": gzipSync(TEXT), "/boot/config-6.12.1": "CONFIG_PCI=y\n" });
  const options = readKernelOptions(view);
  assert.is(options?.source, "/proc/config.gz");
  assert.equal(
    [...(options?.values ?? [])],
    [
      ["PCI_P2PDMA", "y"],
      ["IO_URING", "n"],
      ["LOCALVERSION", '"-x"'],
    ],
  );
});

test("readKernelOptions() takes the file in /boot where that copy is missing or broken", () => {
  for (const copy of [{}, { "/proc/config.gz": Buffer.from("no gzip") }]) {
    const options = readKernelOptions(files({ ...copy, "/boot/config-6.12.1": TEXT }));
    assert.is(options?.source, "/boot/config-6.12.1");
    assert.is(options?.values.get("PCI_P2PDMA"), "y");
  }
  assert.is(readKernelOptions(files({})), undefined);
});

test("hasP2pdmaSymbol() tells present, absent and unknown apart", () => {
  const symbols = "ffffffff81000000 T _stext\n";
  const answer = (text: string) => hasP2pdmaSymbol(files({ "/proc/kallsyms": text }));
  assert.is(answer(`${symbols}ffffffff81000010 T pci_p2pdma_add_resource\n`), true);
  assert.is(answer(symbols), false);
  assert.is(answer(`${symbols}ffffffff81000010 t no_pci_p2pdma_add_resource_either\n`), false);
  assert.is(answer(""), undefined);
  assert.is(hasP2pdmaSymbol(files({})), undefined);
});

test.run();
