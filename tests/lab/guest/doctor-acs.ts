// SPDX-License-Identifier: MIT
// Redirection turned on, and off again by what doctor prints; and drives that are odd in one way each. Runs in a
// machine of its own: see tests/lab/doctor.test.ts.
import { existsSync } from "node:fs";
import { doctor, expectFault, shell, until } from "./doctor-kit.ts";
import { drive } from "./media.ts";
import { check, expect } from "./report.ts";

const [a, b] = [drive("A"), drive("B")];
const REDIRECT = "000c";
/** The namespace below a multipath head; its serial number is in doctor.test.ts. */
const head = shell("grep -ls MULTIPATH /sys/class/nvme/nvme*/serial | sed 's,/serial,,;s,.*/,,'").trim();

function portAbove(bdf: string): string {
  return shell(`basename $(dirname $(readlink -f /sys/bus/pci/devices/${bdf}))`).trim();
}

const whole = await doctor([]);

await check("a CMB of 1 MiB, which the kernel leaves out in silence", () => {
  expectFault(whole, "warn cmb-aligned", /its size is 1 MiB/, /firmware/, 0);
});

await check("a CMB that submission queues crowd", () => {
  expectFault(whole, "warn cmb-queues", /take 128 KiB of 2 MiB/, /nvme\.use_cmb_sqes=0/, 0);
});

await check("drives with blocks of 512 and of 4096 bytes", async () => {
  expectFault(await doctor([a.path, b.path]), "warn alignment", /512 bytes.*of 4096/, /multiples of 4096/, 0);
});

await check("a namespace behind native multipath", async () => {
  const node = shell(`ls -d /sys/class/nvme/${head}/nvme*c*n1 | sed 's,.*/,,;s/c[0-9]*n/n/'`).trim();
  const diagnosis = await doctor([a.path, `/dev/${node}`]);
  expectFault(diagnosis, "fail multipath", /behind NVMe native multipath/, /nvme_core\.multipath=N/, 3);
});

await check("a drive that does not answer: doctor ends nevertheless", async () => {
  const name = shell("grep -ls SLOW /sys/class/nvme/nvme*/serial | sed 's,/serial,,;s,.*/,,'").trim();
  const path = `/dev/${name}n1`;
  await until("it is there", () => existsSync(path), 60);
  // While the kernel looks for partitions, whoever opens it has to wait: that is no answer that fails to come.
  shell(`blockdev --getsize64 ${path}`);
  const started = performance.now();
  const diagnosis = await doctor(["--probe", "--timeout", "2", path, path]);
  expectFault(
    diagnosis,
    "fail transfer-hangs",
    /no answer in time: nvme\d into its own/,
    /destination's CMB/,
    3,
  );
  expect(performance.now() - started < 30_000, "it took too long");
});

let commands: readonly string[] = [];

await check("redirection is found, with the least that has to change", async () => {
  const ports = [portAbove(a.bdf), portAbove(b.bdf)];
  for (const port of ports) shell(`setpci -s ${port} ECAP_ACS+6.w=${REDIRECT}`);
  const diagnosis = await doctor([a.path, b.path]);
  const listed = new RegExp(`pci=disable_acs_redir=(${ports.join(";")}|${ports.toReversed().join(";")})\n`);
  expectFault(diagnosis, "fail acs-redirect", new RegExp(`ACS on ${ports[0]}`), listed, 3);
  commands = diagnosis.find("acs-redirect").fixes[0]?.commands ?? [];
  expect(commands.filter((command) => command.startsWith("setpci")).length === 2, commands.join("\n"));
});

await check("the kernel agrees when asked", async () => {
  const diagnosis = await doctor(["--probe", a.path, b.path]);
  expectFault(
    diagnosis,
    "fail probe",
    /refused \((EREMOTEIO|EINVAL)\): nvme1 into nvme0's/,
    /acs-redirect/,
    3,
  );
});

await check("half of the fix leaves a verdict that is kept", async () => {
  for (const command of commands.filter((one) => one.startsWith("setpci"))) shell(command);
  const fix = new RegExp(`echo ${a.bdf} > /sys/bus/pci/drivers/nvme/bind`);
  expectFault(await doctor([a.path, b.path]), "fail cached-verdict", /keeps its verdict/, fix, 3);
  expectFault(await doctor(["--probe", a.path, b.path]), "fail cached-verdict", /keeps its verdict/, fix, 3);
});

await check("all of it mends the machine", async () => {
  for (const command of commands.filter((one) => !one.startsWith("setpci"))) shell(command);
  shell("udevadm settle 2> /dev/null || sleep 1");
  const { exitCode, complaints } = await doctor(["--probe", drive("A").path, drive("B").path]);
  // The third device's memory was tried, and refused, while redirection was on: its verdict is kept, too.
  const others = complaints.filter((one) => !/^warn (alignment|cmb-\w+|probe)$/.test(one));
  expect(exitCode === 0 && others.length === 0, `exit ${exitCode}: ${complaints.join(", ")}`);
});
