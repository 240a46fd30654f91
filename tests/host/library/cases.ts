// SPDX-License-Identifier: MIT
// Runs in the project that the package was installed into, in a folder of its own: copies of files, through RAM. One
// JSON line for each check, which all that is on stdout must be.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import {
  allocate,
  type CopyEvent,
  type CopyOptions,
  copy,
  ExitCode,
  exitCodeMeaning,
  listDrives,
  listProviders,
  open,
  P2pdmaError,
  plan,
  resume,
  verify,
  version,
} from "p2pdma";

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const SLOWLY = { bytesPerSecond: 8n << 20n, retries: 0 };

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "uncaughtException", "exit"];
const handlers = () => SIGNALS.map((name) => process.listenerCount(name));
const handlersBefore = handlers();
let handlersDuring = handlersBefore;

writeFileSync("source", randomBytes(SIZE));
writeFileSync("tail", randomBytes(MIB + 77));

await check("the version and the exit codes are told", () => {
  expect(version === process.argv[2], `version ${version}`);
  expect(exitCodeMeaning[ExitCode.refused].startsWith("refused"), exitCodeMeaning[7]);
});

await check("machines without drives have empty lists", () => {
  expect(Array.isArray(listDrives()) && Array.isArray(listProviders()), "no lists");
});

await check("plan() answers what copy --dry-run does, and makes no file", async () => {
  const { schema, lengthBytes, refusal, explanation } = await plan({
    source: "source",
    destination: "planned",
  });
  expect(schema === "p2pdma.dry-run/1" && lengthBytes === String(SIZE), lengthBytes);
  expect(refusal === null && explanation.candidates.length === 0, JSON.stringify(refusal));
  expect(!existsSync("planned"), "a file was made");
});

await check("a run is a promise of its receipt and its events in order", async () => {
  const run = copy({ source: "source", destination: "copied", verify: true, journal: "copied.journal" });
  expect(run instanceof Promise, "no promise");
  const events: CopyEvent[] = [];
  for await (const event of run) {
    handlersDuring = handlers();
    events.push(event);
  }
  print("events", events);
  const names = events.map(({ event }) => event);
  expect(names.slice(0, 2).join() === "start,route" && names.at(-1) === "end", names.join());
  expect(names.includes("progress"), names.join());
  const last = events.findLast((event) => event.event === "progress");
  expect(last?.bytesDone === String(SIZE) && last.phase === "verify", JSON.stringify(last));
  const receipt = await run;
  print("copy", receipt);
  expect(receipt.verification?.equal === true, JSON.stringify(receipt.verification));
  expect(isSame("source", "copied"), "the files differ");
});

await check("nobody listens for signals, before, during or after", () => {
  expect(handlersDuring.join() === handlersBefore.join(), handlersDuring.join());
  expect(handlers().join() === handlersBefore.join(), handlers().join());
});

await check("who leaves the loop does not stop the copy, and may look again", async () => {
  const run = copy({ source: "source", destination: "left", journal: false, ...SLOWLY });
  for await (const { event } of run) if (event === "progress") break;
  expect(!isSame("source", "left"), "it was over already");
  const rest: string[] = [];
  for await (const { event } of run) rest.push(event);
  expect(rest.at(-1) === "end" && !rest.includes("start"), rest.join());
  expect((await run).lengthBytes === String(SIZE) && isSame("source", "left"), "the files differ");
});

await check("a reader that sleeps finds the newest progress, not all of it", async () => {
  const run = copy({ source: "source", destination: "slept", journal: false, ...SLOWLY });
  await run;
  const names: string[] = [];
  for await (const { event } of run) names.push(event);
  expect(names.join() === "start,route,progress,end", names.join());
});

await check("a failure rejects the promise and ends the loop with the same error", async () => {
  const run = copy({ source: "not-there", destination: "never" });
  const events: CopyEvent[] = [];
  const fromLoop = await failure(async () => {
    for await (const event of run) events.push(event);
  });
  const [last] = events;
  expect(last?.event === "end" && last.exitCode === ExitCode.failed, JSON.stringify(events));
  expect(fromLoop === (await failure(() => run)), "two errors");
  expect(fromLoop instanceof P2pdmaError && fromLoop.code === "NOT_FOUND", String(fromLoop));
});

