// SPDX-License-Identifier: MIT
// The lab itself: a command in the guest behaves as if on the host, and nothing outlives the runner.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram, findQemu } from "../../lab/machine.ts";
import { packageRoot } from "../../lab/package-root.ts";
import { type CommandOptions, captureIn, runInLab, startLab } from "../../lab/run.ts";
import { topologies } from "../../lab/topologies/index.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { cases } from "./prediction-cases.ts";
import { partsOf } from "./topology-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pdma-lab-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const share = join(folder, "share, with a comma");
const disk = join(folder, "disk.img");
const traceFile = join(folder, "trace.log");
mkdirSync(share);
writeFileSync(join(share, "theirs"), "from the host\n");
writeFileSync(disk, "");
truncateSync(disk, 8 * 2 ** 30);

test.before(() => {
  process.env.P2PDMA_TEST_VALUE = "a=b\nc é";
});

// ---- one boot, many commands ----

const lab = await startLab({ shares: [share], disks: [disk], trace: { file: traceFile } });
test.after(() => lab.close());

function inGuest(script: string, options: Partial<CommandOptions> = {}) {
  return captureIn(lab, { command: ["sh", "-c", script], timeoutMs: 60_000, ...options });
}

test("the exit code is the command's", async () => {
  for (const code of [0, 1, 42, 255]) assert.is((await inGuest(`exit ${code}`)).exitCode, code);
});

test("a command killed by signal N gives 128 + N", async () => {
  const { exitCode, signal } = await inGuest("kill -TERM $$");
  assert.equal({ exitCode, signal }, { exitCode: 143, signal: 15 });
});

test("a command that is not there gives 127, one that cannot run 126", async () => {
  const missing = await captureIn(lab, { command: ["no-such-command"] });
  assert.is(missing.exitCode, 127);
  assert.match(missing.stderr, /Cannot run "no-such-command" in the guest: No such file/);
  assert.is((await captureIn(lab, { command: ["/etc/passwd"] })).exitCode, 126);
  const lost = await captureIn(lab, { command: ["true"], cwd: "/no/such/folder" });
  assert.is(lost.exitCode, 126);
  assert.match(lost.stderr, /Cannot enter "\/no\/such\/folder"/);
});

test("stdout and stderr stay apart", async () => {
  const { stdout, stderr } = await inGuest("echo out; echo err >&2; echo out2 > /dev/stdout");
  assert.is(stdout, "out\nout2\n");
  assert.is(stderr, "err\n");
});

test("1 MiB of random bytes comes back from cat as it went in", async () => {
  const input = randomBytes(2 ** 20);
  const { stdoutBytes } = await inGuest("cat", { input });
  assert.ok(stdoutBytes.equals(input));
});

test("a command that reads nothing leaves its input to nobody", async () => {
  await inGuest("head -c 10 > /dev/null", { input: randomBytes(2 ** 25) });
  const { stdout } = await inGuest("cat", { input: "mine" });
  assert.ok(stdout === "mine", `cat had ${stdout.length} bytes`);
});

test("without input, stdin is at its end", async () => {
  assert.is((await inGuest("wc -c")).stdout.trim(), "0");
});

test("16 MiB of output arrive whole", async () => {
  const { stdoutBytes } = await inGuest("yes | head -c 16777216");
  assert.is(stdoutBytes.length, 16777216);
  const expected = createHash("sha256").update("y\n".repeat(8388608)).digest("hex");
  assert.is(createHash("sha256").update(stdoutBytes).digest("hex"), expected);
});

test("working directory, arguments and environment are the host's", async () => {
  const { stdout } = await captureIn(lab, {
    command: [
      "sh",
      "-c",
      'pwd; printf "%s|" "$@" "$P2PDMA_TEST_VALUE" "$EXTRA" "$HOME"',
      "sh",
      "",
      "a b",
      "é",
    ],
    cwd: share,
    env: { EXTRA: "1", HOME: undefined },
  });
  assert.is(stdout, `${share}\n|a b|é|a=b\nc é|1||`);
});

