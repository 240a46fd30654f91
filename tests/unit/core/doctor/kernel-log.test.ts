// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseKernelLog } from "../../../../core/doctor/kernel-log.ts";

const A = "0000:03:00.0";
const B = "0000:04:00.0";
const added = `nvme ${A}: added peer-to-peer DMA memory 0xf4000000-0xf7ffffff`;
const redirected = `nvme ${B}: ACS redirect is set between the client and provider (${A})`;
const hint = `nvme ${B}: to disable ACS redirect for this path, add the kernel parameter: pci=disable_acs_redir=0000:02:00.0`;
const refused = `nvme ${B}: cannot be used for peer-to-peer DMA as the client and provider (${A}) do not share an upstream bridge or whitelisted host bridge`;

test("parseKernelLog() remembers the verdict on each pair", () => {
  const { verdicts } = parseKernelLog([added, redirected, hint, refused]);
  assert.equal(verdicts, [{ provider: A, client: B, kind: "refused" }]);
  assert.is(parseKernelLog([redirected, hint]).verdicts[0]?.kind, "redirected");
});

test("parseKernelLog() forgets verdicts when the provider's memory is added anew", () => {
  assert.equal(parseKernelLog([added, refused, added]).verdicts, []);
  assert.is(parseKernelLog([added, refused, `nvme ${B}: added peer-to-peer DMA memory`]).verdicts.length, 1);
});

const faults: readonly (readonly [string, string])[] = [
  ["DMAR: [DMA Read NO_PASID] Request device [04:00.0] fault addr 0xfe000000 [fault reason 0x06]", B],
  ["DMAR: [DMA Write] Request device [0000:04:00.0] PASID ffffffff fault addr fe000000", B],
  [`nvme ${B}: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000f address=0xfe000000 flags=0x0020]`, B],
  ["AMD-Vi: Event logged [IO_PAGE_FAULT device=04:00.0 domain=0x000f address=0xfe000000]", B],
];

for (const [line, bdf] of faults) {
  test(`parseKernelLog() finds who faulted: ${line.slice(0, 40)}`, () => {
    assert.equal(parseKernelLog([line, line]).faults, [bdf]);
  });
}

test("parseKernelLog() finds failed CMBs, refused mappings and misread parameters", () => {
  const log = parseKernelLog([
    "nvme nvme2: failed to register the CMB",
    `nvme ${A}: my program: fail, attempted private mapping`,
    `nvme ${A}: fio: fail, attempted mapping with non-zero offset`,
    "PCI: Can't parse ACS command line parameter",
    "nvme nvme0: 2/0/0 default/read/poll queues",
  ]);
  assert.equal(log.unregistered, ["nvme2"]);
  assert.equal(log.badMappings, [
    { provider: A, command: "my program", kind: "private" },
    { provider: A, command: "fio", kind: "offset" },
  ]);
  assert.ok(log.isAcsParameterBad);
  assert.equal(parseKernelLog(["usb 1-1: new device"]), {
    ...{ verdicts: [], unregistered: [], badMappings: [], faults: [], isAcsParameterBad: false },
  });
});

test.run();
