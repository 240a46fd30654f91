// SPDX-License-Identifier: MIT
// A healthy machine, about which doctor has nothing to say; then faults planted one after the other. Runs inside
// the `switch` lab.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cli, doctor, expectFault, shell, until } from "./doctor-kit.ts";
import { drive } from "./media.ts";
import { check, expect } from "./report.ts";

const [a, b, c] = [drive("A"), drive("B"), drive("C")];
const allocate = (bdf: string) => `/sys/bus/pci/devices/${bdf}/p2pmem/allocate`;
const available = (bdf: string) =>
  Number(readFileSync(`/sys/bus/pci/devices/${bdf}/p2pmem/available`, "utf8"));
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

await check("healthy: nothing to complain about, exit 0", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "doctor"], { encoding: "utf8" });
  expect(status === 0 && stderr === "", `exit ${status}: ${stderr}`);
  expect(!/FAIL|warn|\?\?\?\?/.test(stdout), stdout);
});

await check("healthy: --probe of a pair agrees", async () => {
  const { complaints, exitCode } = await doctor(["--probe", a.path, b.path]);
  expect(exitCode === 0 && complaints.length === 0, `exit ${exitCode}: ${complaints.join(", ")}`);
});

await check("healthy: --probe of the whole machine moves every block", () => {
  const { stdout } = spawnSync(process.execPath, [cli, "doctor", "--json", "--probe"], { encoding: "utf8" });
  const { probes } = JSON.parse(stdout) as { probes: { outcome: string }[] };
  expect(probes.length === 6 && probes.every(({ outcome }) => outcome === "moved"), JSON.stringify(probes));
});

await check("as nobody: permission, and ACS that can't be read", async () => {
  const diagnosis = await doctor([], NOBODY);
  expectFault(diagnosis, "fail permission", /may not map p2pmem of nvme0 and nvme1/, /70-p2pmem\.rules/, 3);
  expectFault(diagnosis, "unknown acs-redirect", /could not be read/, /sudo/, 3);
});

await check("as nobody with the file given to all: possible or not can't be told, exit 1", async () => {
  shell(`chmod 666 ${allocate(a.bdf)} ${allocate(b.bdf)}`);
  const { exitCode, isPossible } = await doctor([], NOBODY);
  shell(`chmod 660 ${allocate(a.bdf)} ${allocate(b.bdf)}`);
  expect(exitCode === 1 && isPossible === null, `exit ${exitCode}`);
});

await check("io_uring forbidden", async () => {
  shell("echo 2 > /proc/sys/kernel/io_uring_disabled");
  expectFault(await doctor([]), "warn io-uring", /forbidden to everybody/, /io_uring_disabled=0/, 0);
});

await check("all p2pmem held by other processes", async () => {
  const holders = [a, b].map(({ bdf }) =>
    spawn(process.execPath, [cli, "cmb", "alloc", bdf, String(available(bdf))], { stdio: "ignore" }),
  );
  try {
    await until("both pools are taken", () => available(a.bdf) === 0 && available(b.bdf) === 0, 60);
    const pid = String(holders[0]?.pid);
    expectFault(
      await doctor([]),
      "fail pool",
      new RegExp(`nvme0: 0 B of 64 MiB.*\\(${pid}\\)`),
      new RegExp(`kill ${pid}`),
      3,
    );
    holders[1]?.kill("SIGTERM");
    await until("one is given back", () => available(b.bdf) > 0, 60);
    expectFault(await doctor([]), "warn pool", /nvme0: 0 B of 64 MiB/, /kill/, 0);
  } finally {
    for (const holder of holders) holder.kill("SIGTERM");
  }
  await until("all is given back", () => available(a.bdf) > 0, 60);
});

await check("a program that maps p2pmem privately", async () => {
  const fio = `fio --name=x --filename=${a.path} --readonly --rw=read --bs=4k --size=4k --direct=1 --ioengine=psync`;
  shell(`${fio} --mem=mmap:${allocate(a.bdf)} > /dev/null 2>&1 || true`);
  expectFault(
    await doctor([]),
    "warn mapping-mode",
    /refused p2pmem to fio: mapped with MAP_PRIVATE/,
    /MAP_SHARED/,
    0,
  );
});

await check("a file on tmpfs", async () => {
  mkdirSync("/run/doctor", { recursive: true });
  shell("mount -t tmpfs none /run/doctor && truncate -s 1M /run/doctor/image");
  expectFault(await doctor(["/run/doctor/image", b.path]), "fail direct-io", /on tmpfs/, /ext4 or xfs/, 3);
});

await check("a loop device", async () => {
  const loop = shell("losetup -f --show /run/doctor/image").trim();
  expectFault(await doctor([loop, b.path]), "fail stacking", /a loop device/, /NVMe namespace/, 3);
  shell(`losetup -d ${loop}`);
});

await check("device mapper on top of a drive", async () => {
  shell(`dmsetup create doctor --table "0 8192 linear ${c.path} 0"`);
  expectFault(
    await doctor(["/dev/dm-0", b.path]),
    "fail stacking",
    /stacked on nvme2n1/,
    /\/dev\/nvme2n1/,
    3,
  );
  shell("dmsetup remove doctor");
});

await check("a file with journalled data; one without is fine", async () => {
  shell(
    `mkfs.ext4 -q -F ${c.path} 64M && mkdir -p /mnt/doctor && mount -o data=journal ${c.path} /mnt/doctor`,
  );
  writeFileSync("/mnt/doctor/image", "data");
  expectFault(
    await doctor([a.path, "/mnt/doctor/image"]),
    "fail direct-io",
    /refuses direct I\/O/,
    /lsattr/,
    3,
  );
  shell(`umount /mnt/doctor && mount ${c.path} /mnt/doctor`);
  const { exitCode, complaints } = await doctor(["--probe", "/mnt/doctor/image", a.path]);
  expect(
    exitCode === 0 && !complaints.includes("fail direct-io"),
    `exit ${exitCode}: ${complaints.join(", ")}`,
  );
  shell("umount /mnt/doctor");
});

await check("a drive without its driver", async () => {
  shell(`echo ${c.bdf} > /sys/bus/pci/drivers/nvme/unbind`);
  const fix = new RegExp(`echo ${c.bdf} > /sys/bus/pci/drivers/nvme/bind`);
  expectFault(await doctor([]), "warn nvme-driver", new RegExp(`${c.bdf} is bound to no driver`), fix, 0);
  expectFault(await doctor([a.path, c.bdf]), "fail nvme-driver", /bound to no driver/, fix, 3);
  shell(`echo ${c.bdf} > /sys/bus/pci/drivers/nvme/bind`);
});

await check("no device lends memory", async () => {
  shell(`for bdf in ${a.bdf} ${b.bdf}; do echo $bdf > /sys/bus/pci/drivers/nvme/unbind; done`);
  expectFault(
    await doctor([]),
    "fail cmb-present",
    /none of 1 NVMe drives shows a CMB/,
    /a drive with a CMB|one drive/,
    3,
  );
});
