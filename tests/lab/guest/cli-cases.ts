// SPDX-License-Identifier: MIT
// The command line as a script meets it: exit codes, messages, untouched targets. Runs inside the `switch` lab.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyInProcess, type Ended } from "./in-process.ts";
import { type Drive, drive, randomContent, readMedium, sha256, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const cli = join(dirname(fileURLToPath(import.meta.url)), "p2pdma.js");
const [a, b, c] = [drive("A"), drive("B"), drive("C")];

/** What only a process of its own shows; each takes seconds to start here. */
async function p2pdma(...args: string[]): Promise<Ended> {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: "utf8" });
  return { status: status ?? -1, stdout, stderr };
}

/** The command must end with this code and message, print no result, and leave the drive as it was. */
async function refusalBy(
  copy: (...args: string[]) => Promise<Ended>,
  name: string,
  target: Drive,
  code: number,
  message: RegExp,
  ...args: string[]
): Promise<void> {
  await check(name, async () => {
    const before = sha256(readMedium(target.path, 0n, MIB));
    const { status, stdout, stderr } = await copy(...args);
    expect(status === code, `exit ${status}: ${stderr}`);
    expect(message.test(stderr), `stderr: ${stderr}`);
    expect(!/\bat .*:\d+:\d+/.test(stderr), `a stack trace: ${stderr}`);
    expect(stdout === "", `stdout: ${stdout}`);
    expect(sha256(readMedium(target.path, 0n, MIB)) === before, "the target has changed");
  });
}

type Refusal = [name: string, target: Drive, code: number, message: RegExp, ...args: string[]];
const refusal = (...one: Refusal) => refusalBy(copyInProcess, ...one);
/** By commander, or by a process as scripts start it. */
const refusalOfProcess = (...one: Refusal) => refusalBy((...args) => p2pdma("copy", ...args), ...one);

for (const { path } of [a, b, c]) writeMedium(path, 0n, randomContent(MIB));

await check("copy --json prints one receipt on stdout", async () => {
  const { status, stdout, stderr } = await p2pdma(
    "copy",
    "--json",
    "--length",
    "1M",
    `--allow-write=${b.path}`,
    a.path,
    b.path,
  );
  expect(status === 0, `exit ${status}: ${stderr}`);
  const receipt = JSON.parse(stdout);
  expect(receipt.schema === "p2pdma.copy/1" && receipt.bytes.peerToPeer === String(MIB), stdout);
  expect(stderr === "", `stderr: ${stderr}`);
});

await check("copy --quiet prints nothing", async () => {
  const { status, stdout, stderr } = await p2pdma(
    "copy",
    "-q",
    "--length",
    "1M",
    "--allow-write",
    a.path,
    b.path,
  );
  expect(status === 0 && stdout === "" && stderr === "", `exit ${status}: ${stdout}${stderr}`);
});

await check("list --json names drives and providers", async () => {
  const { status, stdout } = await p2pdma("list", "--json");
  const { controllers, providers } = JSON.parse(stdout);
  expect(status === 0 && controllers.length === 3 && providers.length === 2, stdout);
  const ways = providers[0].allocators.map(
    (way: { kind: string; status: string }) => `${way.kind} ${way.status}`,
  );
  expect(String(ways) === "sysfs works,chardev works", String(ways));
});

const yes = "--allow-write";
await refusalOfProcess("no permission", b, 7, /not permitted[\s\S]*--allow-write=/, a.path, b.path);
await refusal("permission for another device", b, 7, /not permitted/, `${yes}=${c.path}`, a.path, b.path);
await refusal("overlapping ranges", a, 2, /overlap/, yes, "--length=1M", "--seek=4k", a.path, a.path);
await refusal(
  "destination too small",
  b,
  1,
  /holds \d+ bytes/,
  yes,
  "--seek=8G",
  "--length=512",
  a.path,
  b.path,
);
await refusal("length past the source", b, 2, /ends at/, yes, "--length=9G", a.path, b.path);
await refusal(
  "provider without p2pmem",
  b,
  3,
  /offers no p2pmem/,
  "--via=p2p",
  `--provider=${c.bdf}`,
  yes,
  a.path,
  b.path,
);
await refusal(
  "too little p2pmem",
  b,
  3,
  /asked 64 MiB/,
  "--via=p2p",
  "--provider=nvme1",
  "--depth=512",
  yes,
  a.path,
  b.path,
);
await refusal("a size that is none", b, 2, /--chunk: "lots"/, yes, "--chunk=lots", a.path, b.path);
await refusal("a chunk of no whole pages", b, 2, /multiple of 4096/, yes, "--chunk=1000", a.path, b.path);
await refusalOfProcess("an unknown option", b, 2, /unknown option/, yes, "--fast", a.path, b.path);
await refusalOfProcess("no destination", b, 2, /missing required argument/, a.path);
await refusal("a controller as source", b, 2, /character device[\s\S]*nvme0n1/, yes, "/dev/nvme0", b.path);
await refusal("a source that is not there", b, 1, /no such file/, yes, "/dev/nvme9n1", b.path);
await refusal("a destination device that is not there", a, 1, /no such device/, yes, a.path, "/dev/nvme9n1");

await check("a mounted file system", () => {
  execFileSync("mkfs.ext4", ["-q", "-F", c.path, "64M"]);
  mkdirSync("/mnt/c", { recursive: true });
  execFileSync("mount", ["-t", "ext4", c.path, "/mnt/c"]);
});
await refusal("a mounted target", a, 7, /is mounted on \/mnt\/c/, yes, a.path, c.path);

await check("a read error ends with its place and an incomplete destination named", async () => {
  writeFileSync("/mnt/c/short", randomContent(MIB));
  const { status, stderr } = await copyInProcess("--length=2M", yes, "/mnt/c/short", b.path);
  expect(status === 2 && /ends at 1048576/.test(stderr), `exit ${status}: ${stderr}`);
});
execFileSync("umount", ["/mnt/c"]);
