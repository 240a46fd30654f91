// SPDX-License-Identifier: MIT
// The standalone program, copied alone into a Debian 12 that has no Node, and against those who would subvert it.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import manifest from "../../package.json" with { type: "json" };
import { bareDebian, standaloneProgram } from "../standalone-program.ts";
import { tempFolder } from "../unit/temp.ts";

const folder = tempFolder("standalone");
const cache = join(folder, "cache");
mkdirSync(cache, { mode: 0o700 });
const program = join(folder, "p2pdma");
copyFileSync(standaloneProgram(), program);
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const debian = bareDebian() ?? "";
if (!isRoot) console.log("# skip: mounts and other users: only root can make them");

interface Options {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const CLEAN = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/nonexistent", XDG_CACHE_HOME: cache };

function run(command: readonly string[], { env = CLEAN, cwd = folder }: Options = {}) {
  const [file = "", ...args] = command;
  const limits = { timeout: 60_000, maxBuffer: 64 << 20 };
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: "utf8", env, cwd, ...limits });
  return { status, stdout, stderr: error?.message ?? stderr };
}

function succeed(command: readonly string[], options?: Options): string {
  const { status, stdout, stderr } = run(command, options);
  assert.is(status, 0, stderr);
  return stdout;
}

// In a bare Debian.

/** Where the bare root is; the program is the one file added to it. */
const home = debian && mkdtempSync(join(debian, "root", "standalone-"));
const inside = home.slice(debian.length);
if (home) copyFileSync(program, join(home, "p2pdma"));
process.on("exit", () => home && rmSync(home, { recursive: true, force: true }));

const bare = home ? test : test.skip;
const chroot = (...args: string[]) => [
  ...["chroot", debian, "env", "-i", `HOME=${inside}`, `${inside}/p2pdma`],
  ...args,
];

/** The same with the kernel's files, as every system has them. */
const chrootMounted = (...args: string[]) => [
  ...["unshare", "--mount", "sh", "-ec"],
  `for each in proc sys dev; do mount --rbind /$each ${debian}/$each; done; exec "$@"`,
  ...["sh", ...chroot(...args)],
];

bare("a Debian 12 without Node: version, drives, machines of the lab", () => {
  assert.is(run(["chroot", debian, "sh", "-c", "command -v node nodejs"]).status, 127);
  assert.is(succeed(chroot("--version")), `${manifest.version}\n`);
  assert.match(succeed(chroot("list")), /No NVMe controller and no p2pmem/);
  assert.match(succeed(chroot("lab", "list")), /^switch /);
  assert.match(succeed(chroot("--help")), /Exit codes:/);
});

bare("a Debian 12 without Node: the data are there, byte by byte", () => {
  const expected = readFileSync(
    join(import.meta.dirname, "../../kernel-series/config/minimal.config"),
    "utf8",
  );
  assert.is(succeed(chroot("kernel", "config")), expected);
  succeed(chroot("kernel", "patch", "--export", `${inside}/series.mbox`));
  const here = join(folder, "series.mbox");
  const node = [process.execPath, join(import.meta.dirname, "../../dist/p2pdma.js")];
  succeed([...node, "kernel", "patch", "--export", here], { env: process.env });
  assert.ok(readFileSync(join(home, "series.mbox")).equals(readFileSync(here)));
});

bare("a Debian 12 without Node: files are copied and verified, by itself and by its child processes", () => {
  const data = randomBytes((1 << 20) + 77);
  writeFileSync(join(home, "source"), data);
  const receipt = succeed(
    chrootMounted("copy", "--verify", "--no-journal", `${inside}/source`, `${inside}/target`),
  );
  assert.match(receipt, /verified +equal/);
  assert.ok(readFileSync(join(home, "target")).equals(data));

  const pairs = [1, 2].map(
    (at) => `{ name: p${at}, from: ${inside}/source, to: ${inside}/copy${at}, via: ram }`,
  );
  writeFileSync(join(home, "plan.yaml"), `version: 1\npairs: [${pairs}]\n`);
  succeed(chrootMounted("migrate", "--allow-write", `${inside}/plan.yaml`));
  for (const at of [1, 2]) assert.ok(readFileSync(join(home, `copy${at}`)).equals(data));
});

