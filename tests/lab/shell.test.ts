// SPDX-License-Identifier: MIT
// Sessions on real p2pmem: what they hold, what they move, and that all of it is given back however they end.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageRoot } from "../../lab/package-root.ts";
import { type CommandResult, captureIn, startLab } from "../../lab/run.ts";
import { contentOf } from "../torture/content.ts";
import { tempFolder } from "../unit/temp.ts";

const MIB = 1 << 20;
const folder = tempFolder("shell-lab");
const fixtures = join(packageRoot(), "tests", "fixtures", "shell");
const images = ["A", "B"].map((letter) => join(folder, `${letter}.img`));
const [imageA = "", imageB = ""] = images;
const content = contentOf(7, 64 * MIB);
writeFileSync(imageA, content);
writeFileSync(imageB, Buffer.alloc(64 * MIB));
const [A, B] = ["0000:03:00.0", "0000:04:00.0"];

/** A drive on the root bus, away from the switch: the kernel refuses it the memory of the others. */
const stranger = [
  ...["-blockdev", "driver=null-co,node-name=stranger,size=1073741824,read-zeroes=on"],
  ...["-device", "nvme,serial=STRANGER,drive=stranger,bus=pcie.0,addr=0x1e"],
];

const lab = await startLab({ topology: "switch", disks: images, qemuArgs: stranger });
test.after(() => lab.close());

const inGuest = (script: string, input?: string) =>
  captureIn(lab, {
    command: ["bash", "-c", script],
    timeoutMs: 120_000,
    env: { XDG_STATE_HOME: "/run/p2pdma/state" },
    ...(input !== undefined && { input }),
  });
const session = (lines: string, options = "") => inGuest(`p2pdma shell ${options}`, lines);
const available = async () => {
  const { stdout } = await inGuest(`cat /sys/bus/pci/devices/{${A},${B}}/p2pmem/available`);
  return stdout.trim().split("\n").map(Number);
};

/** Drives are numbered as they come up; times depend on the machine. */
async function normalise({ stdout, stderr }: CommandResult): Promise<{ stdout: string; stderr: string }> {
  const { controllers } = JSON.parse((await inGuest("p2pdma list --json")).stdout) as {
    controllers: { name: string; serial: string }[];
  };
  const letters = new Map(controllers.map(({ name, serial }) => [name, serial.replace("P2PLAB-", "")]));
  const clean = (text: string) =>
    text
      .replace(/nvme\d+(?=n\d|\b)/g, (name) => `nvme${letters.get(name) ?? name}`)
      .replace(/(?:^(?:P2PLAB-|STRANGER).*\n)+/gm, (rows) =>
        rows
          .split(/(?<=\n)/)
          .sort()
          .join(""),
      )
      .replace(/in [\d.]+ s, [\d.]+ [KMG]iB\/s/g, "in TIME, RATE");
  return { stdout: clean(stdout), stderr: clean(stderr) };
}

const atFirst = await available();

test("a recorded session holds two allocations over a copy", async () => {
  const script = readFileSync(join(fixtures, "two-buffers.p2p"), "utf8");
  const result = await session(script, "--echo");
  const { stdout, stderr } = await normalise(result);
  assert.fixture(stdout, readFileSync(join(fixtures, "two-buffers.out"), "utf8"));
  assert.fixture(stderr, readFileSync(join(fixtures, "two-buffers.err"), "utf8"));
  assert.is(result.exitCode, 7, "that of the first command that failed");
  assert.equal(await available(), atFirst);
});

test("what was read, written and copied is on the drives, byte for byte", async () => {
  const { stderr, exitCode } = await session(`
    alloc --name a ${A} 1M
    alloc --name b ${B} 1M
    read serial:P2PLAB-A@5M a
    write a serial:P2PLAB-B@40M --allow-write
    read serial:P2PLAB-A@7M b --length 8k --at 512k
    write b serial:P2PLAB-B@50M --length 8k --at 512k --allow-write
    copy --through b --depth 2 --offset 20M --length 3M --seek 20M --no-journal --allow-write serial:P2PLAB-A serial:P2PLAB-B
    dump a -o /run/p2pdma/a.bin
    compare a /run/p2pdma/a.bin
    fill b /run/p2pdma/a.bin
    compare a b`);
  assert.is(exitCode, 0, stderr);
  const from = (image: string, offset: number, length: number) =>
    readFileSync(image).subarray(offset, offset + length);
  await inGuest("sync");
  assert.ok(from(imageB, 40 * MIB, MIB).equals(content.subarray(5 * MIB, 6 * MIB)), "write of 1 MiB");
  assert.ok(
    from(imageB, 50 * MIB, 8192).equals(content.subarray(7 * MIB, 7 * MIB + 8192)),
    "write of a part",
  );
  assert.ok(from(imageB, 50 * MIB + 8192, 4096).equals(Buffer.alloc(4096)), "nothing behind it");
  assert.ok(from(imageB, 20 * MIB, 3 * MIB).equals(content.subarray(20 * MIB, 23 * MIB)), "copy");
});

