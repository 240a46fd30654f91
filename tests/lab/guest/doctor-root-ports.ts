// SPDX-License-Identifier: MIT
// A host bridge that no kernel lists: what doctor says of it here, from a capture, and when it tries. Runs inside
// the `root-ports` lab.
import { writeFileSync } from "node:fs";
import { cli, doctor, expectFault, shell, until } from "./doctor-kit.ts";
import { drive } from "./media.ts";
import { check, expect } from "./report.ts";

const [a, b] = [drive("A"), drive("B")];
const what = /nvme0 with nvme1.*: no PCI bridge is above both.*does not list pci0000:00/;
const whole = await doctor(["--probe"]);

await check("an unlisted host bridge, of the machine and of a pair", async () => {
  expectFault(whole, "fail host-bridge", what, /below one PCI Express switch/, 3);
  expectFault(await doctor([a.path, b.path]), "fail host-bridge", what, /below one PCI Express switch/, 3);
});

await check("a virtual machine is told how to get a switch", () => {
  expectFault(whole, "warn virtual-machine", /QEMU/, /x3130-upstream/, 3);
});

await check("the kernel agrees when asked", () => {
  expectFault(whole, "fail probe", /refused \((EREMOTEIO|EINVAL)\)/, /host-bridge/, 3);
});

await check("a drive reaches its own memory", async () => {
  const { exitCode, complaints } = await doctor(["--probe", a.path, a.path]);
  expect(exitCode === 0, `exit ${exitCode}: ${complaints.join(", ")}`);
});

await check("a capture tells the same", async () => {
  writeFileSync("/run/doctor.json", shell(`${process.execPath} ${cli} capture`));
  expectFault(
    await doctor(["--from", "/run/doctor.json", "nvme0", "nvme1n1"]),
    "fail host-bridge",
    what,
    /switch/,
    3,
  );
});

await check("a namespace over NVMe-oF", async () => {
  shell(`cd /sys/kernel/config/nvmet 2> /dev/null || { mount -t configfs none /sys/kernel/config; cd /sys/kernel/config/nvmet; }
    mkdir subsystems/doctor && echo 1 > subsystems/doctor/attr_allow_any_host
    mkdir subsystems/doctor/namespaces/1 && echo ${b.path} > subsystems/doctor/namespaces/1/device_path
    echo 1 > subsystems/doctor/namespaces/1/enable
    mkdir ports/1 && echo loop > ports/1/addr_trtype
    ln -s /sys/kernel/config/nvmet/subsystems/doctor ports/1/subsystems/doctor
    nvme connect -t loop -n doctor --hostnqn nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555`);
  const find = () => shell("ls -d /sys/devices/virtual/nvme-subsystem/*/nvme*n1 2> /dev/null || true").trim();
  await until("the namespace is there", () => find() !== "");
  const node = find().replace(/^.*\//, "");
  expectFault(await doctor([`/dev/${node}`, a.path]), "fail stacking", /over a network/, /NVMe namespace/, 3);
});