test("the guest knows where it is", async () => {
  const { stdout } = await inGuest(
    "hostname; echo $P2PDMA_LAB; touch $P2PDMA_SCRATCH/x && stat -f -c %T $P2PDMA_SCRATCH",
  );
  assert.is(stdout, "p2pdma-lab\n1\ntmpfs\n");
});

test("the host's files are there, and what the guest writes to them is not on the host", async () => {
  const file = join(folder, "victim");
  writeFileSync(file, "host\n");
  const { stdout } = await inGuest(
    `cat "${file}"; echo guest > "${file}"; cat "${file}"; touch "${folder}/new"`,
  );
  assert.is(stdout, "host\nguest\n");
  assert.is(readFileSync(file, "utf8"), "host\n");
  assert.not.ok(existsSync(join(folder, "new")));
});

test("a share is written through, at once", async () => {
  const { stdout } = await inGuest('cat theirs; echo guest > ours; head -c 3000000 /dev/zero > "large one"', {
    cwd: share,
  });
  assert.is(stdout, "from the host\n");
  assert.is(readFileSync(join(share, "ours"), "utf8"), "guest\n");
  assert.ok(readFileSync(join(share, "large one")).equals(Buffer.alloc(3000000)));
});

test("nothing that a command leaves in the background outlives it", async () => {
  const { wallMs } = await inGuest("sleep 1000 & (setsid sleep 1001 &) ; exit 0");
  assert.ok(wallMs < 20_000, `it took ${wallMs} ms`);
  assert.is((await inGuest("pgrep -x sleep")).stdout, "");
});

test("drive letters, serial numbers and NVMe numbers agree, and the CMBs are p2pmem", async () => {
  const { stdout } = await inGuest(`for l in A B C; do
    d=$(basename $(readlink /dev/lab/$l)); echo $l $d $(cat /sys/block/$d/device/serial) $(cat /sys/block/$d/size)
    cat /sys/block/$d/device/device/p2pmem/size 2>/dev/null; done; ls /dev/disk/by-id`);
  assert.equal(stdout.trim().split("\n"), [
    ...["A nvme0n1 P2PLAB-A 16777216", "67108864", "B nvme1n1 P2PLAB-B 16777216", "33554432"],
    "C nvme2n1 P2PLAB-C 16777216",
    ...["A", "B", "C"].map((letter) => `nvme-QEMU_NVMe_Ctrl_P2PLAB-${letter}`),
  ]);
});

test("a user's disk is drive A, past 4 GiB as well; the trace shows its commands", async () => {
  const { exitCode, stderr } = await inGuest(
    "printf %4096s payload | dd of=/dev/lab/A bs=4096 seek=1310720 oflag=direct status=none",
  );
  assert.is(exitCode, 0, stderr);
  const dd = ["dd", `if=${disk}`, "bs=4096", "skip=1310720", "count=1", "status=none"];
  assert.is(spawnSync(dd[0] ?? "", dd.slice(1)).stdout.toString(), "payload".padStart(4096));
  const lba = (1310720 * 8).toString(16);
  assert.match(readFileSync(traceFile, "utf8"), new RegExp(`pci_nvme_write .*nlb 8 .*lba 0x${lba}\\n`));
});

test("the devices can be taken away over QMP", async () => {
  const gone = lab.qmp.nextEvent("DEVICE_DELETED", 20_000);
  await lab.qmp.execute("device_del", { id: "drive-C" });
  await gone;
  assert.is((await inGuest("ls /sys/class/nvme | wc -l")).stdout, "2\n");
});

test("the kernel found nothing wrong", async () => {
  const { stdout } = await inGuest("dmesg");
  assert.match(stdout, /Run \/init as init process/);
  assert.not.match(stdout, /BUG:|Oops|WARNING:|Call Trace/);
});

// ---- guests that go wrong ----

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => Promise.reject(new Error("it was expected to fail")),
    (error: Error) => error,
  );
}

test("a panic is an error that shows the end of the console", async () => {
  const command = ["sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 60"];
  const { message } = await failure(runInLab({ command }));
  assert.match(message, /^The lab guest died: Kernel panic - not syncing: sysrq triggered crash\n/);
  assert.match(message, /\n {2}\| .*sysrq: Trigger a crash\n/);
  assert.ok(message.split("\n").length <= 33);
});