bare("a Debian 12 without Node: what it loads is the system's, or its own and without a name", () => {
  const log = join(folder, "strace");
  const trace = [
    "strace",
    "-f",
    "-qq",
    "-e",
    "trace=open,openat,openat2,execve,execveat",
    "-e",
    "signal=none",
    "-o",
    log,
  ];
  const options = ["copy", "--verify", "--quiet", "--no-journal", `${inside}/source`, `${inside}/traced`];
  succeed([...trace, ...chrootMounted(...options)]);
  const lines = readFileSync(log, "utf8").split("\n");
  const from = lines.findIndex((line) => line.includes(`execve("${inside}/p2pdma"`));
  assert.ok(from > 0);
  const ours = lines.slice(from + 1).filter((line) => !/ = -1 E/.test(line));
  assert.equal(
    ours.filter((line) => line.includes("execve")),
    [],
  );
  const paths = ours.map((line) => /"([^"]*)"/.exec(line)?.[1] ?? "").filter(Boolean);
  const libraries = paths.filter((path) => /\.(so|node)\b|node/.test(path) && !/^\/(sys|proc)\//.test(path));
  assert.ok(libraries.length > 5);
  for (const path of libraries) {
    assert.match(path, /^\/(usr\/)?lib\/x86_64-linux-gnu\/[\w+.-]+\.so[\d.]*$|^\/etc\/ld\.so\.cache$/);
  }
  assert.is(ours.filter((line) => line.includes("O_TMPFILE")).length, 3);
  const created = ours.filter((line) => /O_CREAT/.test(line)).map((line) => /"([^"]*)"/.exec(line)?.[1]);
  assert.equal(created, [`${inside}/traced`]);
});

// Whatever the environment says.

test("what Debian 12 and later have is all it needs", () => {
  const build = join(import.meta.dirname, "../../build/standalone");
  const files = [program, ...readdirSync(join(build, "native")).map((name) => join(build, "native", name))];
  const symbols = succeed(["objdump", "-T", ...files], { env: process.env });
  const highest = (name: string) =>
    Math.max(
      ...[...symbols.matchAll(new RegExp(`\\b${name}_([0-9.]+)`, "g"))].map(([, version = ""]) => {
        const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
        return (major * 1000 + minor) * 1000 + patch;
      }),
    );
  assert.ok(highest("GLIBC") <= 2_036_000);
  assert.ok(highest("GLIBCXX") <= 3_004_030);
  const needed = succeed(["objdump", "-p", ...files], { env: process.env }).matchAll(/NEEDED +(\S+)/g);
  assert.equal([...new Set([...needed].map(([, name]) => name))].sort(), [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libstdc++.so.6",
  ]);
});

