// SPDX-License-Identifier: MIT
// The library and its examples, as installed from the packed package, on real p2pmem: drives A and C (random content)
// to B and D, and E with a bad sector at 4 MiB.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  allocate,
  CopyOutcomeError,
  copy,
  type Drive,
  listDrives,
  listProviders,
  open,
  type P2pdmaError,
  plan,
  resume,
  verify,
} from "p2pdma";
import { drive, readMedium, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const SIZE = 32 * MIB;
const LBA = 512n;
const BAD_AT = 4n * 1024n * 1024n;
const folder = "/run/p2pdma/library";
mkdirSync(folder, { recursive: true });
process.chdir(folder);

const [A, B, C, D, E] = ["A", "B", "C", "D", "E"].map(drive) as [Lab, Lab, Lab, Lab, Lab];
type Lab = ReturnType<typeof drive>;
const built = join(import.meta.dirname, "built");

function example(name: string, ...args: string[]) {
  return spawnSync("node", [join(built, `${name}.js`), ...args], { encoding: "utf8" });
}

function blank(...drives: Lab[]): void {
  for (const { path } of drives) writeMedium(path, 0n, Buffer.alloc(SIZE));
}

const isSame = (a: Lab, b: Lab) => readMedium(a.path, 0n, SIZE).equals(readMedium(b.path, 0n, SIZE));

const freeBytes = (lab: Lab) =>
  BigInt(listProviders().find(({ bdf }) => bdf === lab.bdf)?.availableBytes ?? "-1");

async function failure(work: () => unknown): Promise<P2pdmaError> {
  try {
    await work();
  } catch (error) {
    return error as P2pdmaError;
  }
  throw new Error("it did not fail");
}

await check("listDrives() and listProviders() tell what is there", () => {
  const serials = listDrives().map(({ serial }) => serial);
  expect(
    ["A", "B", "C", "D", "E"].every((letter) => serials.includes(`P2PLAB-${letter}`)),
    serials.join(),
  );
  const providers = listProviders();
  expect(providers.map(({ bdf }) => bdf).join() === [A, B, C].map(({ bdf }) => bdf).join(), "providers");
  const works = providers.every(({ allocators }) => allocators.some(({ status }) => status === "works"));
  expect(works, JSON.stringify(providers));
});

await check("plan() says whose memory it would be, and that permission is missing", async () => {
  const { explanation, refusal } = await plan({ source: A.path, destination: B.path });
  expect(explanation.candidates[0]?.provider === B.bdf, JSON.stringify(explanation.candidates));
  expect(refusal?.exitCode === 7, JSON.stringify(refusal));
  const allowed = await plan({ source: A.path, destination: B.path, allowWrite: ["serial:P2PLAB-B"] });
  expect(allowed.refusal === null, JSON.stringify(allowed.refusal));
});

await check("without allowWrite naming the destination nothing is written", async () => {
  for (const allowWrite of [undefined, [], [A.path]]) {
    const error = await failure(() => copy({ source: A.path, destination: B.path, allowWrite }));
    expect(error.code === "NO_PERMISSION" && error.exitCode === 7, String(error));
  }
  expect(
    readMedium(B.path, 0n, MIB).every((byte) => byte === 0),
    "B was written to",
  );
});

await check("copy-with-progress: peer-to-peer, inside the BAR, and it tells how far it is", () => {
  const { stdout, stderr, status } = example("copy-with-progress", A.path, B.path);
  expect(status === 0 && stderr === "", stderr);
  const lines = stdout.trim().split("\n");
  expect(lines[0] === `through ${B.bdf}: the destination's own memory`, String(lines[0]));
  const last = new RegExp(`^${SIZE} bytes peer-to-peer, 0 through RAM; all \\d+ pages inside BAR 2$`);
  expect(last.test(lines.at(-1) ?? ""), String(lines.at(-1)));
  const steps = lines.filter((line) => line.endsWith(`of ${SIZE} bytes`));
  expect(steps.length >= 3 && steps.at(-1)?.startsWith(`${SIZE} `) === true, steps.join("; "));
  expect(isSame(A, B), "B differs from A");
});

await check("spot-check: the drive compares what p2pmem holds; equal drives and others", () => {
  const equal = example("spot-check", A.path, B.path, B.bdf, "8");
  expect(equal.status === 0, `${equal.stdout}${equal.stderr}`);
  expect(equal.stdout === "8 places of 65536 bytes compared, 0 differ\n", equal.stdout);
  const other = example("spot-check", A.path, D.path, "nvme1", "3");
  expect(other.status === 4 && other.stdout.endsWith("compared, 3 differ\n"), other.stdout + other.stderr);
});

await check("two copies at once, each peer-to-peer and verified by its drive", async () => {
  blank(B);
  const options = { via: "p2p", verify: true, allowWrite: [B.path, D.path] } as const;
  const receipts = await Promise.all([
    copy({ source: A.path, destination: B.path, ...options }),
    copy({ source: C.path, destination: D.path, ...options }),
  ]);
  for (const { bytes, verification } of receipts) {
    expect(bytes.peerToPeer === String(SIZE) && bytes.throughRam === "0", JSON.stringify(bytes));
    expect(verification?.method === "NVMe Compare" && verification.equal, JSON.stringify(verification));
  }
  expect(isSame(A, B) && isSame(C, D), "they differ");
});

await check("aborted in mid-copy, it goes on through a held buffer from where it stopped", async () => {
  blank(D);
  const stop = new AbortController();
  const ends = { source: C.path, destination: D.path, via: "p2p", allowWrite: [D.path] } as const;
  const run = copy({ ...ends, journal: "abort.journal", bytesPerSecond: 16n << 20n, signal: stop.signal });
  const error = await failure(async () => {
    for await (const event of run) {
      if (event.event === "progress" && BigInt(event.bytesDone) >= 4n << 20n) stop.abort();
    }
  });
  expect(error.code === "INTERRUPTED" && error.journal === join(folder, "abort.journal"), String(error));
  using buffer = allocate(C.bdf, 2n << 20n);
  const receipt = await resume("abort.journal", { through: buffer, allowWrite: [D.path], verify: true });
  const before = BigInt(receipt?.bytes.before ?? 0);
  expect(before >= 4n << 20n && before < BigInt(SIZE), `before: ${before}`);
  expect(BigInt(receipt?.bytes.peerToPeer ?? 0) === BigInt(SIZE) - before, JSON.stringify(receipt?.bytes));
  expect(receipt?.staging.provider === C.bdf && receipt.queueDepth <= 16, JSON.stringify(receipt?.staging));
  expect(receipt?.verification?.equal === true && isSame(C, D), "they differ");
});

await check("stop-and-resume: a night that is too short, and another", () => {
  blank(D);
  const args = [C.path, D.path, "nights.journal"];
  const first = example("stop-and-resume", "0.1", ...args);
  expect(/tomorrow it goes on from .*nights\.journal\n$/.test(first.stdout), first.stdout + first.stderr);
  expect(existsSync("nights.journal") && !isSame(C, D), "it was not too short");
  const second = example("stop-and-resume", "60", ...args);
  expect(second.stdout.startsWith("done: "), second.stdout + second.stderr);
  expect(isSame(C, D), "they differ");
  expect(example("stop-and-resume", "60", ...args).stdout === "done before\n", "it was done again");
});

await check("compare() finds the one LBA that differs, through a buffer at an offset", async () => {
  using source = open(A.path);
  using destination = open("serial:P2PLAB-B");
  using buffer = allocate("nvme1", 1n << 20n);
  const at = 5n << 20n;
  await source.read(buffer, { offset: at });
  expect((await destination.compare(buffer, { offset: at })).equal, "B differs from A");
  const odd = at + 777n * LBA;
  const lba = readMedium(B.path, odd, 512);
  flip(lba);
  writeMedium(B.path, odd, lba);
  const { equal, firstDifference } = await destination.compare(buffer, { offset: at });
  expect(!equal && firstDifference === odd, `${firstDifference} instead of ${odd}`);
  const part = { offset: odd + LBA, bufferOffset: 778n * LBA, length: 100n * LBA };
  expect((await destination.compare(buffer, part)).equal, "behind it");
});

await check("write() needs permission, claims the device, and brings back what was flipped", async () => {
  using source = open(A.path);
  using buffer = allocate(B.bdf, 1n << 20n);
  const at = 5n << 20n;
  expect((await failure(() => open(B.path, { allowWrite: [A.path] }))).code === "NO_PERMISSION", "permitted");
  expect((await failure(() => source.write(buffer))).code === "NO_PERMISSION", "written to the source");
  {
    using destination = open(B.path, { allowWrite: [B.path] });
    const claimed = await failure(() => copy({ source: A.path, destination: B.path, allowWrite: "all" }));
    expect(claimed.code === "IN_USE" && claimed.exitCode === 7, String(claimed));
    await source.read(buffer, { offset: at });
    expect((await destination.write(buffer, { offset: at })) === 1n << 20n, "not all");
    destination.close();
    expect((await failure(() => destination.read(buffer))) instanceof TypeError, "it is open");
  }
  const { verification } = await verify({ source: A.path, destination: B.path, via: "p2p" });
  expect(verification.equal && verification.throughRamBytes === "0", JSON.stringify(verification));
});

await check("a drive that is closed in mid-transfer finishes it first", async () => {
  using buffer = allocate(A.bdf, 8n << 20n);
  let whileBusy: Drive | undefined = open(A.path);
  const reading = whileBusy.read(buffer);
  whileBusy.close();
  whileBusy = undefined;
  expect((await reading) === 8n << 20n, "not all");
  const [first] = await buffer
    .dump({ length: 4096n })
    .next()
    .then(({ value }) => [value]);
  expect(readMedium(A.path, 0n, 4096).equals(first ?? Buffer.alloc(0)), "other bytes");
});

await check("buffers are filled, loaded, read and compared; leaving the block gives them back", async () => {
  const before = freeBytes(C);
  {
    using buffer = allocate(C.bdf, 100_000n);
    expect(buffer.sizeBytes === 102_400n && buffer.provider === C.bdf, String(buffer.sizeBytes));
    expect(freeBytes(C) === before - buffer.sizeBytes, "nothing was taken");
    const [place] = buffer.places ?? [];
    expect(place?.bar === 2 && place.end > place.start, "no place");
    await buffer.fill("deadbeef");
    await buffer.load(Buffer.from("p2pmem"));
    expect((await buffer.read(0, 10)).toString("latin1") === "p2pmem\xbe\xef\xde\xad", "other bytes");
    const words = Buffer.alloc(102_400, "deadbeef", "hex");
    const { differingBytes, firstDifference } = await buffer.compare(words);
    expect(differingBytes === 6n && firstDifference === 0n, `${differingBytes} at ${firstDifference}`);
    const stop = AbortSignal.abort();
    expect(
      (await failure(() => buffer.fill("zeros", { signal: stop }))).code === "INTERRUPTED",
      "it went on",
    );
  }
  expect(freeBytes(C) === before, `${freeBytes(C)} instead of ${before}`);
});

await check("bad blocks: an error with the receipt in it", async () => {
  const options = { via: "p2p", onError: "skip", retries: 0, journal: false, allowWrite: [B.path] } as const;
  const error = await failure(() => copy({ source: E.path, destination: B.path, ...options }));
  expect(error instanceof CopyOutcomeError, String(error));
  const { code, exitCode, receipt } = error as CopyOutcomeError;
  expect(code === "BAD_RANGES" && exitCode === 5, code);
  const [bad, ...more] = receipt.badRanges;
  expect(
    bad?.srcOffset === BAD_AT.toString() && bad.lengthBytes === "512" && more.length === 0,
    String(error),
  );
});

await check("migrate-shelf: two pairs, each verified by its drive", () => {
  blank(B, D);
  const pairs = [`${A.path}=${B.path}`, `${C.path}=${D.path}`];
  const { stdout, stderr, status } = example("migrate-shelf", ...pairs);
  expect(status === 0 && stderr === "", stderr);
  expect(
    stdout === pairs.map((pair) => `${pair}: ${SIZE} bytes by p2p, verified by NVMe Compare\n`).join(""),
    stdout,
  );
  expect(isSame(A, B) && isSame(C, D), "they differ");
});

await check("the kernel has nothing to complain of", () => {
  const log = execFileSync("dmesg", { encoding: "utf8" });
  const complaints = log.split("\n").filter((line) => /WARNING|BUG|Oops|refcount/.test(line));
  expect(complaints.length === 0, complaints.join("\n"));
});

function flip(data: Buffer): void {
  data[100] = (data[100] ?? 0) ^ 1;
}
