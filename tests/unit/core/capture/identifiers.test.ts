// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Answers } from "../../../../core/capture/format.ts";
import { noAnswers } from "../../../../core/capture/format.ts";
import { hashIdentifier, hideIdentifiers } from "../../../../core/capture/identifiers.ts";
import { parseCapture } from "../../../../core/capture/parse.ts";
import { listControllers } from "../../../../core/nvme/controllers.ts";
import { parseConfigSpace } from "../../../../core/pci/config-space.ts";
import { machines } from "../../../fixtures/machines/index.ts";
import { configBytes, DEVICE_SERIAL } from "../../config-bytes.ts";
import { captureText } from "../../machines.ts";

const HASH = /^hash:[0-9a-f]{12}$/;

function hide(files: Record<string, string | Uint8Array>, over: Partial<Answers> = {}): Answers {
  const answers = { ...noAnswers(), ...over };
  for (const [path, content] of Object.entries(files))
    answers.files.set(path, Buffer.from(content as string));
  return hideIdentifiers(answers);
}
const textOf = (answers: Answers, path: string) =>
  Buffer.from(answers.files.get(path) ?? []).toString("utf8");

test("hashIdentifier() is short, keeps equal names equal and ignores padding", () => {
  assert.match(hashIdentifier("S4EWNX0R123456"), HASH);
  assert.is(hashIdentifier("S4EWNX0R123456   "), hashIdentifier("S4EWNX0R123456"));
  assert.is.not(hashIdentifier("S4EWNX0R123456"), hashIdentifier("S4EWNX0R123457"));
  assert.is(hashIdentifier("   "), "");
  assert.is(hashIdentifier(hashIdentifier("x")), hashIdentifier("x"), "a hash stays as it is");
});

const identifying = [
  ...["/sys/class/nvme/nvme0/serial", "/sys/class/nvme/nvme0/subsysnqn", "/sys/class/nvme/nvme1/hostnqn"],
  ...["/sys/class/nvme/nvme1/hostid", "/sys/class/block/nvme0n1/wwid", "/sys/class/block/nvme0n1/nguid"],
  ...["/sys/class/block/nvme0n1/eui", "/sys/class/block/nvme0n1/uuid", "/sys/class/block/dm-0/dm/name"],
  ...["/sys/class/block/dm-0/dm/uuid", "/sys/class/block/sda/device/vpd_pg80", "/proc/sys/kernel/hostname"],
  ...[
    "/sys/class/dmi/id/product_uuid",
    "/sys/class/dmi/id/board_serial",
    "/sys/class/dmi/id/chassis_asset_tag",
  ],
];
for (const path of identifying) {
  test(`hideIdentifiers() hashes ${path}`, () => {
    const found = textOf(hide({ [path]: "IDENTIFIER-1\n" }), path);
    assert.is(found, `${hashIdentifier("IDENTIFIER-1")}\n`);
  });
}

const harmless = [
  ...["/sys/class/nvme/nvme0/model", "/sys/class/nvme/nvme0/firmware_rev", "/sys/class/block/nvme0n1/size"],
  ...["/sys/class/dmi/id/product_name", "/proc/cmdline", "/sys/bus/pci/devices/0000:03:00.0/resource"],
];
for (const path of harmless) {
  test(`hideIdentifiers() leaves ${path}`, () =>
    assert.is(textOf(hide({ [path]: "THING 1\n" }), path), "THING 1\n"));
}

test("hideIdentifiers() knows the address of a PCI controller from that of a server", () => {
  const [pci, tcp] = ["/sys/class/nvme/nvme0/address", "/sys/class/nvme/nvme1/address"];
  const hidden = hide({ [pci]: "10000:03:00.0\n", [tcp]: "traddr=10.1.2.3,trsvcid=4420\n" });
  assert.is(textOf(hidden, pci), "10000:03:00.0\n");
  assert.match(textOf(hidden, tcp).trim(), HASH);
});

test("hideIdentifiers() names a volume alike wherever it stands", () => {
  const hash = hashIdentifier("host--vg-root");
  const links = new Map([["/dev/mapper/host--vg-root", "/dev/dm-0"]]);
  const lists = new Map([["/dev/mapper", ["control", "host--vg-root"]]]);
  const hidden = hide(
    {
      "/sys/class/block/dm-0/dm/name": "host--vg-root\n",
      "/proc/self/mountinfo": "22 1 253:0 / / rw - ext4 /dev/mapper/host--vg-root rw\n",
    },
    { links, lists },
  );
  assert.is(textOf(hidden, "/sys/class/block/dm-0/dm/name"), `${hash}\n`);
  assert.is(textOf(hidden, "/proc/self/mountinfo"), `22 1 253:0 / / rw - ext4 /dev/mapper/${hash} rw\n`);
  assert.is(hidden.links.get(`/dev/mapper/${hash}`), "/dev/dm-0");
  assert.ok(hidden.lists.get("/dev/mapper")?.includes(hash));
});

