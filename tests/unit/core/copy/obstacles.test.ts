// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeDestination } from "../../../../core/copy/destination-report.ts";
import type { Endpoint } from "../../../../core/copy/endpoint.ts";
import {
  checkDestination,
  needsExclusive,
  OVERWRITE_KINDS,
  type OverwriteKind,
  warnAboutSource,
} from "../../../../core/copy/safety.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import {
  type DeviceSignatures,
  MissingLibraryError,
  type Native,
  type Signature,
  SyscallError,
} from "../../../../ffi/index.ts";
import { BlockTree } from "./block-tree.ts";
import { fakeDrive } from "./fakes.ts";

const ext4: Signature = {
  ...{ type: "ext4", usage: "filesystem", label: "data", uuid: "1-2", isDamaged: false },
};
const gpt: Signature = { ...ext4, type: "gpt", usage: "partition-table", label: null, uuid: null };
const EBUSY = 16;
const EACCES = 13;

/** What libblkid would find on each node, and whether somebody has claimed the device. */
function fakeNative(
  found: Record<string, Partial<DeviceSignatures> | Error>,
  claimed = false,
): Pick<Native, "open" | "close" | "probeSignatures"> {
  return {
    open: (path) => {
      if (claimed) throw new SyscallError("open", EBUSY, path);
      return { fd: 9, path };
    },
    close: () => {},
    probeSignatures: (path) => {
      const answer = found[path] ?? {};
      if (answer instanceof Error) throw answer;
      return { signatures: [], table: [], ...answer };
    },
  };
}

const drive = fakeDrive("nvme0n1", "0000:03:00.0", {
  identity: { model: "Good Drive", serial: "S1", wwid: "eui.1" },
});
const tree = () => new BlockTree().disk("nvme0n1", "259:0");

interface Case {
  readonly tree?: BlockTree;
  readonly found?: Parameters<typeof fakeNative>[0];
  readonly isClaimed?: boolean;
  readonly dst?: Endpoint;
}

function refusalOf(at: Case, overwrite: readonly OverwriteKind[] = []): P2pdmaError | undefined {
  const native = fakeNative(at.found ?? {}, at.isClaimed) as Native;
  try {
    checkDestination({ sys: (at.tree ?? tree()).sys, native }, at.dst ?? drive, overwrite);
    return undefined;
  } catch (error) {
    return error as P2pdmaError;
  }
}

const cases: readonly [string, Case, readonly OverwriteKind[], string, RegExp, string][] = [
  [
    "a mount and its file system",
    {
      tree: tree().mounts("30 22 259:0 / /mnt rw - ext4 /dev/nvme0n1 rw"),
      found: { "/dev/nvme0n1": { signatures: [ext4] } },
    },
    ["mounted", "filesystem"],
    "IN_USE",
    /\(Good Drive, serial S1\): nvme0n1 is mounted on \/mnt; found on it: ext4 file system "data" \(UUID 1-2\)$/,
    "release it first (umount /mnt), or destroy it as it is with --overwrite=mounted,filesystem",
  ],
  [
    "swap",
    { tree: tree().swaps("/dev/nvme0n1") },
    ["swap"],
    "IN_USE",
    /: \/dev\/nvme0n1 is in use as swap$/,
    "release it first (swapoff /dev/nvme0n1), or destroy it as it is with --overwrite=swap",
  ],
  [
    "a holder",
    { tree: tree().folder("/sys/class/block/nvme0n1/holders/md0") },
    ["held"],
    "IN_USE",
    /: nvme0n1 is held by md0$/,
    "release it first (stop md0), or destroy it as it is with --overwrite=held",
  ],
  [
    "a file system alone",
    { found: { "/dev/nvme0n1": { signatures: [{ ...ext4, label: "a\u001b[2Jb", isDamaged: true }] } } },
    ["filesystem"],
    "NOT_EMPTY",
    /: found on it: damaged ext4 file system "a\?\[2Jb" \(UUID 1-2\)$/,
    "if nothing on it is needed, add --overwrite=filesystem",
  ],
  [
    "partitions, with what they hold",
    {
      tree: tree().partition("nvme0n1", 1, "259:1", 4096),
      found: {
        "/dev/nvme0n1": {
          signatures: [gpt],
          table: [
            { number: 1, label: "root", sizeBytes: 2097152n },
            { number: 2, label: null, sizeBytes: 512n },
          ],
        },
        "/dev/nvme0n1p1": { signatures: [ext4] },
      },
    },
    ["partitions"],
    "NOT_EMPTY",
    /: found on it: gpt partition table with 2 partitions: nvme0n1p1 "root" \(2 MiB, ext4 file system "data"\), number 2 \(512 B\)$/,
    "if nothing on it is needed, add --overwrite=partitions",
  ],
  [
    "partitions that only the kernel still has",
    { tree: tree().partition("nvme0n1", 1, "259:1") },
    ["partitions"],
    "NOT_EMPTY",
    /: found on it: 1 partition that the kernel still has, without a partition table: nvme0n1p1 \(1 MiB\)$/,
    "if nothing on it is needed, add --overwrite=partitions",
  ],
  [
    "what can't be read",
    { found: { "/dev/nvme0n1": new SyscallError("open", EACCES, "/dev/nvme0n1") } },
    ["partitions", "filesystem"],
    "NOT_EMPTY",
    /: what is on it can't be told, since it can't be read: EACCES \(run this as root\)$/,
    "if nothing on it is needed, add --overwrite=partitions,filesystem",
  ],
  [
    "what can't be told without libblkid",
    { found: { "/dev/nvme0n1": new MissingLibraryError("libblkid.so.1", "absent") } },
    ["partitions", "filesystem"],
    "NOT_EMPTY",
    /: what is on it can't be told, since libblkid.so.1 can't be loaded \(it comes with util-linux\)$/,
    "if nothing on it is needed, add --overwrite=partitions,filesystem",
  ],
];