test("a kernel that never comes up is an error, in time", async () => {
  const start = performance.now();
  const boot = { command: ["true"], qemuArgs: ["-S"], bootTimeoutMs: 1500 };
  const { message } = await failure(runInLab({ ...boot, accel: "tcg" }));
  assert.match(message, /did not come up within 1\.5 s/);
  assert.ok(performance.now() - start < 10_000);
});

test("a command that takes too long is killed with its guest", async () => {
  const { message } = await failure(runInLab({ command: ["sleep", "100"], timeoutMs: 500 }));
  assert.match(message, /^"sleep 100" did not end within 0\.5 s/);
});

test("an abort ends the guest", async () => {
  const controller = new AbortController();
  const session = await startLab({ signal: controller.signal });
  const run = failure(captureIn(session, { command: ["sleep", "100"] }));
  await setTimeout(200);
  controller.abort();
  assert.match((await run).message, /interrupted/);
  await session.close();
  assert.not.ok(isAlive(session.pid));
});

test("what QEMU says is passed on when it does not start", async () => {
  const { message } = await failure(runInLab({ command: ["true"], qemuArgs: ["-nonsense"], accel: "tcg" }));
  assert.match(message, /^The lab guest did not start: QEMU ended with exit code 1: .*invalid option/);
});

// ---- every topology ----

/** prediction.test.ts boots the others, and looks at the same. */
const predicted = new Set(cases.map(({ topology }) => topology));
for (const one of topologies.filter(({ name }) => !predicted.has(name))) {
  test(`topology ${one.name} boots with all its drives and providers`, async () => {
    const { letters, providers } = partsOf(one);
    const script = "ls /dev/lab | tr '\\n' ' '; cat /sys/bus/pci/devices/*/p2pmem/published";
    const { stdout, exitCode, stderr } = await runInLab({ topology: one, command: ["sh", "-c", script] });
    assert.is(exitCode, 0, stderr);
    assert.is(stdout, `${letters.join(" ")} ${"1\n".repeat(providers)}`);
  });
}

test("drives keep their numbers when they are plugged in the other way round", async () => {
  const reversed = topology({
    ...{ name: "reversed", summary: "" },
    pci: [rootPort(pciSwitch(drive("C"), drive("B", { cmbMiB: 2 }), drive("A", { lbaBytes: 4096 })))],
  });
  const script =
    "cat /sys/class/nvme/nvme[012]/serial; cat /sys/block/nvme0n1/queue/logical_block_size; ls -l /dev/lab";
  const { stdout } = await runInLab({ topology: reversed, command: ["sh", "-c", script] });
  assert.match(stdout, /^P2PLAB-A *\nP2PLAB-B *\nP2PLAB-C *\n4096\n/);
  assert.match(stdout, /A -> \/dev\/nvme0n1\n.*B -> \/dev\/nvme1n1\n.*C -> \/dev\/nvme2n1/);
});

// ---- the program ----

const program = [process.execPath, join(packageRoot(), "dist", "p2pdma.js")];

interface Runner {
  readonly process: ChildProcess;
  /** Where its temporary files would be. */
  readonly temporary: string;
  readonly text: { stdout: string; stderr: string };
}

function start(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; wrapper?: readonly string[] } = {},
): Runner {
  const temporary = mkdtempSync(join(folder, "tmp-"));
  const [command = "", ...rest] = [...(options.wrapper ?? []), ...program, "lab", "run", ...args];
  const env = { ...process.env, TMPDIR: temporary, ...options.env };
  const child = spawn(command, rest, { env, stdio: ["pipe", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk));
  return { process: child, temporary, text };
}

async function ends({ process: child }: Runner): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  return child.exitCode;
}

