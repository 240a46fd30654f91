// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pciArguments } from "../../../lab/pci-args.ts";
import { topologies } from "../../../lab/topologies/index.ts";
import {
  acsEverywhereSwitch,
  acsSwitch,
  drive,
  hostBridge,
  pciSwitch,
  ramProvider,
  rootPort,
  siblings,
} from "../../../lab/topology.ts";

test("pciArguments() puts a switch and its drives in order, parents first", () => {
  const tree = [rootPort(pciSwitch(drive("A", { cmbMiB: 64 }), drive("B")))];
  assert.equal(pciArguments(tree).args, [
    ...["-device", "pcie-root-port,id=root0,bus=pcie.0,addr=0x10,chassis=1,slot=1"],
    ...["-device", "x3130-upstream,id=up0,bus=root0"],
    ...["-device", "xio3130-downstream,id=down0,bus=up0,addr=0x0,chassis=2,slot=2"],
    ...["-device", "xio3130-downstream,id=down1,bus=up0,addr=0x1,chassis=3,slot=3"],
    ...["-device", "nvme,id=drive-A,bus=down0,drive=disk-A,serial=P2PLAB-A,cmb_size_mb=64"],
    ...["-device", "nvme,id=drive-B,bus=down1,drive=disk-B,serial=P2PLAB-B"],
  ]);
});

test("pciArguments() gives every root port a slot of its own", () => {
  const { args } = pciArguments([rootPort(drive("A")), rootPort(drive("B"))]);
  assert.match(args[1] ?? "", /id=root0,bus=pcie.0,addr=0x10,chassis=1,slot=1$/);
  assert.match(args[5] ?? "", /id=root1,bus=pcie.0,addr=0x11,chassis=2,slot=2$/);
});

test("pciArguments() takes ports that have ACS for an ACS switch", () => {
  const { args } = pciArguments([rootPort(acsSwitch(drive("A")))]);
  assert.ok(args.includes("pcie-root-port,id=down0,bus=up0,addr=0x0,chassis=2,slot=2"));
});

test("pciArguments() takes ports that have ACS for the upstream port, too, and makes the others its functions", () => {
  const { args } = pciArguments([rootPort(acsEverywhereSwitch(drive("A"), drive("B")))]);
  assert.ok(args.includes("pcie-root-port,id=up0,bus=root0,chassis=2,slot=2"));
  assert.ok(args.includes("pcie-root-port,id=down1,bus=up0,addr=0x0.1,multifunction=on,chassis=4,slot=4"));
});

test("pciArguments() makes siblings functions of one device, below a port and on the root bus", () => {
  const { args } = pciArguments([
    rootPort(siblings(drive("A"), drive("B"))),
    siblings(drive("C")),
    drive("D"),
  ]);
  assert.match(args[5] ?? "", /id=drive-B,bus=root0,addr=0x0.1,multifunction=on,/);
  assert.match(args[7] ?? "", /id=drive-C,bus=pcie.0,addr=0x11.0,multifunction=on,/);
  assert.match(args[9] ?? "", /id=drive-D,bus=pcie.0,addr=0x12,drive=/);
});

test("pciArguments() leaves room before the root ports of a host bridge", () => {
  const { args } = pciArguments([{ ...hostBridge(64, rootPort(drive("A"))), firstSlot: 2 }]);
  assert.match(args[3] ?? "", /^pcie-root-port,id=root0,bus=bridge0,addr=0x2,/);
});

test("pciArguments() hangs root ports below another host bridge", () => {
  const { args } = pciArguments([rootPort(drive("A")), hostBridge(128, rootPort(drive("B")))]);
  const bridge = args.indexOf("pxb-pcie,id=bridge0,bus=pcie.0,addr=0x11,bus_nr=128");
  const port = args.indexOf("pcie-root-port,id=root1,bus=bridge0,addr=0x0,chassis=2,slot=2");
  assert.ok(bridge > 0 && port > bridge);
});

test("pciArguments() makes a provider of RAM, its memory first", () => {
  const { args } = pciArguments([rootPort(ramProvider(256))]);
  assert.equal(args.slice(2), [
    ...["-object", "memory-backend-ram,id=ram0-memory,size=256M,share=on"],
    ...["-device", "ivshmem-plain,id=ram0,bus=root0,memdev=ram0-memory"],
  ]);
});

test("pciArguments() sets the block size of a drive", () => {
  const { args } = pciArguments([rootPort(drive("A", { lbaBytes: 4096 }))]);
  assert.match(args[3] ?? "", /logical_block_size=4096,physical_block_size=4096$/);
});

test("pciArguments() nests switches", () => {
  const { args } = pciArguments([rootPort(pciSwitch(pciSwitch(drive("A")), drive("B")))]);
  assert.ok(args.includes("x3130-upstream,id=up1,bus=down0"));
  assert.ok(args.includes("nvme,id=drive-A,bus=down2,drive=disk-A,serial=P2PLAB-A"));
});

test("pciArguments() lists drives in the order of the tree", () => {
  const tree = [rootPort(pciSwitch(drive("A"), ramProvider(2), drive("B"))), rootPort(drive("C"))];
  assert.equal(
    pciArguments(tree).drives.map(({ letter }) => letter),
    ["A", "B", "C"],
  );
});

for (const { name, pci } of topologies) {
  test(`topology ${name}: every id is defined once, and before it is used`, () => {
    const known = new Set(["pcie.0"]);
    for (const argument of pciArguments(pci).args) {
      const property = (key: string) => new RegExp(`(?:^|,)${key}=([^,]+)`).exec(argument)?.[1];
      const [id, bus] = [property("id"), property("bus")];
      if (bus !== undefined) assert.ok(known.has(bus), `${argument} comes before ${bus}`);
      if (id === undefined) continue;
      assert.not.ok(known.has(id), `${id} is defined twice`);
      known.add(id);
    }
  });
}

test.run();