for (const [name, at, kinds, code, message, hint] of cases) {
  test(`checkDestination() refuses ${name}, unless each kind is named`, () => {
    const error = refusalOf(at);
    assert.is(error?.exitCode, 7);
    assert.is(error?.code, code);
    assert.match(error?.message ?? "", message);
    assert.is(error?.hint, hint);
    for (const kind of kinds) {
      const others = OVERWRITE_KINDS.filter((other) => other !== kind);
      assert.is(refusalOf(at, others)?.exitCode, 7, `all but ${kind}`);
    }
    assert.is(refusalOf(at, kinds), undefined);
  });
}

test("checkDestination() refuses what an unseen user has claimed", () => {
  const error = refusalOf({ isClaimed: true });
  assert.match(error?.message ?? "", /nvme0n1 is held by something out of sight/);
  assert.match(error?.hint ?? "", /fuser -v \/dev\/nvme0n1.*--overwrite=held$/);
  assert.is(refusalOf({ isClaimed: true }, ["held"]), undefined);
});

test("checkDestination() says when the use is under another path to the namespace", () => {
  const paths = new BlockTree().disk("nvme0n1", "259:0", "eui.1").disk("nvme1n1", "259:3", "eui.1");
  const mounted = paths.mounts("30 22 259:3 / /mnt rw - ext4 /dev/nvme1n1 rw");
  assert.match(
    refusalOf({ tree: mounted })?.message ?? "",
    /nvme1n1 is mounted on \/mnt \(another path to the same namespace\)$/,
  );
});

test("checkDestination() lets nobody overwrite a read-only device", () => {
  const dst = fakeDrive("nvme0n1", "0000:03:00.0", { isReadOnly: true });
  const error = refusalOf({ dst }, OVERWRITE_KINDS);
  assert.match(error?.message ?? "", /read-only/);
  assert.is(error?.hint, "if it may be written: blockdev --setrw /dev/nvme0n1");
});

test("checkDestination() lets an empty device pass", () => assert.is(refusalOf({}), undefined));

test("needsExclusive() gives up the claim only for what others have claimed", () => {
  assert.is(needsExclusive([]), true);
  assert.is(needsExclusive(["partitions", "filesystem"]), true);
  for (const kind of ["mounted", "swap", "held"] as const) assert.is(needsExclusive([kind]), false);
});

test("describeDestination() shows uses, contents and what is missing, and its report is plain data", () => {
  const { tree: from, found } = cases[0]?.[1] ?? {};
  const env = { sys: (from ?? tree()).sys, native: fakeNative(found ?? {}) as Native };
  const { lines, report } = describeDestination(env, drive, ["mounted"], []);
  assert.equal(lines, [
    "destination  /dev/nvme0n1, Good Drive, serial S1, eui.1, 1 GiB",
    'on it        ext4 file system "data" (UUID 1-2)',
    "in use       nvme0n1 is mounted on /mnt",
    "refused      unless --overwrite=filesystem is given",
    "permission   missing: --allow-write=/dev/nvme0n1",
  ]);
  assert.equal(JSON.parse(JSON.stringify(report)), report);
  assert.equal(
    report.obstacles.map(({ kind, isOverridden }) => [kind, isOverridden]),
    [
      ["mounted", true],
      ["filesystem", false],
    ],
  );
  assert.is(report.permission, "missing");
});

test("describeDestination() of an empty, permitted drive says so", () => {
  const env = { sys: tree().sys, native: fakeNative({}) as Native };
  const { lines, report } = describeDestination(env, drive, [], "all");
  assert.equal(lines.slice(1), [
    "on it        nothing that is known: no file system, no partitions",
    "in use       by nobody",
  ]);
  assert.is(report.permission, "given");
});

test("warnAboutSource() warns of a file system mounted for writing only", () => {
  const mounted = (mode: string) => tree().mounts(`30 22 259:0 / /mnt rw - ext4 /dev/nvme0n1 ${mode}`).sys;
  assert.is(
    warnAboutSource(mounted("rw"), drive),
    'the copy of "/dev/nvme0n1" may be inconsistent: nvme0n1 is mounted on /mnt; unmount it, or freeze it meanwhile: fsfreeze --freeze /mnt',
  );
  assert.is(warnAboutSource(mounted("ro"), drive), undefined);
  assert.is(warnAboutSource(tree().sys, drive), undefined);
});

test.run();