test("where the kernel refuses, nothing goes another way", async () => {
  const { stdout, stderr, exitCode } = await session(`
    alloc --name a ${A} 1M
    read serial:STRANGER a
    write a serial:STRANGER --allow-write
    copy --through a --length 1M --allow-write serial:STRANGER serial:P2PLAB-B
    copy --through a --via auto --length 1M --allow-write serial:STRANGER serial:P2PLAB-B
    read /etc/hostname a
    buffers`);
  assert.is(exitCode, 3);
  assert.is(stderr.match(/the kernel refuses DMA between 0000:00:1e.0/g)?.length, 4, stderr);
  assert.match(stderr, /"\/etc\/hostname" is on .*, not known to pass O_DIRECT through/);
  assert.not.match(stdout, /moved/);
});

test("mistakes about buffers are told, and none ends the session", async () => {
  const { stdout, stderr, exitCode } = await session(`
    alloc --name a ${A} 1M
    alloc --name a ${A} 1M
    alloc --name 7 ${A} 1M
    alloc ${A} 1T
    alloc --name all ${A} 63M
    read serial:P2PLAB-A@1 a
    read serial:P2PLAB-A@64M a
    read serial:P2PLAB-A a --length 2M
    write a serial:P2PLAB-B --length 100 --allow-write
    write a /run/p2pdma/none
    fill a nonsense
    fill a /run/p2pdma/nothing
    compare a z
    copy --through a --provider ${B} serial:P2PLAB-A serial:P2PLAB-B
    copy --through a --depth 64 --chunk 128K --length 16M --allow-write serial:P2PLAB-A serial:P2PLAB-B
    free a z
    buffers`);
  const lines = stderr.split("\n").filter((line) => line.startsWith("p2pdma:"));
  const expected = [
    /There is a buffer "a" already/,
    /"7" can't be a buffer's name/,
    /Cannot allocate 1099511627776 bytes/,
    /asked 63 MiB, available 6/,
    /the device's offset 1 is no multiple of the block size 512/,
    /"\/dev\/nvme\dn1" ends at 67108864 bytes, asked up to 68157440/,
    /"a" ends at 1048576 bytes, asked up to 2097152/,
    /the length 100 is no multiple of the block size 512/,
    /Cannot write to "\/run\/p2pdma\/none": no such file/,
    /"nonsense" is no pattern/,
    /open "\/run\/p2pdma\/nothing": ENOENT/,
    /No buffer "z" is held/,
    /--through a says whose memory it is/,
    /buffer "a" holds 1 MiB, needed 64 x 128 KiB/,
    /No buffer "z" is held/,
  ];
  for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? "", pattern);
  assert.is(lines.length, expected.length, stderr);
  assert.is(stdout.split("\n").filter((line) => /^a /.test(line)).length, 1, "a is held still");
  assert.is(exitCode, 2);
});

for (const [signal, code] of [
  ["TERM", 143],
  ["HUP", 143],
  ["INT", 130],
  ["KILL", 137],
] as const) {
  test(`all memory is given back after SIG${signal}`, async () => {
    const { stdout, stderr } = await inGuest(`
      mkfifo /run/p2pdma/fifo-${signal}
      p2pdma shell < /run/p2pdma/fifo-${signal} > /run/p2pdma/out-${signal} 2>&1 & pid=$!
      exec 3> /run/p2pdma/fifo-${signal}
      printf 'alloc %s 4M\\nalloc %s 2M\\nbuffers\\n' ${A} ${B} >&3
      for n in $(seq 300); do grep -q '^buf2 ' /run/p2pdma/out-${signal} && break; sleep 0.05; done
      cat /sys/bus/pci/devices/{${A},${B}}/p2pmem/available
      kill -${signal} $pid; wait $pid; echo $?
      cat /sys/bus/pci/devices/{${A},${B}}/p2pmem/available`);
    const numbers = stdout.trim().split("\n").map(Number);
    const held = [(atFirst[0] ?? 0) - 4 * MIB, (atFirst[1] ?? 0) - 2 * MIB];
    assert.equal(numbers, [...held, code, ...atFirst], stderr);
  });
}

test("a signal in the middle of a copy through a buffer drains it into its journal, and a resume brings the rest", async () => {
  const journal = "/run/p2pdma/signal.journal";
  const copy = `copy --through buf1 --rate 2M --checkpoint 200ms --length 16M --journal ${journal} --overwrite=filesystem,partitions --allow-write serial:P2PLAB-A serial:P2PLAB-B`;
  const { stdout } = await inGuest(
    `p2pdma shell > /run/p2pdma/signal.out 2>&1 < <(printf 'alloc ${B} 2M\n${copy}\nbuffers\n') & pid=$!
    for n in $(seq 300); do [ -s ${journal} ] && break; sleep 0.05; done
    sleep 1.5; kill -INT $pid; wait $pid; echo "exit $?"
    cat /sys/bus/pci/devices/{${A},${B}}/p2pmem/available
    cat /run/p2pdma/signal.out
    p2pdma resume --allow-write ${journal}; echo "exit $?"`,
  );
  assert.match(stdout, /^exit 130\n/);
  assert.equal(stdout.split("\n").slice(1, 3).map(Number), atFirst);
  assert.match(stdout, /SIGINT: finishing what is in flight/);
  assert.match(stdout, /goes on from there/);
  assert.not.match(stdout, /^BUFFER/m, "the script went on");
  assert.match(stdout, /before +[1-9]\d* bytes were there already/);
  assert.match(stdout, /exit 0\n$/);
  assert.ok(
    readFileSync(imageB)
      .subarray(0, 16 * MIB)
      .equals(content.subarray(0, 16 * MIB)),
  );
});

test.run();
