// SPDX-License-Identifier: MIT
import { type Duplex, duplexPair } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Collector, withInput } from "../../../lab/capture.ts";
import { ConsoleTail } from "../../../lab/console-tail.ts";
import { type LabError, QemuAbort } from "../../../lab/errors.ts";
import { CHANNELS, type Channel, type Machine, type MachineEnd } from "../../../lab/machine.ts";
import { type GuestCommand, LabSession } from "../../../lab/session.ts";

/** A machine without QEMU: the test plays the guest. */
function fakeMachine() {
  const pairs = CHANNELS.map((channel) => [channel, duplexPair()] as const);
  const side = (index: 0 | 1) =>
    Object.fromEntries(pairs.map(([channel, pair]) => [channel, pair[index]])) as Record<Channel, Duplex>;
  const [channels, guest] = [side(0), side(1)];
  const console = new ConsoleTail();
  const machine = { die: (_how: string, _isAbort = false) => {}, killed: false, said: "" };
  const exited = new Promise<MachineEnd>((resolve) => {
    machine.die = (how, isAbort = false) => resolve({ how, isAbort });
  });
  const kill = () => {
    machine.killed = true;
    for (const channel of CHANNELS) channels[channel].destroy();
    machine.die("QEMU was killed by SIGKILL");
  };
  guest.control.on("data", (chunk: Buffer) => {
    machine.said += chunk;
  });
  const session = new LabSession({ pid: 1, channels, console, exited, kill } satisfies Machine);
  return { session, guest, console, machine };
}

type Fake = ReturnType<typeof fakeMachine>;

const setup = { shares: [], driveSerials: [] };

function command(changes: Pick<Partial<GuestCommand>, "stdin"> = {}) {
  const [stdout, stderr] = [new Collector(), new Collector()];
  return { ...{ command: ["x"], cwd: "/", env: {}, stdin: withInput(), stdout, stderr }, ...changes };
}

async function rejection(promise: Promise<unknown>): Promise<LabError> {
  try {
    await promise;
  } catch (error) {
    return error as LabError;
  }
  throw new Error("it was expected to fail");
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}

async function booted(): Promise<Fake> {
  const fake = fakeMachine();
  fake.guest.control.write("hello 1\nready\n");
  await fake.session.boot(setup, 1000);
  return fake;
}

test("LabSession.run() answers status and output, even if the status comes first", async () => {
  const { session, guest } = await booted();
  const x = command();
  const run = session.run(x);
  guest.control.write("started\nexit 7 3 2\n");
  await settle();
  guest.stdout.write("out");
  guest.stderr.write("er");
  assert.equal(await run, { exitCode: 7 });
  assert.is(x.stdout.bytes().toString(), "out");
  assert.is(x.stderr.bytes().toString(), "er");
});

test("LabSession.run() makes 128 + N of a signal", async () => {
  const { session, guest } = await booted();
  const run = session.run(command());
  guest.control.write("started\nsignal 9 0 0\n");
  assert.equal(await run, { exitCode: 137, signal: 9 });
});

test("LabSession.run() sends input only once the command has started", async () => {
  const { session, guest, machine } = await booted();
  const input = new Collector();
  guest.stdin.pipe(input);
  const run = session.run(command({ stdin: withInput("data") }));
  await settle();
  assert.is(input.bytes().length, 0);
  guest.control.write("started\n");
  await settle();
  assert.is(input.bytes().toString(), "data");
  assert.match(machine.said, /eof 4\n/);
  guest.control.write("exit 0 0 0\n");
  await run;
});

test("LabSession.run() tells the next command where its input begins", async () => {
  const { session, guest, machine } = await booted();
  guest.stdin.resume();
  for (const expected of ["stdin=0", "stdin=4"]) {
    const run = session.run(command({ stdin: withInput("data") }));
    guest.control.write("started\n");
    await settle();
    assert.ok(machine.said.includes(expected), machine.said);
    guest.control.write("exit 0 0 0\n");
    await run;
  }
});

test("LabSession.run() fails with the panic when the guest dies", async () => {
  const { session, guest, console, machine } = await booted();
  const run = rejection(session.run(command()));
  guest.control.write("started\n");
  await settle();
  console.push(Buffer.from("[    1.5] Kernel panic - not syncing: test\n[    1.6] the end\n"));
  machine.die("QEMU ended with exit code 0");
  const { message, exitCode } = await run;
  assert.match(message, /^The lab guest died: Kernel panic - not syncing: test\n/);
  assert.match(message, /\| \[ {4}1\.6\] the end$/);
  assert.is(exitCode, 1);
});

