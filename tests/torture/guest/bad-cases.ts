// SPDX-License-Identifier: MIT
// Runs inside the lab: copies between drives with bad sectors, killed and resumed.
import { readFileSync } from "node:fs";
import { drive } from "../../lab/guest/media.ts";
import { randomOf } from "../../unit/random.ts";
import { type BadPlan, planBad, SECTOR } from "../bad-plan.ts";
import { contentOf } from "../content.ts";
import { read } from "../ends.ts";
import { type EndsUnderTest, runKilled } from "../kill-run.ts";
import { mapFault } from "../mapfile.ts";

const [program, ...seeds] = process.argv.slice(2) as [string, ...string[]];

/** The host has put the content on the source; the destination was zeros, and what is bad stays so. */
function endsOf(plan: BadPlan, journal: string): EndsUnderTest {
  const { seed, srcOffset, dstOffset, lengthBytes, badReads, badWrites, passes } = plan;
  const content = contentOf(seed, lengthBytes);
  const destination = { path: drive("B").path, offset: dstOffset };
  const written = () => read(destination.path, dstOffset, lengthBytes);
  const bad = passes ? [] : [...new Set([...badReads, ...badWrites])];
  const expected = Buffer.from(content);
  for (const at of bad) expected.fill(0, at, at + SECTOR);
  const fault = () => {
    if (!written().equals(expected))
      return "the destination does not hold exactly what can be read and written";
    if (passes) return undefined;
    const offsets = bad.map((at) => srcOffset + at);
    return mapFault(readFileSync(`${journal}.map`, "utf8"), { offset: srcOffset, lengthBytes }, offsets);
  };
  const source = { path: drive("A").path, offset: srcOffset };
  return { source, destination, lengthBytes, content, prepare: () => {}, written, fault };
}

for (const [slot, text] of seeds.entries()) {
  const seed = Number(text);
  const plan = planBad(seed, slot);
  const journal = `/run/p2pdma/${seed}.journal`;
  const rate = String(Math.ceil((plan.lengthBytes * 1000) / plan.movingMs));
  const depth = seed % 2 === 0 ? ["--depth", "8"] : [];
  const tries = [...depth, "--retries", "1", "--retry-delay", "5ms"];
  const report = await runKilled(
    {
      ...{ seed, kind: "bad-sectors", program: [process.execPath, program], journal, mostKills: 2 },
      ends: endsOf(plan, journal),
      movingMs: plan.movingMs,
      options: [
        ...["--via", "p2p", "--chunk", `${plan.chunkKiB}K`, "--checkpoint", "100ms", "--rate", rate],
        ...["--allow-write", "--on-error", plan.passes ? "stop" : "skip", ...tries],
      ],
      resumeOptions: ["--allow-write", "--rate", rate],
      badMedia: { exitCode: plan.passes ? 0 : 5, mayStop: plan.passes },
    },
    randomOf(seed + 1),
  );
  const spots = `${plan.badReads.length} bad to read, ${plan.badWrites.length} to write${plan.passes ? ", passing" : ""}`;
  process.stdout.write(`${JSON.stringify({ ...report, detail: `${spots}: ${report.detail}` })}\n`);
}
