// SPDX-License-Identifier: MIT
// What p2pdma can do with how little: an ordinary user with given files and capabilities, and a place like a
// container. The tables of docs/security.md and docs/container.md say what is checked here.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../lab/package-root.ts";
import { drive, randomContent, readMedium, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const NOBODY = 65534;
const LENGTH = 256 * 1024;
const [a, b] = [drive("A"), drive("B")];
const scratch = process.env.P2PDMA_SCRATCH ?? "/run/p2pdma";
const shell = (script: string) => execFileSync("bash", ["-ec", script], { encoding: "utf8" });

/** The program where everybody may reach it, wherever it lies. */
function publish(): { node: string; program: string } {
  const place = join(scratch, "public");
  mkdirSync(join(place, "package"), { recursive: true, mode: 0o755 });
  writeFileSync(join(place, "node"), "");
  shell(`chmod 755 ${scratch} ${place} && mount --bind '${packageRoot()}' ${place}/package`);
  shell(`mount --bind '${realpathSync(process.execPath)}' ${place}/node`);
  return { node: join(place, "node"), program: join(place, "package", "dist", "p2pdma.js") };
}
const { node, program } = publish();

interface Run {
  /** Capabilities as setpriv(1) has them: `sys_admin`. Everything else is dropped for good. */
  readonly capabilities?: readonly string[];
  /** Runs before, as root, in a mount namespace of its own. */
  readonly inside?: string;
  readonly asRoot?: boolean;
}

interface Outcome {
  readonly status: number | null;
  readonly text: string;
  readonly receipt: Receipt;
}

interface Receipt {
  readonly staging: { readonly residency: string };
  readonly bytes: { readonly peerToPeer: string };
  readonly engine: string;
  readonly verification: { readonly method: string; readonly throughRamBytes: string } | null;
}

function run({ capabilities = [], inside, asRoot = false }: Run, ...args: string[]): Outcome {
  const only = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  const user = asRoot ? [] : ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"];
  const least = [...user, "--bounding-set", only, "--inh-caps", only, "--ambient-caps", only];
  const command = ["setpriv", ...least, "--no-new-privs", node, program, ...args];
  const words = inside
    ? ["unshare", "--mount", "bash", "-ec", `${inside}\nexec "$@"`, "inside", ...command]
    : command;
  const [file = "", ...rest] = words;
  const { status, stdout, stderr } = spawnSync(file, rest, { encoding: "utf8", env: { HOME: "/nowhere" } });
  const receipt = (stdout.startsWith("{") ? JSON.parse(stdout) : {}) as Receipt;
  return { status, text: `${stdout}${stderr}`, receipt };
}

const COPY = ["copy", "--json", "--no-journal", "--sparse=never", `--length=${LENGTH}`];
const ends = [`--allow-write=${b.path}`, a.path, b.path];
const copy = (how: Run, ...options: string[]) => run(how, ...COPY, ...options, ...ends);

/** Gives files to the group of nobody, as a udev rule would to the group disk. */
function give(...paths: string[]): void {
  for (const path of paths) {
    chownSync(path, 0, NOBODY);
    chmodSync(path, 0o660);
  }
}

function take(path: string): void {
  chownSync(path, 0, 0);
}

const generic = (path: string) => path.replace("/nvme", "/ng");
const allocateOf = (bdf: string) => `/sys/bus/pci/devices/${bdf}/p2pmem/allocate`;

/** It copied, peer-to-peer, and the medium shows it. */
async function copies(name: string, how: Run, options: readonly string[], look: (receipt: Receipt) => void) {
  await check(name, () => {
    const content = randomContent(LENGTH);
    writeMedium(a.path, 0n, content);
    writeMedium(b.path, 0n, Buffer.alloc(LENGTH));
    const { status, text, receipt } = copy(how, "--via", "p2p", ...options);
    expect(status === 0, `exit ${status}: ${text}`);
    expect(receipt.bytes.peerToPeer === String(LENGTH), text);
    expect(readMedium(b.path, 0n, LENGTH).equals(content), "the destination holds something else");
    look(receipt);
  });
}

async function refuses(name: string, code: number, words: RegExp, action: () => Outcome): Promise<void> {
  await check(name, () => {
    const before = readMedium(b.path, 0n, LENGTH);
    const { status, text } = action();
    expect(status === code, `exit ${status}: ${text}`);
    expect(words.test(text) && !/\n {4}at /.test(text), `no ${words} in: ${text}`);
    expect(readMedium(b.path, 0n, LENGTH).equals(before), "the destination has changed");
  });
}

// An ordinary user.

await refuses(
  "an ordinary user without any file is told what can't be read",
  7,
  /can't be read: EACCES/,
  () => copy({}, "--via", "p2p"),
);

give(a.path, b.path);
await refuses(
  "without p2pmem/allocate there is no peer-to-peer",
  3,
  /permission denied[\s\S]*udev rule/,
  () => copy({}, "--via", "p2p"),
);

give(allocateOf(b.bdf));
await copies(
  "two block devices and p2pmem/allocate are all a copy needs: no capability, verified through RAM",
  {},
  ["--verify"],
  ({ staging, verification }) => {
    expect(staging.residency === "not checked: needs CAP_SYS_ADMIN", staging.residency);
    expect(verification?.method !== "NVMe Compare", `verified by ${verification?.method}`);
    expect(verification?.throughRamBytes === String(2 * LENGTH), `${verification?.throughRamBytes} bytes`);
  },
);

give(generic(b.path));
await copies(
  "with the destination's generic character device its drive compares, still without a capability",
  {},
  ["--verify"],
  ({ verification }) => {
    expect(verification?.method === "NVMe Compare", `verified by ${verification?.method}`);
    expect(verification?.throughRamBytes === "0", `${verification?.throughRamBytes} bytes through RAM`);
  },
);

await copies("CAP_SYS_ADMIN proves where the buffer was", { capabilities: ["sys_admin"] }, [], (receipt) =>
  expect(/inside/.test(receipt.staging.residency), receipt.staging.residency),
);

await refuses("realtime I/O priority needs CAP_SYS_NICE", 1, /EPERM/, () =>
  copy({}, "--via", "p2p", "--nice", "realtime:4"),
);
await copies("and is had with it", { capabilities: ["sys_nice"] }, ["--nice", "realtime:4"], () => {});

await check("config space beyond 64 bytes needs CAP_SYS_ADMIN: until then ACS is unknown, not absent", () => {
  const [blind, seeing] = [[], ["sys_admin"]].map((capabilities) =>
    run({ capabilities }, "topo", a.path, b.path),
  );
  expect(/UNKNOWN[\s\S]*run this as root/.test(blind?.text ?? ""), `blind: ${blind?.text}`);
  expect(/YES/.test(seeing?.text ?? "") && seeing?.status === 0, `seeing: ${seeing?.text}`);
});

writeFileSync("/proc/sys/kernel/io_uring_disabled", "1");
await refuses(
  "io_uring that is forbidden to this user is named, with the way around",
  1,
  /--engine sync/,
  () => copy({}, "--via", "p2p"),
);
await copies("and the sync engine copies without it", {}, ["--engine", "sync"], ({ engine }) =>
  expect(engine === "sync", engine),
);
writeFileSync("/proc/sys/kernel/io_uring_disabled", "0");

// As the systemd unit of packaging/ has it: sysfs read-only but for /sys/devices, where modes decide.

await copies(
  "an ordinary user borrows p2pmem where only /sys/devices is writable",
  {
    inside: `mkdir -p ${scratch}/devices && mount --bind /sys/devices ${scratch}/devices
mount --bind /sys /sys && mount -o remount,bind,ro /sys
mount --bind ${scratch}/devices /sys/devices`,
  },
  [],
  () => {},
);

// A place like a container: its own mounts, sysfs read-only, a /dev of a few nodes, root without capabilities.

take(allocateOf(b.bdf));
const nodes = [a.path, b.path, generic(b.path)];
const CONTAINER = `
mount --make-rprivate /
mkdir -p ${scratch}/dev && mount -t tmpfs -o mode=755 dev ${scratch}/dev
for node in null ${nodes.map((path) => path.slice("/dev/".length)).join(" ")}; do
  cp -a /dev/$node ${scratch}/dev/ && chown 0:0 ${scratch}/dev/$node
done
mount --bind ${scratch}/dev /dev
touch ${scratch}/allocate && mount --bind "$(realpath ${allocateOf(b.bdf)})" ${scratch}/allocate
mount --bind /sys /sys && mount -o remount,bind,ro,nosuid,nodev,noexec /sys`;
const WITH_ALLOCATE = `${CONTAINER}
mount --bind ${scratch}/allocate "$(realpath ${allocateOf(b.bdf)})"`;

await refuses("a container's read-only sysfs lends no p2pmem", 3, /EROFS/, () =>
  copy({ asRoot: true, inside: CONTAINER }, "--via", "p2p"),
);
await copies(
  "one bind mount of p2pmem/allocate lends it, to root without any capability",
  { asRoot: true, inside: WITH_ALLOCATE },
  ["--verify"],
  ({ verification }) => expect(verification?.method === "NVMe Compare", `${verification?.method}`),
);

shell(
  `mkfs.ext4 -q -b 1024 ${b.path} 8M && mkdir -p ${scratch}/mounted && mount ${b.path} ${scratch}/mounted`,
);
await refuses(
  "what is mounted outside is not seen inside, and refused by the kernel all the same",
  7,
  /out of sight/,
  () =>
    copy(
      { asRoot: true, inside: `${WITH_ALLOCATE}\numount ${scratch}/mounted` },
      ...["--via", "p2p", "--overwrite=filesystem"],
    ),
);
