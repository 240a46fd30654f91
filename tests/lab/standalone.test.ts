// SPDX-License-Identifier: MIT
// The standalone program and nothing else of ours: it starts the lab, and copies in it from a Debian without Node.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { labKernel } from "../../lab/kernel.ts";
import { bareDebian, standaloneProgram } from "../standalone-program.ts";
import { tempFolder } from "../unit/temp.ts";

const LENGTH = 4 << 20;
const folder = tempFolder("standalone-lab");
const debian = bareDebian();
const home = debian && mkdtempSync(join(debian, "root", "standalone-"));
process.on("exit", () => home && rmSync(home, { recursive: true, force: true }));

/** Nothing that is called node is on the path, and nothing that a package of ours unpacked. */
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", XDG_CACHE_HOME: join(folder, "cache"), HOME: folder };
mkdirSync(env.XDG_CACHE_HOME, { mode: 0o700 });
const program = join(folder, "p2pdma");
copyFileSync(standaloneProgram(), program);

const [source, target, shared] = ["A.img", "B.img", "shared"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
writeFileSync(source, randomBytes(LENGTH));
writeFileSync(target, "");
for (const image of [source, target]) truncateSync(image, 16 << 20);
mkdirSync(shared);

function inLab(script: string) {
  const options = ["--disk", source, "--disk", target, "--share", shared, "--kernel", kernel];
  return spawnSync(program, ["lab", "run", ...options, "--", "sh", "-ec", script], {
    ...{ env, encoding: "utf8", timeout: 120_000 },
  });
}

const kernel = await labKernel();
const bare = home ? test : test.skip;

bare("a peer-to-peer copy from a Debian without Node, verified by the drive", () => {
  if (!debian || !home) return;
  const inside = home.slice(debian.length);
  copyFileSync(program, join(home, "p2pdma"));
  const { status, stdout, stderr } = inLab(`
    for each in dev proc sys; do mount --rbind /$each ${debian}/$each; done
    bare() { chroot ${debian} env -i HOME=/tmp "$@"; }
    ! bare sh -c 'command -v node' >&2
    bare ${inside}/p2pdma list >&2
    bare ${inside}/p2pdma doctor --probe /dev/lab/A /dev/lab/B >&2
    chroot ${debian} env -i HOME=/tmp ${inside}/p2pdma copy --via p2p --length ${LENGTH} --rate 1M --verify --json \\
      --allow-write=/dev/lab/B /dev/lab/A /dev/lab/B >${shared}/receipt.json &
    copy=$!
    for try in $(seq 100); do grep -q p2pmem/allocate /proc/$copy/maps && break; sleep 0.1; done
    grep -o '/.*' /proc/$copy/maps | sort -u >${shared}/maps
    wait $copy

    readlink -f "$(command -v p2pdma)"
    mount -t tmpfs -o noexec tmpfs /dev/shm
    cp /etc/passwd source; p2pdma copy --quiet --no-journal source target; cmp source target`);
  assert.is(status, 0, stderr);
  // What the guest finds as p2pdma is the same file, which loads its parts from elsewhere where /dev/shm forbids it.
  assert.is(stdout, `${program}\n`);
  assert.match(stderr, /Peer-to-peer works between these two, as tried/);
  const receipt = JSON.parse(readFileSync(join(shared, "receipt.json"), "utf8"));
  assert.is(receipt.bytes.peerToPeer, String(LENGTH));
  assert.is(receipt.bytes.throughRam, "0");
  assert.is(receipt.verification.method, "NVMe Compare");
  assert.is(receipt.verification.equal, true);
  assert.ok(readFileSync(target).subarray(0, LENGTH).equals(readFileSync(source).subarray(0, LENGTH)));

  const maps = readFileSync(join(shared, "maps"), "utf8").trim().split("\n");
  const own = maps.filter((path) => path.includes("(deleted)"));
  assert.is(own.length, 3, maps.join("\n"));
  for (const path of maps.filter((path) => !own.includes(path))) {
    assert.match(
      path,
      /\/p2pdma$|\/lib\/x86_64-linux-gnu\/lib[\w+.-]+$|\/ld-linux-x86-64\.so\.2$|\/sys\/.*p2pmem\/allocate$/,
    );
  }
});

test.run();