await check("an aborted signal stops a copy gently; the error names the journal", async () => {
  const stop = new AbortController();
  const run = copy({
    source: "source",
    destination: "stopped",
    journal: "own",
    signal: stop.signal,
    ...SLOWLY,
  });
  for await (const event of run) {
    if (event.event === "progress" && BigInt(event.bytesDone) > 0n) break;
  }
  stop.abort();
  const error = await p2pdmaFailure(run);
  expect(error.code === "INTERRUPTED" && error.exitCode === ExitCode.interrupted, String(error));
  expect(error.journal?.endsWith("/own") === true, String(error.journal));
});

await check("another copy may not take that journal", async () => {
  const error = await p2pdmaFailure(copy({ source: "source", destination: "other", journal: "own" }));
  expect(error.code === "USAGE", String(error));
});

await check(
  "resume() goes on with it in the same process, and tells when there is nothing left",
  async () => {
    const receipt = await resume("own", { verify: true });
    if (receipt) print("copy", receipt);
    expect(BigInt(receipt?.bytes.before ?? 0) > 0n, `before: ${receipt?.bytes.before}`);
    expect(receipt?.verification?.equal === true && isSame("source", "stopped"), "the files differ");
    expect((await resume("own")) === undefined, "it was done twice");
  },
);

await check("a copy that is at work keeps its journal to itself", async () => {
  const run = copy({ source: "source", destination: "busy", journal: "busy.journal", ...SLOWLY });
  for await (const { event } of run) if (event === "progress") break;
  const error = await p2pdmaFailure(resume("busy.journal"));
  expect(error.code === "IN_USE" && error.exitCode === ExitCode.refused, String(error));
  await run;
});

await check(
  "abort() stops at once, and a resume brings the rest",
  async () => {
    const run = copy({ source: "source", destination: "aborted", journal: "aborted.journal", ...SLOWLY });
    for await (const { event } of run) if (event === "progress") run.abort();
    throw new Error("the loop ended well");
  },
  "INTERRUPTED",
);

await check("what abort() left behind can be gone on with", async () => {
  const receipt = await resume("aborted.journal", { verify: true, hash: "xxh3" });
  expect(receipt?.verification?.method === "xxh3" && isSame("source", "aborted"), "the files differ");
});

await check("a signal that was aborted before begins nothing", async () => {
  const signal = AbortSignal.abort();
  const error = await p2pdmaFailure(copy({ source: "source", destination: "nothing", signal }));
  expect(error.code === "INTERRUPTED" && error.journal === undefined, String(error));
  expect(!existsSync("nothing"), "a file was made");
});

await check("stopAfterMs rejects with STOPPED, resumable", async () => {
  const rest = { journal: "late.journal", stopAfterMs: 300 };
  const error = await p2pdmaFailure(copy({ source: "source", destination: "late", ...rest, ...SLOWLY }));
  expect(error.code === "STOPPED" && error.exitCode === ExitCode.stopped, String(error));
  expect(error.journal !== undefined, "no journal");
});

await check("three copies at once have each its own events and its own receipt", async () => {
  const names = ["one", "two", "three"];
  const runs = names.map((destination) => copy({ source: "source", destination, journal: false }));
  const starts = await Promise.all(runs.map(async (run) => firstDestination(run)));
  expect(starts.map((path) => path?.split("/").at(-1)).join() === names.join(), starts.join());
  const receipts = await Promise.all(runs);
  expect(
    receipts.every(({ lengthBytes }) => lengthBytes === String(SIZE)),
    "lengths",
  );
  expect(
    names.every((name) => isSame("source", name)),
    "the files differ",
  );
});

await check("offset, length, seek and a size that is no whole block", async () => {
  await copy({ source: "tail", destination: "tail-copy", journal: false });
  expect(isSame("tail", "tail-copy"), "the tail is lost");
  const range = { offset: 4096n, length: 8192n, seek: 65536n };
  await copy({ source: "source", destination: "part", journal: false, ...range });
  const part = readFileSync("part").subarray(65536);
  expect(part.equals(readFileSync("source").subarray(4096, 12288)), "another part");
  expect(statSync("part").size === 65536 + 8192, String(statSync("part").size));
});

