// SPDX-License-Identifier: MIT
// --provider A,B: by QEMU's own record every chunk goes through one of the providers' memory, and each carries its share.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { validateAgainst } from "../schema.ts";
import { tempFolder } from "../unit/temp.ts";
import { p2pdma } from "./boot.ts";
import { countPayload, PAYLOAD_EVENTS, parseTrace } from "./trace.ts";

const LENGTH = 8 << 20;
const GIB = 1 << 30;
const trace = join(tempFolder("stripes"), "trace");
const lab = await startLab({ topology: "three-providers", trace: { file: trace, events: PAYLOAD_EVENTS } });
test.after(() => lab.close());

const inGuest = (script: string) => captureIn(lab, { command: ["bash", "-c", script], timeoutMs: 120_000 });

/** From A to D, each time at places of their own. */
const copy = (providers: string, at: number, ...options: string[]) =>
  inGuest(
    [
      ...[...p2pdma, "copy --json --via p2p --verify --no-journal --sparse never --allow-write"],
      ...[
        "--provider",
        providers,
        "--length",
        LENGTH,
        "--offset",
        at * GIB,
        "--seek",
        (at + 1) * GIB,
        ...options,
      ],
      "/dev/lab/A /dev/lab/D",
    ].join(" "),
  );

await inGuest(`dd if=/dev/urandom of=/dev/lab/A bs=1M seek=1024 count=8 oflag=direct status=none`);

for (const [what, names, at, ...options] of [
  ["two that are neither end", ["nvme1", "nvme2"], 1],
  ["the source and another, by passthrough", ["nvme0", "nvme2"], 4, "--engine passthrough"],
] as const) {
  test(`chunks are shared out between ${what}`, async () => {
    const { exitCode, stdout, stderr } = await copy(names.join(), at, ...options);
    assert.is(exitCode, 0, stderr);
    const receipt = JSON.parse(stdout);
    validateAgainst("copy", receipt);
    const { staging, verification } = receipt;
    assert.is(verification.equal, true);
    const memory = [staging, ...staging.beside];
    assert.equal(memory.map(({ providerName }) => providerName).sort(), [...names]);
    const commands = parseTrace(readFileSync(trace, "utf8"));
    for (const [direction, from] of [
      ["read", at],
      ["write", at + 1],
    ] as const) {
      const [first = 0, second = 0] = memory.map(({ bar, residency }) => {
        assert.match(residency, /^all \d+ pages inside BAR/);
        const window = { start: Number(bar.start), end: Number(bar.end) + 1 };
        return countPayload(commands, direction, from * GIB, LENGTH, window).inBar;
      });
      // The verification reads the source once more. Which slot is free first is up to the drives.
      const all = direction === "read" ? 2 * LENGTH : LENGTH;
      assert.is(first + second, all, direction);
      assert.ok(first >= all / 4 && second >= all / 4, `${direction}: ${first} and ${second}`);
    }
  });
}

test("a drive's own memory is not mixed with others' by merged requests", async () => {
  const { exitCode, stderr } = await copy("nvme0,nvme2", 6);
  assert.is(exitCode, 3, stderr);
  assert.match(stderr, /nvme0\) can't share the chunks out with others: it is the copy's source/);
});

test.run();