test("LabSession.run() fails when output was lost, whatever the status", async () => {
  const { session, guest, machine } = await booted();
  const run = rejection(session.run(command()));
  guest.control.write("started\nexit 0 100 0\n");
  await settle();
  guest.stdout.end();
  machine.die("QEMU ended with exit code 0");
  assert.match((await run).message, /died/);
});

test("LabSession.boot() says why QEMU did not start", async () => {
  const { session, machine } = fakeMachine();
  machine.die("QEMU ended with exit code 1: no such option");
  const { message } = await rejection(session.boot(setup, 1000));
  assert.is(message, "The lab guest did not start: QEMU ended with exit code 1: no such option");
});

test("LabSession tells an abort of QEMU before the guest is up from every other end", async () => {
  const boot = async (end: (fake: Fake) => void) => {
    const fake = fakeMachine();
    const booting = rejection(fake.session.boot(setup, 1000));
    end(fake);
    return booting;
  };
  const aborted = await boot(({ machine }) => machine.die("QEMU was killed by SIGABRT: Assertion", true));
  assert.instance(aborted, QemuAbort);
  assert.match(aborted.message, /did not start: QEMU was killed by SIGABRT: Assertion$/);
  assert.not.instance(await boot(({ machine }) => machine.die("QEMU was killed by SIGSEGV")), QemuAbort);
  const late = await boot(({ guest, machine }) => {
    guest.control.write("hello 1\n");
    void settle().then(() => machine.die("QEMU was killed by SIGABRT", true));
  });
  assert.not.instance(late, QemuAbort);
});

test("LabSession.boot() kills a guest that hangs", async () => {
  const { session, console, machine } = fakeMachine();
  console.push(Buffer.from("booting\n"));
  const { message } = await rejection(session.boot(setup, 20));
  assert.match(message, /did not come up within 0\.02 s\n(.*\n)*.*\| booting/);
  assert.ok(machine.killed);
});

test("LabSession.boot() refuses an init of another version", async () => {
  const { session, guest, machine } = fakeMachine();
  guest.control.write("hello 99\n");
  const { message, hint } = await rejection(session.boot(setup, 1000));
  assert.match(message, /another version/);
  assert.match(hint ?? "", /lab build/);
  assert.ok(machine.killed);
});

test("LabSession.boot() passes on what the guest's init gave up for", async () => {
  const { session, guest } = fakeMachine();
  guest.control.write("hello 1\nfatal root file system: No such device\n");
  assert.match(
    (await rejection(session.boot(setup, 1000))).message,
    /gave up: root file system: No such device/,
  );
});

test("LabSession.boot() refuses a guest that talks nonsense", async () => {
  const { session, guest, machine } = fakeMachine();
  guest.control.write("what?\n");
  assert.match((await rejection(session.boot(setup, 1000))).message, /the lab guest said "what\?"/i);
  assert.ok(machine.killed);
});

test("LabSession.boot() keeps warnings", async () => {
  const { session, guest } = fakeMachine();
  guest.control.write("hello 1\nwarning drive P2PLAB-C did not appear\nready\n");
  await session.boot(setup, 1000);
  assert.equal(session.warnings, ["drive P2PLAB-C did not appear"]);
});

test("LabSession.signal() knows whether there is a command to tell", async () => {
  const { session, guest, machine } = await booted();
  assert.is(session.signal(2), false);
  const run = session.run(command());
  guest.control.write("started\n");
  await settle();
  assert.is(session.signal(15), true);
  await settle();
  assert.match(machine.said, /signal 15\n/);
  guest.control.write("exit 0 0 0\n");
  await run;
  assert.is(session.signal(2), false);
});

test("LabSession.run() refuses a second command at the same time", async () => {
  const { session } = await booted();
  void session.run(command()).catch(() => {});
  assert.match((await rejection(session.run(command()))).message, /one command at a time/);
});

test("LabSession.close() waits until everything is on disk", async () => {
  const { session, guest, machine } = await booted();
  const close = session.close();
  await settle();
  assert.match(machine.said, /poweroff\n/);
  assert.not.ok(machine.killed);
  guest.control.write("off\n");
  await close;
  assert.ok(machine.killed);
  await session.close();
});

test("LabSession.close() does not wait for ever", async () => {
  const { session, machine } = await booted();
  await session.close(20);
  assert.ok(machine.killed);
});

test.run();
