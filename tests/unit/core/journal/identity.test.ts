// SPDX-License-Identifier: MIT
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readBlockDevice } from "../../../../core/copy/disk.ts";
import type { Endpoint } from "../../../../core/copy/endpoint.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import {
  differences,
  type EndIdentity,
  identityOf,
  locate,
  sourceChanges,
} from "../../../../core/journal/identity.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { tempFolder } from "../../temp.ts";

const root = tempFolder("identity");
const sys = new SystemFiles(root);

type Disk = Readonly<Record<string, string>>;

/** A small sysfs with these disks, each of the given files. */
function plug(disks: Readonly<Record<string, Disk>>): void {
  rmSync(join(root, "sys"), { recursive: true, force: true });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  };
  write("proc/sys/kernel/random/boot_id", "boot-1");
  let minor = 0;
  const link = (name: string, at: string, number: string) => {
    for (const from of [`sys/class/block/${name}`, `sys/dev/block/${number}`]) {
      mkdirSync(dirname(join(root, from)), { recursive: true });
      symlinkSync(join(root, at), join(root, from));
    }
  };
  for (const [name, files] of Object.entries(disks)) {
    const at = `sys/devices/${name}`;
    const number = `259:${minor++}`;
    write(`${at}/dev`, number);
    write(`${at}/size`, "2048");
    write(`${at}/queue/logical_block_size`, "512");
    for (const [file, text] of Object.entries(files)) write(`${at}/${file}`, text);
    link(name, at, number);
    const part = `259:${minor++}`;
    write(`${at}/${name}p1/dev`, part);
    write(`${at}/${name}p1/partition`, "1");
    write(`${at}/${name}p1/start`, "64");
    write(`${at}/${name}p1/size`, "1024");
    link(`${name}p1`, `${at}/${name}p1`, part);
  }
}

function identity(name: string): EndIdentity {
  const device = readBlockDevice(sys, sys.text(`/sys/class/block/${name}/dev`) ?? "");
  if (!device) throw new Error(name);
  const end: Endpoint = {
    ...{ path: `/dev/${name}`, kind: "block", exists: true, sizeBytes: device.sizeBytes, device },
    ...{ blockBytes: device.logicalBlockBytes, fileSystem: undefined, inode: undefined },
    ...{ modifiedNs: undefined, bornNs: undefined, peerProblem: undefined },
  };
  return identityOf(sys, end);
}

const A = { "device/model": "M", "device/serial": "SA", wwid: "eui.a" };
const B = { "device/model": "M", "device/serial": "SB", wwid: "eui.b" };

test("a drive is found under another name, by its WWID, or else its serial; so is its partition", () => {
  plug({ nvme0n1: A, nvme1n1: B });
  const [whole, part] = [identity("nvme0n1"), identity("nvme0n1p1")];
  plug({ nvme0n1: B, nvme1n1: A });
  assert.is(locate(sys, whole), "/dev/nvme1n1");
  assert.is(locate(sys, part), "/dev/nvme1n1p1");
  assert.is(locate(sys, { ...whole, wwid: null }), "/dev/nvme1n1");
});

test("a drive that is not there, or there twice, is an error", () => {
  plug({ nvme0n1: A });
  const lost = identity("nvme0n1");
  plug({ nvme0n1: B });
  assert.throws(() => locate(sys, lost), /Cannot find .*SA.*no block device has that identity/);
  plug({ nvme0n1: A, nvme1n1: A });
  assert.throws(
    () => locate(sys, lost),
    (error: P2pdmaError) => error.exitCode === 7 && /nvme0n1, \/dev\/nvme1n1/.test(error.message),
  );
});

test("a device without serial and WWID is known by what it is made of", () => {
  plug({ "dm-0": { "dm/uuid": "LVM-x" }, loop0: { "loop/backing_file": "/a.img" } });
  const [volume, loop] = [identity("dm-0"), identity("loop0")];
  plug({
    "dm-0": { "dm/uuid": "LVM-y" },
    "dm-1": { "dm/uuid": "LVM-x" },
    loop0: { "loop/backing_file": "/b.img" },
  });
  assert.is(locate(sys, volume), "/dev/dm-1");
  assert.throws(() => locate(sys, loop), /Cannot find/);
});

test("one that has nothing at all is known until the next boot", () => {
  plug({ vda: { diskseq: "9" } });
  const disk = identity("vda");
  assert.is(locate(sys, disk), "/dev/vda");
  writeFileSync(join(root, "proc/sys/kernel/random/boot_id"), "boot-2\n");
  assert.throws(() => locate(sys, disk), /Cannot find/);
  plug({ vda: { diskseq: "10" } });
  assert.throws(() => locate(sys, disk), /Cannot find/);
});

test("differences name what is not as it was; a file's size is none, a device's is", () => {
  plug({ nvme0n1: A });
  const was = identity("nvme0n1");
  assert.equal(differences(was, was), []);
  assert.match(differences(was, { ...was, sizeBytes: "1" }).join(), /size in bytes was 1048576 and is 1/);
  assert.match(differences(was, { ...was, serial: "SX" }).join(), /serial was SA and is SX/);
  const file: EndIdentity = { ...was, kind: "file", serial: null, wwid: null, inode: "7", modifiedNs: "1" };
  assert.equal(differences(file, { ...file, sizeBytes: "1" }), []);
  assert.match(sourceChanges(file, { ...file, sizeBytes: "1" }).join(), /its size was/);
  assert.match(sourceChanges(file, { ...file, modifiedNs: "2" }).join(), /modified since/);
  assert.match(differences(file, { ...file, inode: "8" }).join(), /inode was 7 and is 8/);
});

test.run();
