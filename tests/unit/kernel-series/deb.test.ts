// SPDX-License-Identifier: MIT
// What `kernel build --deb` does around the kernel's own packaging, with a source that is quick to build.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildPackages, lostKeys, lostOptions } from "../../../kernel-series/deb.ts";
import type { KernelBuildError } from "../../../kernel-series/errors.ts";
import { seriesFolder } from "../../../kernel-series/folders.ts";
import { requirePackagingTools } from "../../../kernel-series/requirements.ts";
import { tempFolder } from "../temp.ts";
import { until } from "./series.ts";

const scratch = tempFolder("deb");
const tools = ["dpkg-buildpackage", "dh_listpackages", "rsync", "kmod", "cpio", "python3", "openssl"];
const bin = join(scratch, "bin");
for (const name of tools) program(join(bin, name), "true");
for (const name of ["flex", "bison", "bc"]) if (!onPath(name)) program(join(bin, name), "true");
for (const name of ["gelf.h", "openssl/bio.h"]) write(join(scratch, "include", name), "");

/** Merges by putting one after the other, and packs what it was told to be. */
const SOURCE: Record<string, string> = {
  Makefile: [
    "olddefconfig:",
    "\t@grep -v LOST .config > new && mv new .config",
    "bindeb-pkg:",
    "\t@echo '  CC      first.o'",
    "\t@test -e ../ready || { touch ../waits; sleep 60; }",
    "\t@touch ../linux-image-1.deb ../linux-libc-dev_1.deb .version",
    "",
  ].join("\n"),
  "scripts/kconfig/merge_config.sh": 'cat "$2" "$3" > .config',
  "scripts/config": 'echo "$*" >> arguments',
};

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function program(path: string, text: string): void {
  write(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

function onPath(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** Runs `body` with these variables in the environment. */
async function withEnvironment<T>(changes: Record<string, string>, body: () => T | Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, changes);
  try {
    return await body();
  } finally {
    process.env = before;
  }
}

/** A folder with the source, the series and a cache. */
function prepare(name: string): string {
  const folder = join(scratch, name);
  for (const [path, text] of Object.entries(SOURCE)) {
    if (path.startsWith("scripts")) program(join(folder, "linux", path), text);
    else write(join(folder, "linux", path), text);
  }
  spawnSync("tar", ["-cJf", "linux.tar.xz", "linux"], { cwd: folder });
  for (const path of ["series/patches", "cache"]) mkdirSync(join(folder, path), { recursive: true });
  const minimal = readFileSync(join(seriesFolder(), "config/minimal.config"), "utf8");
  write(join(folder, "series/config/minimal.config"), minimal);
  write(join(folder, "series/config/lab.config"), "");
  return folder;
}

function build(folder: string): { packages: Promise<string[]>; said: () => string } {
  const output = new PassThrough();
  let said = "";
  output.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const environment = {
    PATH: `${bin}:${process.env.PATH}`,
    CPATH: join(scratch, "include"),
    P2PDMA_KERNEL_SOURCE: join(folder, "linux.tar.xz"),
  };
  const options = { series: join(folder, "series"), cache: join(folder, "cache"), output };
  const config = 'CONFIG_LOST=y\nCONFIG_SYSTEM_TRUSTED_KEYS="certs/own.pem"\n';
  const packages = withEnvironment(environment, () =>
    buildPackages({ ...options, config, folder: join(folder, "out") }),
  );
  return { packages, said: () => said };
}

function workFolder(builds: string): string {
  const [name] = existsSync(builds) ? readdirSync(builds).filter((name) => !name.endsWith(".lock")) : [];
  return join(builds, name ?? "none");
}

test("buildPackages() takes up what was interrupted, and leaves nothing but the packages", async () => {
  const folder = prepare("interrupted");
  const builds = join(folder, "cache/build");
  const first = build(folder);
  await until(() => existsSync(join(workFolder(builds), "waits")));
  const tree = join(workFolder(builds), "source");
  writeFileSync(join(tree, "kept"), "");
  process.kill(process.pid, "SIGINT");
  const error = await first.packages.then(
    () => undefined,
    (error: KernelBuildError) => error,
  );
  assert.equal([error?.exitCode, error?.hint], [130, "building again goes on from there"]);
  assert.ok(existsSync(join(tree, "kept")));

  writeFileSync(join(workFolder(builds), "ready"), "");
  const out = join(folder, "out");
  assert.equal(await build(folder).packages, [join(out, "linux-image-1.deb")]);
  assert.equal(readdirSync(out).sort(), ["build.log", "linux-image-1.deb"]);
  assert.is(existsSync(workFolder(builds)), false);
  const log = readFileSync(join(out, "build.log"), "utf8");
  assert.is(log.match(/^\$ tar /gm)?.length, 1);
  assert.match(
    log,
    /scripts\/config -m PCI_P2PMEM_BAR --set-str LOCALVERSION -p2pdma --set-str SYSTEM_TRUSTED_KEYS/,
  );
  assert.match(first.said(), /cannot have CONFIG_LOST, which the configuration has on/);
});

test("requirePackagingTools() names all that is missing, and the packages, before anything is built", async () => {
  const few = join(scratch, "few");
  mkdirSync(few);
  for (const name of ["gcc", "make", "xz", "tar", "patch", "ld", "flock", "as"]) {
    const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    symlinkSync(stdout.trim(), join(few, name));
  }
  const source = join(scratch, "source.tar.xz");
  write(source, "");
  const environment = { PATH: few, CPATH: join(scratch, "include"), P2PDMA_KERNEL_SOURCE: source };
  await withEnvironment(environment, () => {
    assert.throws(
      () => requirePackagingTools(join(scratch, "cache")),
      (error: KernelBuildError) =>
        /without flex, bison, bc, rsync, kmod, cpio, python3, openssl, dpkg-buildpackage, dh_listpackages$/.test(
          error.message,
        ) &&
        error.hint === "apt-get install flex bison bc rsync kmod cpio python3 openssl dpkg-dev debhelper",
    );
  });
});

test("lostKeys() drops certificates that the source does not have, and keeps those that it has", () => {
  write(join(scratch, "tree/certs/own.pem"), "");
  const values = (file: string) => new Map([["CONFIG_SYSTEM_TRUSTED_KEYS", `"${file}"`]]);
  assert.equal(lostKeys(values("debian/canonical-certs.pem"), join(scratch, "tree")), [
    ...["--set-str", "SYSTEM_TRUSTED_KEYS", ""],
  ]);
  assert.equal(lostKeys(values("certs/own.pem"), join(scratch, "tree")), []);
  assert.equal(lostKeys(values(""), join(scratch, "tree")), []);
  assert.equal(lostKeys(new Map(), join(scratch, "tree")), []);
});

test("lostOptions() are those that were on and are off", () => {
  const given = new Map(Object.entries({ A: "y", B: "m", C: "y", D: "n", E: '"text"', F: "m" }));
  const values = new Map(Object.entries({ A: "y", B: "y", C: "n", D: "y" }));
  assert.equal(lostOptions(given, values), ["C", "F"]);
});

test.run();
