// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";

const bytes = v.pipe(v.string(), v.regex(/^\d{1,19}$/));
const short = v.pipe(v.string(), v.maxLength(8192));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.nullable(short);

const text = v.nullable(short);

/** EndIdentity of core/journal. */
const end = v.strictObject({
  path: short,
  kind: v.picklist(["block", "file"]),
  sizeBytes: bytes,
  blockBytes: count,
  ...{ model: text, serial: text, wwid: text, partition: v.nullable(count) },
  ...{ alias: text, startBytes: text, inode: text, modifiedNs: text, bornNs: text },
});

const route = v.strictObject({
  via: v.picklist(["p2p", "ram", "nvme-copy"]),
  provider: v.nullable(short),
  providerName: v.nullable(short),
  side: v.nullable(v.picklist(["destination", "source", "third"])),
  depth: count,
  stagingBytes: bytes,
  uplinks: v.array(short),
  reason: v.nullable(short),
});

const owner = v.strictObject({ pid: count, startTicks: short, bootId: short });
const problem = v.strictObject({ message: v.string(), hint: v.nullable(v.string()) });

/** A post hook that has to run still, since its pre hook was started; kept whole, as the plan may change. */
const owedHook = v.nullable(v.strictObject({ command: v.array(v.string()), timeoutMs: count }));

const pair = v.strictObject({
  name: short,
  /** SHA-256 of what the plan says of this copy. */
  digest: short,
  from: short,
  to: short,
  after: v.array(short),
  /** waiting: not begun; stopped: can be resumed; skipped: what it comes after has not ended well. */
  state: v.picklist(["waiting", "running", "done", "bad-ranges", "failed", "stopped", "skipped"]),
  attempts: count,
  /** Of the copy, at the last attempt. */
  exitCode: v.nullable(count),
  signal: v.nullable(short),
  process: v.nullable(owner),
  startedAt: time,
  endedAt: time,
  lengthBytes: v.nullable(bytes),
  bytesDone: bytes,
  source: v.nullable(end),
  destination: v.nullable(end),
  route: v.nullable(route),
  /** Names in the job's folder. */
  journal: short,
  mapfile: short,
  receipt: short,
  problem: v.nullable(problem),
  owedPost: owedHook,
});

const provider = v.strictObject({
  bdf: short,
  name: short,
  availableAtStartBytes: bytes,
  availableAtEndBytes: v.nullable(bytes),
});

const schema = v.strictObject({
  schema: v.literal("p2pdma.job/1"),
  plan: short,
  /** SHA-256 of what the plan means: its copies and hooks, globs expanded. */
  digest: short,
  createdAt: short,
  /** Of the run at work, or of the last one. */
  startedAt: short,
  endedAt: time,
  runs: count,
  exitCode: v.nullable(count),
  owedPost: owedHook,
  problem: v.nullable(problem),
  providers: v.array(provider),
  pairs: v.pipe(v.array(pair), v.maxLength(8192)),
});

/** The state of a job as it is written down. Byte counts are decimal strings, times are ISO 8601. */
export type JobFile = v.InferOutput<typeof schema>;
export type PairRecord = JobFile["pairs"][number];
export type PairState = PairRecord["state"];

/** @throws P2pdmaError BAD_PLAN (exit code 2) for what is no job, or a damaged one. */
export function readJobFile(path: string): JobFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new P2pdmaError("BAD_PLAN", ExitCode.usage, `Cannot read job "${path}": ${code}`, { cause });
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const what = `Cannot use job "${path}": ${v.getDotPath(issue) ?? "it"}: ${issue.message}`;
  throw new P2pdmaError("BAD_PLAN", ExitCode.usage, what);
}