await check("verify() answers whether they are equal; that they differ is no error", async () => {
  const equal = await verify({ source: "source", destination: "copied" });
  print("verify", equal);
  const data = readFileSync("copied");
  data[5 * MIB + 3] = (data[5 * MIB + 3] ?? 0) ^ 1;
  writeFileSync("flipped", data);
  const run = verify({ source: "source", destination: "flipped", hash: "xxh3" });
  const differs = await run;
  expect(equal.verification.equal && !differs.verification.equal, "the verdicts");
  const [first] = differs.verification.differing;
  expect(BigInt(first?.dstOffset ?? 0) / BigInt(MIB) === 5n, JSON.stringify(first));
});

await check("a source that changed is refused unless it is accepted", async () => {
  writeFileSync("changing", randomBytes(SIZE));
  const rest = { journal: "changing.journal", stopAfterMs: 300 };
  await p2pdmaFailure(copy({ source: "changing", destination: "changed", ...rest, ...SLOWLY }));
  truncateSync("changing", SIZE);
  writeFileSync("changing", randomBytes(SIZE));
  const error = await p2pdmaFailure(resume("changing.journal"));
  expect(error.code === "WRONG_IDENTITY" && error.exitCode === ExitCode.refused, String(error));
  const run = resume("changing.journal", { acceptChangedSource: true, bytesPerSecond: 1n << 30n });
  const events: CopyEvent[] = [];
  for await (const event of run) events.push(event);
  expect(
    events.some(({ event }) => event === "warning"),
    "no warning",
  );
});

await check("peer-to-peer that is not possible is exit code 3, never RAM", async () => {
  const error = await p2pdmaFailure(copy({ source: "source", destination: "peer", via: "p2p" }));
  expect(error.exitCode === ExitCode.noPeerToPeer, String(error));
  const none = await p2pdmaFailure(async () => allocate("nvme99", 4096n));
  expect(none.code === "NO_P2PMEM" && none.hint !== undefined, String(none));
});

await check("open() tells what is known of a file, and closes twice", () => {
  const drive = open("source");
  expect(drive.sizeBytes === BigInt(SIZE) && drive.kind === "file" && !drive.isWritable, drive.path);
  drive.close();
  drive[Symbol.dispose]();
  expect(failureOf(() => open("not-there")) instanceof P2pdmaError, "it is there");
});

const wrong: readonly [string, object][] = [
  ["a misspelt option", { verfiy: true }],
  ["a word that is none", { via: "P2P" }],
  ["a number of bytes", { offset: 4096 }],
  ["a negative number of bytes", { length: -512n }],
  ["a depth of 0", { depth: 0 }],
  ["a device instead of a list", { allowWrite: "/dev/nvme0n1" }],
  ["something that is no buffer", { through: {} }],
  ["something that is no signal", { signal: {} }],
];
for (const [what, options] of wrong) {
  await check(`a TypeError for ${what}, and nothing is touched`, async () => {
    const all = { source: "source", destination: "wrong", ...options } as CopyOptions;
    const error = await failure(() => copy(all));
    const [name = ""] = Object.keys(options);
    expect(error instanceof TypeError && error.message.includes(`"${name}"`), String(error));
    expect(!existsSync("wrong"), "a file was made");
  });
}

async function firstDestination(run: AsyncIterable<CopyEvent>): Promise<string | undefined> {
  for await (const event of run) if (event.event === "start") return event.destination;
  return undefined;
}

function isSame(a: string, b: string): boolean {
  return readFileSync(a).equals(readFileSync(b));
}

async function p2pdmaFailure(work: PromiseLike<unknown> | (() => Promise<unknown>)): Promise<P2pdmaError> {
  const error = await failure(typeof work === "function" ? work : () => work);
  if (error instanceof P2pdmaError) return error;
  throw new Error(`no P2pdmaError: ${error}`);
}

async function failure(work: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

function print(kind: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ kind, value })}\n`);
}

/** @param code of the P2pdmaError that the action must end with */
async function check(name: string, action: () => void | Promise<void>, code?: string): Promise<void> {
  let detail = "";
  try {
    await action();
    if (code) detail = "it did not fail";
  } catch (error) {
    const isWanted = code !== undefined && error instanceof P2pdmaError && error.code === code;
    if (!isWanted) detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  process.stdout.write(`${JSON.stringify({ name, ok: detail === "", detail })}\n`);
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
