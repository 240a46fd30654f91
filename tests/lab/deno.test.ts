// SPDX-License-Identifier: MIT
// The sources in Deno, on both sides: it starts the lab, and copies peer-to-peer in it.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { labKernel } from "../../lab/kernel.ts";
import { packageRoot } from "../../lab/package-root.ts";
import { tool } from "../../scripts/tools.ts";
import { tempFolder } from "../unit/temp.ts";

const LENGTH = 2 << 20;
/** The sync engine has no NVMe commands. */
const VERIFIED_BY = { uring: "NVMe Compare", sync: "sha256" } as const;
const engines = Object.keys(VERIFIED_BY) as (keyof typeof VERIFIED_BY)[];

const folder = tempFolder("deno-lab");
const [source, target, shared] = [
  join(folder, "A.img"),
  join(folder, "B.img"),
  join(folder, "shared"),
] as const;
writeFileSync(source, randomBytes(2 * LENGTH));
writeFileSync(target, "");
for (const image of [source, target]) truncateSync(image, 16 << 20);
mkdirSync(shared);

const p2pdma = `${tool("deno")} task --quiet start`;
const copies = engines.map((engine, index) => {
  const range = `--offset ${index * LENGTH} --seek ${index * LENGTH} --length ${LENGTH}`;
  const options = `--via p2p --engine ${engine} --verify --json --allow-write=/dev/lab/B ${range}`;
  return `${p2pdma} copy ${options} /dev/lab/A /dev/lab/B >${shared}/${engine}.json`;
});
const options = `--disk ${source} --disk ${target} --share ${shared} --kernel ${await labKernel()}`;
const { status, stderr } = spawnSync(
  "sh",
  ["-c", `exec ${p2pdma} lab run ${options} -- sh -ec '${copies.join("\n")}'`],
  {
    cwd: packageRoot(),
    env: { ...process.env, DENO_DIR: join(shared, "deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    encoding: "utf8",
    timeout: 240_000,
  },
);

test("Deno starts the lab, and its commands end well", () => {
  assert.is(status, 0, stderr);
});

for (const [index, engine] of engines.entries()) {
  test(`Deno copies peer-to-peer, engine ${engine}`, () => {
    const { bytes, staging, verification } = JSON.parse(readFileSync(join(shared, `${engine}.json`), "utf8"));
    assert.equal([bytes.peerToPeer, bytes.throughRam], [String(LENGTH), "0"]);
    assert.match(staging.residency, /^all 512 pages inside BAR 2/);
    assert.equal([verification.method, verification.equal], [VERIFIED_BY[engine], true]);
    const part = (path: string) => readFileSync(path).subarray(index * LENGTH, (index + 1) * LENGTH);
    assert.ok(part(target).equals(part(source)));
  });
}

test.run();
