// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { renderInventory } from "../../../cli/list-run.ts";
import type { P2pdmaError } from "../../../core/errors.ts";
import type { Inventory, ListedController } from "../../../core/inventory.ts";

const controller: ListedController = {
  ...{
    name: "nvme0",
    pciAddress: "0000:03:00.0",
    transport: "pcie",
    state: "live",
    model: "M 1",
    serial: "S1",
  },
  ...{ firmware: "F", hasCmb: true, numaNode: 1, iommuGroup: null },
  p2pmem: { sizeBytes: "67108864", availableBytes: "66977792" },
  link: { speedGtps: 8, width: 2, maxSpeedGtps: 16, maxWidth: 4 },
  namespaces: [
    {
      ...{ path: "/dev/nvme0n1", nsid: 1, sizeBytes: "1099511627776", lbaSizeBytes: 4096, wwid: null },
      uses: [{ part: "nvme0n1p1", kind: "mounted", by: "/srv" }],
    },
  ],
};
const inventory: Inventory = {
  schema: "p2pdma.list/1",
  controllers: [controller, { ...controller, name: "nvme1", p2pmem: null, link: null, namespaces: [] }],
  providers: [
    {
      ...{ bdf: "0000:03:00.0", name: "nvme0", driver: "nvme", isPublished: true },
      ...{ sizeBytes: "67108864", availableBytes: "66977792" },
      allocators: [
        { kind: "sysfs", path: "/x", status: "works" },
        { kind: "chardev", path: "/dev/nvme0", status: "ENODEV" },
      ],
    },
  ],
};

test("renderInventory() shows the chosen columns only, in that order", () => {
  const [head, first, second] = renderInventory(inventory, "use,link,cmb,namespace").split("\n");
  assert.is(head?.replaceAll(/ {2,}/g, "|"), "USE|LINK|CMB|NAMESPACE");
  assert.is(
    first?.replaceAll(/ {2,}/g, "|"),
    "nvme0n1p1 is mounted on /srv|8 GT/s x2 (of 16 x4)|64 MiB|/dev/nvme0n1",
  );
  assert.is(second?.replaceAll(/ {2,}/g, "|"), "-|-|not p2pmem|-");
});

test("renderInventory() says why an allocator does not work", () => {
  assert.match(renderInventory(inventory), /sysfs, chardev \(ENODEV\)/);
});

test("renderInventory() leaves no blanks at line ends", () =>
  assert.not.match(renderInventory(inventory), / $/m));

test("renderInventory() refuses an unknown column and tells those that are", () => {
  assert.throws(
    () => renderInventory(inventory, "namespace,toString"),
    (error: P2pdmaError) => error.exitCode === 2 && /wwid/.test(error.hint ?? ""),
  );
});

test.run();
