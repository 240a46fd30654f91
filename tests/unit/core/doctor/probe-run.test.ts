// SPDX-License-Identifier: MIT
// The parent's side of --probe, with children that answer, fail, stay silent, or die.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Probe } from "../../../../core/doctor/probe.ts";
import { makeProbes, type ProbeMessage } from "../../../../core/doctor/probe-child.ts";
import { runProbes } from "../../../../core/doctor/probe-run.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { type Native, SyscallError } from "../../../../ffi/index.ts";
import { A, B, server } from "./healthy.ts";

const probes: readonly Probe[] = ["1", "2", "3"].map((at) => ({
  ...{ provider: A as Bdf, client: B as Bdf, path: `/dev/nvme${at}n1`, lengthBytes: 4096 },
}));

/** A child of a few lines; `tell` prints a message, `probes` is what it was given. */
function child(code: string): string[] {
  const head =
    "const probes = JSON.parse(process.argv.at(-1)); const tell = (m) => console.log(JSON.stringify(m));";
  return [process.execPath, "-e", `${head}${code}`];
}

const good = (index: number) =>
  `tell({begins:${index}});tell({ended:${index},outcome:"moved",isFragmented:false});`;

test("runProbes() hands on what the child found", async () => {
  const results = await runProbes(
    child(
      `probes.forEach((_, at) => { tell({begins:at}); tell({ended:at,outcome:at===1?"refused":"moved",code:at===1?"EREMOTEIO":undefined,isFragmented:at===2}); })`,
    ),
    probes,
    5000,
  );
  assert.equal(
    results.map(({ path, outcome, code, isFragmented }) => [path, outcome, code, isFragmented]),
    [
      ["/dev/nvme1n1", "moved", undefined, false],
      ["/dev/nvme2n1", "refused", "EREMOTEIO", false],
      ["/dev/nvme3n1", "moved", undefined, true],
    ],
  );
});

test("runProbes() gives up a child that does not answer, and tries nothing more", async () => {
  const started = performance.now();
  const results = await runProbes(
    child(`${good(0)}tell({begins:1});setInterval(() => {}, 1000);`),
    probes,
    300,
  );
  assert.equal(
    results.map(({ outcome }) => outcome),
    ["moved", "hangs", "untried"],
  );
  assert.ok(performance.now() - started < 10_000);
});

test("runProbes() says why a child died", async () => {
  const results = await runProbes(
    child(`${good(0)}console.error("out of luck");process.exit(1);`),
    probes,
    5000,
  );
  assert.equal(
    results.map(({ outcome, code }) => [outcome, code]),
    [
      ["moved", undefined],
      ["failed", "out of luck"],
      ["untried", undefined],
    ],
  );
  const [first] = await runProbes(["/nonexistent/program"], probes, 5000);
  assert.is(first?.outcome, "failed");
  assert.match(first?.code ?? "", /ENOENT/);
});

test("runProbes() starts nothing for nothing", async () => {
  assert.equal(await runProbes(["/nonexistent/program"], [], 5000), []);
});

/** A kernel whose reads end as told, and whose provider has only so much in one piece. */
function fakeKernel(errno: number | undefined, largestBytes = 1 << 30): Native {
  const kernel = {
    open: (path: string) => ({ fd: 3, path }),
    close: () => undefined,
    mapShared: (_: number, lengthBytes: number, label: string) => {
      if (lengthBytes > largestBytes) throw new SyscallError("mmap", 12, label);
      return { lengthBytes, close: () => undefined };
    },
    pageFrames: () => [0x18000000n],
    readFully: (file: { path: string }) => {
      if (errno !== undefined) throw new SyscallError("pread", errno, file.path);
    },
  };
  return kernel as unknown as Native;
}

function ended(native: Native, probe: Partial<Probe> = {}) {
  const told: ProbeMessage[] = [];
  const one: Probe = {
    provider: A as Bdf,
    client: B as Bdf,
    path: "/dev/nvme1n1",
    lengthBytes: 4096,
    ...probe,
  };
  makeProbes(server(), native, [one], (message) => told.push(message));
  const last = told.at(-1);
  return last && "ended" in last ? [last.outcome, last.code, last.isFragmented] : undefined;
}

test("makeProbes() tells success, refusal and failure apart", () => {
  assert.equal(ended(fakeKernel(undefined)), ["moved", undefined, false]);
  assert.equal(ended(fakeKernel(121)), ["refused", "EREMOTEIO", false]);
  assert.equal(ended(fakeKernel(22)), ["refused", "EINVAL", false]);
  assert.equal(ended(fakeKernel(5)), ["failed", "EIO", false]);
  assert.equal(ended(fakeKernel(undefined), { provider: "0000:09:00.0" as Bdf }), [
    "failed",
    "ENODEV",
    false,
  ]);
});

test("makeProbes() has the memory before the drive's time begins", () => {
  const steps: string[] = [];
  const kernel = fakeKernel(undefined) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const watched = new Proxy(kernel, {
    get: (target, name: string) => {
      steps.push(name);
      return target[name];
    },
  }) as unknown as Native;
  const one: Probe = { provider: A as Bdf, client: B as Bdf, path: "/dev/nvme1n1", lengthBytes: 4096 };
  makeProbes(server(), watched, [one], (message) => steps.push("begins" in message ? "begins" : "ended"));
  const after = steps.slice(steps.indexOf("begins"));
  assert.equal(after, ["begins", "open", "readFully", "close", "ended"]);
  assert.ok(steps.indexOf("mapShared") < steps.indexOf("begins"), steps.join());
});

test("makeProbes() notices memory in pieces, and memory that is none of the provider's", () => {
  assert.equal(ended(fakeKernel(undefined, 1 << 20)), ["moved", undefined, true]);
  const elsewhere = { ...fakeKernel(undefined), pageFrames: () => [1n] } as unknown as Native;
  assert.equal(ended(elsewhere)?.slice(0, 2), ["failed", "NOT_RESIDENT"]);
});

test.run();
