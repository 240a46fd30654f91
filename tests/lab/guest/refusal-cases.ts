// SPDX-License-Identifier: MIT
// Destinations that must not be overwritten: exit code, message, and a target whose every byte is as it was.
// Then the override that each refusal names, which must work. Runs inside the lab of refusals.test.ts.
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { blockNumberOf } from "../../../core/copy/in-use.ts";
import { SystemFiles } from "../../../core/sysfs.ts";
import { dosTable, gptTable, swapArea } from "../../unit/disk-images.ts";
import { copyInProcess } from "./in-process.ts";
import { type Drive, drive, randomContent, readMedium, sha256, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const SIZE = 8 * MIB;
const LENGTH = 64 * 1024;
const cli = join(dirname(fileURLToPath(import.meta.url)), "p2pdma.js");
const [a, b, c] = [first(drive("A")), drive("B"), drive("C")];
const yes = `--allow-write=${b.path}`;
const some = `--length=${LENGTH}`;

/** A has a second, smaller namespace. */
function first(one: Drive): Drive {
  const space = one.controller.namespaces.find(({ sizeBytes }) => sizeBytes === BigInt(SIZE));
  return { ...one, path: `/dev/${space?.name}` };
}

const ALWAYS = ["--no-journal", "--sparse=never"];

const run = (...args: string[]) => copyInProcess(...ALWAYS, ...args);

const shell = (command: string) => execFileSync("bash", ["-ec", command], { encoding: "utf8" });

interface Target {
  readonly path: string;
  readonly sizeBytes: number;
}
const target: Target = { path: b.path, sizeBytes: SIZE };

/** A file's bytes, or a drive's past the page cache. */
function hashOf({ path, sizeBytes }: Target): string {
  return sha256(blockNumberOf(path) ? readMedium(path, 0n, sizeBytes) : readFileSync(path));
}

/** Refused with this exit code and these words, and nothing has changed. */
async function refused(
  name: string,
  code: number,
  words: readonly RegExp[],
  args: readonly string[],
  at: Target = target,
): Promise<void> {
  await check(name, async () => {
    const before = hashOf(at);
    const { status, stdout, stderr } = await run(...args);
    expect(status === code, `exit ${status}: ${stderr}`);
    for (const word of words) expect(word.test(stderr), `no ${word} in: ${stderr}`);
    expect(stdout === "" && !/\bat .*:\d+:\d+/.test(stderr), `printed: ${stdout}${stderr}`);
    expect(hashOf(at) === before, "the target has changed");
  });
}

/** Goes through, and the target holds the source. */
async function copied(name: string, args: readonly string[], at: Target = target, offset = 0): Promise<void> {
  await check(name, async () => {
    const { status, stderr } = await run("--json", some, ...args);
    expect(status === 0, `exit ${status}: ${stderr}`);
    const held = blockNumberOf(at.path)
      ? readMedium(at.path, BigInt(offset), LENGTH)
      : readFileSync(at.path).subarray(0, LENGTH);
    expect(held.equals(readMedium(a.path, 0n, LENGTH)), "the target does not hold the source");
  });
}

/** An empty target; the kernel is told to look again. */
function wipe(...parts: readonly [number, Buffer][]): void {
  writeMedium(b.path, 0n, Buffer.alloc(SIZE));
  for (const [at, data] of parts) writeMedium(b.path, BigInt(at), data);
  shell(`blockdev --flushbufs ${b.path}; blockdev --rereadpt ${b.path}`);
}

const mount = (device: string, at: string, mode: string) =>
  shell(`mkdir -p ${at}; mount -t ext4 -o ${mode} ${device} ${at}`);
const both = [a.path, b.path];
const [port0 = "", port1 = ""] = sys
  .list("/sys/class/nvme")
  .filter((name) => sys.text(`/sys/class/nvme/${name}/serial`)?.trim() === "P2PLAB-S")
  .map((name) => `/dev/${sys.list(`/sys/class/nvme/${name}`).find((entry) => /^nvme\d+n1$/.test(entry))}`);

async function permission(): Promise<void> {
  const words = [/not permitted/, new RegExp(`--allow-write=${b.path}`), /serial P2PLAB-B/];
  await refused("no permission, and no terminal to ask on", 7, words, both);
  await refused("permission for another device", 7, words, [`--allow-write=${c.path}`, ...both]);
  await copied("an empty device needs a permission and nothing else", [yes, ...both]);
  wipe();
}

async function identity(): Promise<void> {
  await refused(
    "a serial number of no drive",
    1,
    [/"serial:NONE".*no NVMe namespace/],
    [...[yes, a.path, "serial:NONE"]],
  );
  await refused("a WWID of no drive", 1, [/"wwid:eui\.0".*no NVMe namespace/], [yes, a.path, "wwid:eui.0"]);
  await refused(
    "a serial number of two namespaces",
    2,
    [/not unique/, /wwid/],
    [...[yes, "serial:P2PLAB-A", b.path]],
  );
  const link = "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_P2PLAB-B";
  await refused("by-id, without permission for what it leads to", 7, [/not permitted/], [a.path, link]);
  await copied("by-id, permitted by serial", ["--allow-write=serial:P2PLAB-B", a.path, link]);
  await copied("by serial, permitted by-id", [`--allow-write=${link}`, a.path, "serial:P2PLAB-B"]);
  await refused(
    "a by-id link that leads nowhere",
    1,
    [/no such device/],
    [...["--allow-write", a.path, "/dev/disk/by-id/nvme-GONE"]],
  );
  wipe();
}

async function place(): Promise<void> {
  const source = { path: a.path, sizeBytes: SIZE };
  await refused(
    "overlapping ranges of one drive",
    2,
    [/overlap on the same disk/],
    ["--allow-write", "--length=1M", "--seek=512k", a.path, a.path],
    source,
  );
  await refused(
    "one namespace under two names",
    2,
    [/overlap on the same disk/],
    ["--allow-write", port0, port1],
    { path: port1, sizeBytes: SIZE },
  );
  await refused(
    "a destination that is too small",
    1,
    [/holds 4194304 bytes \(4 MiB\), needed 8388608/],
    [...["--allow-write", a.path, c.path]],
  );
  shell(`blockdev --setro ${b.path}`);
  const everything = "--overwrite=mounted,swap,held,partitions,filesystem";
  await refused(
    "a read-only device, whatever is overridden",
    7,
    [/read-only/, /--setrw/],
    [...[yes, everything, ...both]],
  );
  shell(`blockdev --setrw ${b.path}`);
}

async function contents(): Promise<void> {
  shell(`mkfs.ext4 -q -F -L precious ${b.path}`);
  const found = [
    new RegExp(`"${b.path}" \\(QEMU NVMe Ctrl, serial P2PLAB-B\\)`),
    /found on it: ext4 file system "precious" \(UUID [0-9a-f-]{36}\)/,
    /--overwrite=filesystem\n/,
  ];
  await refused("a file system", 7, found, [yes, ...both]);
  await refused("a range somewhere in a file system", 7, found, [yes, "--seek=4M", some, ...both]);
  await refused("a file system, when only partitions are given up", 7, found, [
    ...[yes, "--overwrite=partitions", ...both],
  ]);
  await refused(
    "an override that is none",
    2,
    [/"all" is nothing/, /mounted, swap/],
    [...[yes, "--overwrite=all", ...both]],
  );
  await check("--dry-run says what is there, and exits like the refusal", async () => {
    const before = hashOf(target);
    const { status, stdout } = await run("--dry-run", "--json", yes, ...both);
    const { destination, refusal } = JSON.parse(stdout);
    expect(status === 7 && refusal.exitCode === 7, `exit ${status}: ${stdout}`);
    expect(destination.contents.signatures[0].label === "precious", stdout);
    expect(destination.permission === "given" && hashOf(target) === before, stdout);
  });
  await copied("a file system that is given up", [yes, "--overwrite=filesystem", ...both]);
  wipe([0, swapArea(SIZE / 4096, "spare")]);
  await refused(
    "a swap area that is not in use",
    7,
    [/swap area "spare"/, /--overwrite=filesystem\n/],
    [...[yes, ...both]],
  );
  wipe();
}

async function partitions(): Promise<void> {
  const [one, two] = [`${b.path}p1`, `${b.path}p2`].map((path) => ({ path, sizeBytes: 2 * MIB }));
  if (!one || !two) return;
  const plan = [
    { label: "root", startSector: 2048, sectors: 4096 },
    { label: "home", startSector: 8192, sectors: 4096 },
  ];
  wipe([0, gptTable(SIZE / 512, plan)]);
  shell(`mkfs.ext4 -q -F -L sys ${one.path}`);
  const table = [
    /gpt partition table with 2 partitions: nvme\d+n1p1 "root" \(2 MiB, ext4 file system "sys"\), nvme\d+n1p2 "home" \(2 MiB\)/,
    /--overwrite=partitions\n/,
  ];
  await refused("partitions, with what is in them", 7, table, [yes, ...both]);
  await refused(
    "a partition with a file system",
    7,
    [/ext4 file system "sys"/, /--overwrite=filesystem\n/],
    [...["--allow-write", some, a.path, one.path]],
  );
  await copied("an empty partition beside it", ["--allow-write", a.path, two.path], two);
  mount(one.path, "/mnt/one", "ro");
  const used = [/p1 is mounted on \/mnt\/one/, /umount \/mnt\/one/, /--overwrite=mounted,partitions\n/];
  await refused("a drive with a mounted partition", 7, used, [yes, ...both]);
  await refused("a drive with a mounted partition, partitions given up", 7, used, [
    ...[yes, "--overwrite=partitions", ...both],
  ]);
  await copied("the partition beside a mounted one", ["--allow-write", a.path, two.path], two);
  shell("umount /mnt/one");
  await copied("partitions that are given up", [yes, "--overwrite=partitions", ...both]);
  wipe([0, dosTable([{ startSector: 2048, sectors: 4096 }])]);
  await refused(
    "a DOS partition table",
    7,
    [/dos partition table with 1 partition: nvme\d+n1p1 \(2 MiB\)/],
    [...[yes, ...both]],
  );
  writeMedium(b.path, 0n, Buffer.alloc(MIB));
  await refused(
    "partitions that are gone from the drive but not from the kernel",
    7,
    [/still has/],
    [...[yes, ...both]],
  );
  wipe();
}

async function uses(): Promise<void> {
  shell(`mkfs.ext4 -q -F ${b.path}`);
  mount(b.path, "/mnt/b", "ro");
  const found = [/is mounted on \/mnt\/b; found on it: ext4/, /--overwrite=mounted,filesystem\n/];
  await refused("a mounted device", 7, found, [yes, ...both]);
  await refused(
    "a mounted device, the file system alone given up",
    7,
    [/is mounted on/],
    [...[yes, "--overwrite=filesystem", ...both]],
  );
  await copied("a mounted device that is given up", [yes, "--overwrite=mounted,filesystem", ...both]);
  shell("umount /mnt/b");

  shell(`mkfs.ext4 -q -F ${b.path}`);
  mount(b.path, "/mnt/b", "rw");
  writeFileSync("/mnt/b/file", randomContent(LENGTH));
  shell("sync; mount -o remount,ro /mnt/b");
  const everything = "--overwrite=mounted,filesystem";
  await refused(
    "a file onto the device it lives on, whatever is overridden",
    7,
    [/"\/mnt\/b\/file" is a file on it/],
    [...[yes, everything, "/mnt/b/file", b.path]],
  );
  shell("umount /mnt/b");
  wipe();
  await swapInUse();
  await holders();
}

/** The lab's kernel has no swap: its answer is stood in for, all else is real. */
async function swapInUse(): Promise<void> {
  const real = SystemFiles.prototype.bytes;
  SystemFiles.prototype.bytes = function (path) {
    const swaps = `Filename Type Size Used Priority\n${b.path} partition 8188 0 -2\n`;
    return path === "/proc/swaps" ? Buffer.from(swaps) : real.call(this, path);
  };
  const found = [new RegExp(`${b.path} is in use as swap`), /swapoff/, /--overwrite=swap\n/];
  await refused("a device in use as swap", 7, found, [yes, ...both]);
  await copied("a device in use as swap that is given up", [yes, "--overwrite=swap", ...both]);
  SystemFiles.prototype.bytes = real;
  wipe();
}

async function holders(): Promise<void> {
  const override = "--overwrite=held";
  const words = (by: RegExp) => [by, /--overwrite=held\n/];
  shell(`dmsetup create vg-root --noudevsync --table "0 ${SIZE / 512} linear ${b.path} 0"`);
  await refused("a device that device mapper holds", 7, words(/is held by vg-root/), [yes, ...both]);
  await copied("a held device that is given up", [yes, override, ...both]);
  shell("dmsetup remove --noudevsync vg-root");
  wipe();

  shell(`losetup /dev/loop0 ${b.path}`);
  await refused("a device behind a loop device", 7, words(/is held by loop0[\s\S]*losetup --detach/), [
    yes,
    ...both,
  ]);
  await copied("a device behind a loop device that is given up", [yes, override, ...both]);
  shell("losetup --detach /dev/loop0");
  wipe();

  const claim = openSync(b.path, constants.O_RDONLY | constants.O_EXCL);
  await refused("a device that another process has claimed", 7, words(/out of sight.*exclusively/), [
    yes,
    ...both,
  ]);
  await copied("a claimed device that is given up", [yes, override, ...both]);
  closeSync(claim);
  wipe();
  await hiddenMount();
  await exported();
  await imageFile();
}

/** As in a container: mounted where this process does not see it. */
async function hiddenMount(): Promise<void> {
  shell(`mkfs.ext4 -q -F ${b.path}; mkdir -p /mnt/hidden`);
  const script = `mount -t ext4 -o ro ${b.path} /mnt/hidden; echo ready; read -r line`;
  const container = spawn("unshare", ["--mount", "bash", "-ec", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve) => container.stdout.once("data", resolve));
  const words = [/out of sight.*another mount namespace/, /--overwrite=held,filesystem\n/];
  await refused("a device mounted in another mount namespace", 7, words, [yes, ...both]);
  const ended = new Promise((resolve) => container.once("exit", resolve));
  container.stdin.end("\n");
  await ended;
  wipe();
}

async function exported(): Promise<void> {
  const at = "/sys/kernel/config/nvmet/subsystems/nqn.lab";
  shell(`mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    mkdir -p ${at}/namespaces/1
    echo -n ${b.path} >${at}/namespaces/1/device_path
    echo 1 >${at}/namespaces/1/enable`);
  await refused(
    "a device that is exported over NVMe",
    7,
    [/the NVMe target nqn\.lab, namespace 1/],
    [...[yes, ...both]],
  );
  shell(`echo 0 >${at}/namespaces/1/enable; rmdir ${at}/namespaces/1 ${at}`);
}

async function imageFile(): Promise<void> {
  const image = { path: "/run/p2pdma/image", sizeBytes: MIB };
  writeFileSync(image.path, randomContent(MIB));
  shell(`losetup /dev/loop1 ${image.path}`);
  const found = [/is held by loop1/, /losetup --detach \/dev\/loop1/, /--overwrite=held\n/];
  await refused("an image file behind a loop device", 7, found, [some, a.path, image.path], image);
  await copied("an image file that is given up", ["--overwrite=held", a.path, image.path], image);
  shell("losetup --detach /dev/loop1");
}

/** Another path to the namespace is another block device, which the kernel lets anyone claim. */
async function otherPath(): Promise<void> {
  const at = { path: port1, sizeBytes: SIZE };
  shell(`mkfs.ext4 -q -F ${port0}; blockdev --flushbufs ${port0}`);
  mount(port0, "/mnt/s", "ro");
  const words = [
    /is mounted on \/mnt\/s \(another path to the same namespace\)/,
    /--overwrite=mounted,filesystem\n/,
  ];
  await refused(
    "a namespace that is mounted under another name",
    7,
    words,
    ["--allow-write", a.path, at.path],
    at,
  );
  shell("umount /mnt/s");
}

/** Types an answer once the question is there. */
async function atTerminal(answer: string): Promise<{ status: number | null; stdout: string }> {
  const command = [process.execPath, cli, "copy", ...ALWAYS, some, ...both].join(" ");
  const script = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let stdout = "";
  script.stdout.on("data", (data: Buffer) => {
    const isAsked = stdout.includes("[y/N]");
    stdout += data;
    if (!isAsked && stdout.includes("[y/N]")) script.stdin.write(answer);
  });
  const status = await new Promise<number | null>((resolve) => script.once("close", resolve));
  return { status, stdout };
}

async function terminal(): Promise<void> {
  const asked = [
    new RegExp(`${b.path}, QEMU NVMe Ctrl, serial P2PLAB-B, nvme\\.1b36.*, 8 MiB`),
    /nothing that is known/,
    /Overwrite it\? \[y\/N\]/,
  ];
  for (const [name, answer] of [
    ["no", "n\n"],
    ["an empty line", "\n"],
    ["the end of input", "\x04"],
    ["Ctrl-C", "\x03"],
  ] as const) {
    await check(`at a terminal, ${name} is a no`, async () => {
      const before = hashOf(target);
      const { status, stdout } = await atTerminal(answer);
      for (const words of asked) expect(words.test(stdout), `no ${words} in: ${stdout}`);
      expect(status === 7 && /not permitted/.test(stdout), `exit ${status}: ${stdout}`);
      expect(hashOf(target) === before, "the target has changed");
    });
  }
  await check("at a terminal, yes is a yes", async () => {
    const { status, stdout } = await atTerminal("yes\n");
    expect(status === 0, `exit ${status}: ${stdout}`);
    expect(readMedium(b.path, 0n, LENGTH).equals(readMedium(a.path, 0n, LENGTH)), "nothing was copied");
  });
  wipe();
  shell(`mkfs.ext4 -q -F ${b.path}`);
  await check("a terminal can't answer what --overwrite must say", async () => {
    const before = hashOf(target);
    const { status, stdout } = await atTerminal("yes\n");
    expect(status === 7 && /--overwrite=filesystem/.test(stdout), `exit ${status}: ${stdout}`);
    expect(!/\[y\/N\]/.test(stdout) && hashOf(target) === before, stdout);
  });
  wipe();
}

async function changingSource(): Promise<void> {
  shell(`mkfs.ext4 -q -F ${a.path}`);
  for (const [mode, isWarned] of [
    ["ro", false],
    ["rw", true],
  ] as const) {
    mount(a.path, "/mnt/a", mode);
    await check(`a source that is mounted ${mode} is ${isWarned ? "" : "not "}warned about`, async () => {
      const { status, stderr } = await run("-q", some, yes, ...both);
      const warning = /may be inconsistent: nvme\d+n\d+ is mounted on \/mnt\/a.*fsfreeze --freeze \/mnt\/a/;
      expect(status === 0 && warning.test(stderr) === isWarned, `exit ${status}: ${stderr}`);
    });
    shell("umount /mnt/a");
    wipe();
  }
}

writeMedium(a.path, 0n, randomContent(SIZE));
wipe();
for (const group of [
  permission,
  identity,
  place,
  contents,
  partitions,
  uses,
  otherPath,
  terminal,
  changingSource,
]) {
  await check(`${group.name} came to its end`, group);
}