test("hideIdentifiers() hides names by id in paths, lists and targets", () => {
  const name = "nvme-Samsung_SSD_990_PRO_S7KHNJ0W123456";
  const lists = new Map([["/dev/disk/by-id", [name]]]);
  const links = new Map([[`/dev/disk/by-id/${name}`, "/dev/nvme0n1"]]);
  const hidden = hide({ "/proc/swaps": `Filename\n/dev/disk/by-id/${name} partition\n` }, { lists, links });
  assert.equal(hidden.lists.get("/dev/disk/by-id"), [hashIdentifier(name)]);
  assert.equal([...hidden.links], [[`/dev/disk/by-id/${hashIdentifier(name)}`, "/dev/nvme0n1"]]);
  assert.not.match(JSON.stringify([...hidden.files].map(([, bytes]) => String(bytes))), /S7KHNJ0W123456/);
});

test("hideIdentifiers() takes the host's name and UUIDs out of mount points, whole words only", () => {
  const hidden = hide({
    "/proc/sys/kernel/hostname": "box7\n",
    "/proc/self/mountinfo":
      "1 1 8:1 / /srv/box7/data rw - ext4 /dev/sda1 rw\n2 1 8:2 / /mnt/box77 rw - ext4 /dev/sda2 rw\n" +
      "3 1 8:3 / /media/0a3407de-014b-458b-b5c1-848e92a327a3 rw - ext4 /dev/sda3 rw\n4 1 8:4 / /boot/A1B2-C3D4 rw - vfat /dev/sda4 rw\n",
  });
  const mounts = textOf(hidden, "/proc/self/mountinfo");
  assert.match(mounts, `/srv/${hashIdentifier("box7")}/data`);
  assert.match(mounts, "/mnt/box77 ");
  assert.not.match(mounts, /0a3407de|A1B2/);
});

test("hideIdentifiers() takes a host name for no pattern", () => {
  const hidden = hide({
    "/proc/sys/kernel/hostname": "a.b-(c)+\n",
    "/proc/self/mountinfo":
      "1 1 8:1 / /srv/a.b-(c)+/x rw - ext4 /dev/sda1 rw\n1 1 8:1 / /srv/axb rw - ext4 /dev/sda1 rw\n",
  });
  assert.match(textOf(hidden, "/proc/self/mountinfo"), "/srv/axb");
  assert.not.match(textOf(hidden, "/proc/self/mountinfo"), "a.b-(c)+");
});

test("hideIdentifiers() replaces the serial number in config space and nothing else of it", () => {
  const path = "/sys/bus/pci/devices/0000:03:00.0/config";
  const space = configBytes({
    ...{ ids: "144d:a80c", classCode: 0x010802, type: "endpoint", acs: { capability: 0x5f, control: 0x1d } },
  });
  const hidden = Buffer.from(hide({ [path]: space }).files.get(path) ?? []);
  assert.not.ok(hidden.includes(DEVICE_SERIAL));
  assert.equal(parseConfigSpace(hidden), parseConfigSpace(space));
  const differing = [...space].flatMap((byte, at) => (byte === hidden[at] ? [] : [at]));
  assert.ok(differing.every((at) => at >= 0x14c && at < 0x154));
  assert.ok(space.includes(DEVICE_SERIAL), "the bytes that were handed in stay");
});

for (const machine of machines) {
  test(`writeCapture() of ${machine.name} contains no serial number in any spelling`, () => {
    const text = captureText(machine);
    const { view } = parseCapture(Buffer.from(text), machine.name);
    const plain = parseCapture(Buffer.from(captureText(machine, true)), machine.name);
    for (const { name, serial } of listControllers(plain.view)) {
      assert.not.match(text, serial, `${name} as text`);
      assert.not.match(text.toLowerCase(), Buffer.from(serial).toString("hex"), `${name} in hexadecimal`);
    }
    for (const { serial, namespaces } of listControllers(view)) {
      assert.match(serial, HASH);
      for (const { wwid } of namespaces) assert.match(wwid ?? "", HASH);
    }
    assert.not.match(text, /fixture-+host|b8cef6a1b2c3/);
  });
}

test("writeCapture() with serial numbers has them, and says so", () => {
  const [machine] = machines;
  if (!machine) throw new Error("no machine");
  const { view, identifiers } = parseCapture(Buffer.from(captureText(machine, true)), machine.name);
  assert.is(identifiers, "plain");
  assert.match(listControllers(view)[0]?.serial ?? "", /^FIX/);
  assert.is(view.text("/proc/sys/kernel/hostname"), "fixture-host");
  assert.is(parseCapture(Buffer.from(captureText(machine)), "x").identifiers, "hashed");
});

test.run();