async function waitFor<T>(what: string, look: () => T | undefined | false, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const found = look();
    if (found) return found;
    await setTimeout(20);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

/** QEMU is the runner's only child, for setpriv turns into it. */
function qemuOf(runner: Runner): number | undefined {
  const { pid } = runner.process;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Starts a command that says "up", and waits until it does. */
async function startSleeper(prelude: string, options: Parameters<typeof start>[1] = {}) {
  const runner = start(["--", "/bin/sh", "-c", `${prelude}; echo up; while :; do sleep 0.1; done`], options);
  await waitFor("the command starts", () => runner.text.stdout.includes("up"));
  const qemu = qemuOf(runner) ?? 0;
  assert.ok(isAlive(qemu));
  return { ...runner, qemu };
}

function leavesNothing({ qemu, temporary }: { qemu: number; temporary: string }): void {
  assert.not.ok(isAlive(qemu), "QEMU is still there");
  assert.equal(readdirSync(temporary), []);
}

test("p2pdma lab run: streams and exit code are the command's", async () => {
  const runner = start(["--quiet", "--", "sh", "-c", "cat; echo err >&2; exit 9"]);
  runner.process.stdin?.end("through");
  assert.is(await ends(runner), 9);
  assert.equal(runner.text, { stdout: "through", stderr: "err\n" });
  assert.equal(readdirSync(runner.temporary), []);
});

test("p2pdma lab run: the command sees Ctrl-C, and ends as it likes", async () => {
  const runner = await startSleeper('trap "echo got it; exit 8" INT');
  runner.process.kill("SIGINT");
  assert.is(await ends(runner), 8);
  assert.match(runner.text.stdout, /got it/);
  leavesNothing(runner);
});

test("p2pdma lab run: Ctrl-C ends a command that does not care", async () => {
  const runner = await startSleeper("true");
  runner.process.kill("SIGINT");
  assert.is(await ends(runner), 130);
  leavesNothing(runner);
});

/** A QEMU that fails an assertion when it is started, `times` times. */
function abortingQemu(times: number): { path: string; starts: () => number } {
  const [path, log] = ["qemu", "starts"].map((name) => join(folder, `${name}-${times}`)) as [string, string];
  const lines = [
    ...["#!/bin/sh", "ulimit -c 0", `echo >> "${log}"`],
    `if [ $(wc -l < "${log}") -le ${times} ]; then echo "msix: Assertion failed" >&2; kill -ABRT $$; fi`,
    `exec ${findQemu()} "$@"`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o755 });
  return { path, starts: () => readFileSync(log, "utf8").length };
}

test("p2pdma lab run: QEMU that aborts before the guest is up gets another chance, and says so", async () => {
  const qemu = abortingQemu(1);
  const runner = start(["-q", "--accel", "tcg", "--", "echo", "up"], { env: { P2PDMA_LAB_QEMU: qemu.path } });
  assert.equal([await ends(runner), runner.text.stdout, qemu.starts()], [0, "up\n", 2]);
  assert.match(
    runner.text.stderr,
    /^lab: The lab guest did not start: QEMU was killed by SIGABRT: msix: Assertion failed\nlab: trying once more\n$/,
  );
});

test("p2pdma lab run: QEMU that aborts again is an error", async () => {
  const qemu = abortingQemu(9);
  const runner = start(["-q", "--accel", "tcg", "--", "true"], { env: { P2PDMA_LAB_QEMU: qemu.path } });
  assert.equal([await ends(runner), qemu.starts()], [1, 2]);
  assert.match(runner.text.stderr, /^p2pdma: The lab guest did not start: QEMU was killed by SIGABRT/m);
});

test("p2pdma lab run: a second SIGTERM ends a command that will not", async () => {
  const runner = await startSleeper('trap "" TERM');
  runner.process.kill("SIGTERM");
  await setTimeout(500);
  assert.is(runner.process.exitCode, null);
  runner.process.kill("SIGTERM");
  assert.is(await ends(runner), 143);
  leavesNothing(runner);
});

test("p2pdma lab run: one SIGINT ends it after five seconds", async () => {
  const runner = await startSleeper('trap "" INT');
  const sent = performance.now();
  runner.process.kill("SIGINT");
  assert.is(await ends(runner), 130);
  const waited = performance.now() - sent;
  assert.ok(waited > 4500 && waited < 10_000, `it took ${waited} ms`);
  leavesNothing(runner);
});

test("p2pdma lab run: Ctrl-C while the guest boots", async () => {
  const runner = start(["--accel", "tcg", "--", "true"]);
  const qemu = await waitFor("QEMU starts", () => qemuOf(runner));
  runner.process.kill("SIGINT");
  assert.is(await ends(runner), 130);
  leavesNothing({ qemu, temporary: runner.temporary });
});

test("p2pdma lab run: SIGKILL of the runner takes QEMU along, even one that is stopped", async () => {
  const runner = await startSleeper("true");
  process.kill(runner.qemu, "SIGSTOP"); // so that the guest cannot power itself off
  runner.process.kill("SIGKILL");
  await ends(runner);
  await waitFor("QEMU ends", () => !isAlive(runner.qemu), 5000);
  leavesNothing(runner);
});

test("p2pdma lab run: where there is no setpriv, the guest notices that the runner is gone", async () => {
  const env = { PATH: "/nonexistent", P2PDMA_LAB_QEMU: findQemu() };
  const runner = await startSleeper("PATH=/usr/bin:/bin", { env });
  runner.process.kill("SIGKILL");
  await ends(runner);
  await waitFor("QEMU ends", () => !isAlive(runner.qemu), 15_000);
  leavesNothing(runner);
});

test("p2pdma lab run: a reader that goes away ends the command by SIGPIPE", async () => {
  const runner = start(["--", "yes"]);
  await waitFor("output", () => runner.text.stdout.includes("y\n"));
  runner.process.stdout?.destroy();
  assert.is(await ends(runner), 141);
});

test("p2pdma lab run: a guest that dies gives 1, and says so on stderr", async () => {
  const runner = start(["--", "sh", "-c", "echo c > /proc/sysrq-trigger; sleep 60"]);
  assert.is(await ends(runner), 1);
  assert.match(runner.text.stderr, /^p2pdma: The lab guest died: Kernel panic/m);
  assert.is(runner.text.stdout, "");
});

test("p2pdma lab run: wrong usage gives 2, before anything is started", async () => {
  const cases: [string[], RegExp][] = [
    [["--topology", "nope", "--", "true"], /No lab topology is called "nope"/],
    [["--disk", "/none.img", "--", "true"], /Cannot use "\/none.img" as a disk: no such file/],
    [["--share", "/none", "--", "true"], /Cannot share "\/none"/],
    [["--latency", "1ms", "--", "true"], /no drive whose latency can be set/],
    [["--kernel", "/none", "--", "true"], /Cannot boot "\/none"/],
  ];
  for (const [args, expected] of cases) {
    const runner = start(args, { env: { P2PDMA_LAB_QEMU: "/bin/false" } });
    assert.is(await ends(runner), 2, args.join(" "));
    assert.match(runner.text.stderr, expected);
  }
});

test("p2pdma lab run: without QEMU it says what to install", async () => {
  const runner = start(["--", "true"], { env: { PATH: "/nonexistent" } });
  assert.is(await ends(runner), 1);
  assert.match(
    runner.text.stderr,
    /"qemu-system-x86_64" is not installed\nhint: apt-get install qemu-system-x86/,
  );
});

const script = findProgram("script");
if (!script) console.log("# skip: p2pdma lab run: on a terminal: script (bsdutils) is not installed");
(script ? test : test.skip)("p2pdma lab run: on a terminal, the command has one too", async () => {
  const inner = 'test -t 0 && test -t 1 && test -t 2 && stty size; read line; echo "[$line]"; sleep 100';
  const quoted = [...program, "lab", "run", "--", "sh", "-c", inner].map((word) => `'${word}'`).join(" ");
  const line = `stty rows 33 cols 111; exec ${quoted}`;
  const child = spawn(script ?? "", ["-qec", line, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk;
  });
  const closed = once(child, "close");
  await waitFor("the window size", () => shown.includes("33 111"));
  child.stdin.write("typed\r");
  await waitFor("what was typed", () => shown.includes("[typed]"));
  child.stdin.write("\x03");
  const [code] = await closed;
  assert.is(code, 130);
  assert.match(shown, /typed\r+\n\[typed\]/);
});

test.run();