test("Node's own options do not reach it, as variables or as arguments", () => {
  const evil = join(folder, "evil.cjs");
  writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(join(folder, "was-run"))}, "")`);
  const env = {
    ...CLEAN,
    NODE_OPTIONS: `--require=${evil} --no-such-option --inspect-brk`,
    NODE_PATH: folder,
  };
  assert.is(succeed([program, "--version"], { env }), `${manifest.version}\n`);
  for (const option of ["--require", "--eval", "-e", "--import"]) {
    assert.is(run([program, option, evil]).status, 2);
  }
  assert.is(run([program, "list", `--node-options=--require=${evil}`]).status, 2);
  mkdirSync(join(folder, "picomatch"));
  copyFileSync(evil, join(folder, "picomatch", "index.js"));
  writeFileSync(
    join(folder, "plan.yaml"),
    `version: 1\npairs: [{ name: x, from: "${folder}/*.none", to: ${folder}/ }]\n`,
  );
  assert.match(run([program, "migrate", join(folder, "plan.yaml")], { env }).stderr, /\*\.none/);
  assert.not(existsSync(join(folder, "was-run")));
});

test("its child processes are the same program, whatever stands in its place by then", () => {
  const own = mkdtempSync(join(folder, "replaced-"));
  const [copy, source] = [join(own, "p2pdma"), join(own, "source")];
  copyFileSync(program, copy);
  writeFileSync(source, "content");
  writeFileSync(join(own, "instead"), "#!/bin/sh\ntouch was-run\n", { mode: 0o755 });
  writeFileSync(
    join(own, "plan.yaml"),
    `version: 1\nhooks: { pre: [mv, ${own}/instead, ${copy}] }\npairs: [{ name: x, from: ${source}, to: ${own}/target, via: ram }]\n`,
  );
  succeed([copy, "migrate", join(own, "plan.yaml")], { cwd: own, env: { ...CLEAN, XDG_STATE_HOME: own } });
  assert.is(readFileSync(join(own, "target"), "utf8"), "content");
  assert.ok(readFileSync(copy, "utf8").startsWith("#!/bin/sh"));
  assert.not(existsSync(join(own, "was-run")));
});

// Where it unpacks what other programs read.

const config = (env: NodeJS.ProcessEnv) => run([program, "kernel", "config"], { env });

test("damaged files are made anew, and are never used", () => {
  succeed([program, "kernel", "config"]);
  const [key = ""] = readdirSync(join(cache, "p2pdma-standalone"));
  const path = join(cache, "p2pdma-standalone", key, "kernel-series", "config", "minimal.config");
  const before = readFileSync(path, "utf8");
  writeFileSync(path, `${before}CONFIG_EVIL=y\n`);
  assert.is(succeed([program, "kernel", "config"]), before);
  assert.is(readFileSync(path, "utf8"), before);
});

test("many at once, the first time, do not disturb each other", async () => {
  const empty = mkdtempSync(join(folder, "many-"));
  const children = Array.from({ length: 8 }, () =>
    spawn(program, ["kernel", "config"], { env: { ...CLEAN, XDG_CACHE_HOME: empty }, stdio: "ignore" }),
  );
  await Promise.all(children.map((child) => once(child, "close")));
  assert.equal(
    children.map((child) => child.exitCode),
    children.map(() => 0),
  );
  assert.is(readdirSync(join(empty, "p2pdma-standalone")).length, 1);
});

test("a cache that others can write to is refused, before anything is written", () => {
  const open = mkdtempSync(join(folder, "open-"));
  chmodSync(open, 0o777);
  const { status, stdout, stderr } = config({ ...CLEAN, XDG_CACHE_HOME: open });
  assert.equal([status, stdout], [1, ""]);
  assert.match(
    stderr,
    /^p2pdma: Cannot unpack .*others can write to ".*"\nhint: XDG_CACHE_HOME can name a folder/,
  );
  assert.equal(readdirSync(open), []);
});

test("a link in the place of its folder is refused", () => {
  const [own, elsewhere] = [mkdtempSync(join(folder, "own-")), mkdtempSync(join(folder, "elsewhere-"))];
  symlinkSync(elsewhere, join(own, "p2pdma-standalone"));
  const { status, stderr } = config({ ...CLEAN, XDG_CACHE_HOME: own });
  assert.is(status, 1);
  assert.match(stderr, /is no folder/);
  assert.equal(readdirSync(elsewhere), []);
});

asRoot("a user without a home is told what to do; what needs no files works", () => {
  chmodSync(folder, 0o755);
  const as = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", program];
  const env = { PATH: CLEAN.PATH };
  assert.match(succeed([...as, "list"], { env }), /No NVMe/);
  const { status, stderr } = run([...as, "kernel", "config"], { env });
  assert.is(status, 1);
  assert.match(stderr, /there is no home folder\nhint: XDG_CACHE_HOME/);
});

/** Runs it where some folders are other file systems; what is mounted goes with it. */
function mounted(mounts: string, ...args: string[]) {
  return run(["unshare", "--mount", "sh", "-ec", `${mounts}; exec "$@"`, "sh", program, ...args]);
}

asRoot("on a read-only file system it says so", () => {
  const { status, stderr } = mounted(`mount -t tmpfs -o ro tmpfs ${cache}`, "kernel", "config");
  assert.is(status, 1);
  assert.match(stderr, /Cannot unpack this program's files: EROFS/);
});

asRoot("native parts are loaded from where code may be: not from noexec, not from nowhere", () => {
  const source = join(folder, "native");
  writeFileSync(source, "content");
  const copy = ["copy", "--quiet", "--no-journal", "--via=ram", source, `${source}.copy`];
  const forbid = (path: string) => `mount -t tmpfs -o noexec tmpfs ${path}`;
  assert.is(mounted(forbid("/dev/shm"), ...copy).status, 0);
  assert.is(mounted(["/dev/shm", "/tmp"].map(forbid).join(";"), ...copy).status, 0);

  const all = ["/dev/shm", "/tmp", "/var/tmp"].map(forbid).join(";");
  const script = `mount -t tmpfs tmpfs /mnt; cp ${program} /mnt; ${all}; exec /mnt/p2pdma "$@"`;
  const options = ["copy", "--no-journal", "/etc/passwd", "/etc/p2pdma-standalone-test"];
  const nowhere = run(["unshare", "--mount", "sh", "-ec", script, "sh", ...options], { cwd: "/" });
  assert.is(nowhere.status, 1);
  assert.match(
    nowhere.stderr,
    /^p2pdma: Cannot load binding\.node: "\/dev\/shm": failed to map segment.*; "\/tmp": .*; "\/var\/tmp": .*\nhint: TMPDIR/,
  );
});

test.run();
