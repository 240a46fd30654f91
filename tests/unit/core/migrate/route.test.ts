// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Endpoint } from "../../../../core/copy/endpoint.ts";
import { resolveRange } from "../../../../core/copy/range.ts";
import { type CopyRequest, DEFAULTS } from "../../../../core/copy/request.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { type PlannedRoute, planPairRoute } from "../../../../core/migrate/route.ts";
import type { Machine } from "../../../../core/topo/index.ts";
import { fakeDrive, fakeFile } from "../copy/fakes.ts";
import { downstream, drive, fakeMachine, rootPort, upstream } from "../topo/fake-machine.ts";
import { oneSwitch, rootPorts } from "../topo/machines.ts";

const MIB = 1n << 20n;
const [A, B, C] = ["0000:03:00.0", "0000:04:00.0", "0000:05:00.0"] as const;
const plenty = () => 64n * MIB;

function route(
  machine: Machine,
  [src, dst]: readonly [Endpoint, Endpoint],
  over: Partial<CopyRequest> = {},
  capacity: (provider: string) => bigint = plenty,
): PlannedRoute {
  const request: CopyRequest = { ...DEFAULTS, source: src.path, destination: dst.path, ...over };
  const range = resolveRange(src, dst, request);
  return planPairRoute(machine, request, { src, dst, range }, capacity);
}

const one = fakeMachine(oneSwitch());
const between = (from: string, to: string) => [fakeDrive("x", from), fakeDrive("y", to)] as const;

test("planPairRoute() settles provider, depth and the memory it takes", () => {
  const { via, provider, depth, stagingBytes, uplinks } = route(one, between(A, B), { depth: 8 });
  assert.equal([via, provider, depth], ["p2p", { bdf: B, name: "nvme1", side: "destination" }, 8]);
  assert.is(stagingBytes, 8n * 131072n);
  assert.equal(uplinks, [], "traffic below one switch turns round inside it");
});

test("planPairRoute() takes no more slots than there are chunks", () => {
  assert.is(route(one, between(A, B), { length: 3n * 131072n }).depth, 3);
});

test("planPairRoute() lowers a depth that nobody asked for until it fits, and takes the next provider when it can't", () => {
  const tight = (provider: string) => (provider === B ? 300_000n : 64n * MIB);
  const lowered = route(one, between(A, B), {}, tight);
  assert.equal([lowered.provider?.bdf, lowered.depth], [B, 2]);
  const elsewhere = route(one, between(A, B), { depth: 8 }, tight);
  assert.equal([elsewhere.provider?.bdf, elsewhere.depth], [A, 8]);
});

test("planPairRoute() refuses peer-to-peer that can't be, and says why; auto goes through RAM, saying the same", () => {
  const machine = fakeMachine(rootPorts());
  const ends = between("0000:01:00.0", "0000:02:00.0");
  assert.throws(
    () => route(machine, ends, { via: "p2p" }),
    (error: P2pdmaError) => error.exitCode === 3 && /nvme0: .*8086:29c0/.test(error.message),
  );
  const auto = route(machine, ends);
  assert.is(auto.via, "ram");
  assert.match(auto.reason ?? "", /nvme0: .*8086:29c0/);
  assert.throws(
    () => route(one, between(A, B), { via: "p2p" }, () => 4096n),
    /nvme1 has 4(\.00)? KiB of p2pmem for this job, 128 KiB are needed/,
  );
  const file = fakeFile("/tmp/x", MIB, { peerProblem: '"/tmp/x" is on tmpfs' });
  assert.is(route(one, [file, fakeDrive("y", B)]).reason, '"/tmp/x" is on tmpfs');
});

test("planPairRoute() takes a provider that the plan names at its word", () => {
  const ends = between("0000:01:00.0", "0000:02:00.0");
  const named = route(fakeMachine(rootPorts()), ends, { via: "p2p", provider: "nvme0" });
  assert.is(named.provider?.bdf, "0000:01:00.0");
});

test("planPairRoute() counts the uplinks that the data cross", () => {
  const viaRam = route(one, between(A, C), { via: "ram" });
  assert.equal(viaRam.uplinks, ["0000:01:00.0"]);
  const cascade = fakeMachine([
    rootPort("0000:00:10.0"),
    upstream("0000:01:00.0", "0000:00:10.0"),
    downstream("0000:02:00.0", "0000:01:00.0"),
    downstream("0000:02:01.0", "0000:01:00.0"),
    drive("0000:03:00.0", "0000:02:00.0", "nvme0", { p2pmemMiB: 64 }),
    upstream("0000:04:00.0", "0000:02:01.0"),
    downstream("0000:05:00.0", "0000:04:00.0"),
    drive("0000:06:00.0", "0000:05:00.0", "nvme1"),
  ]);
  const across = route(cascade, between("0000:06:00.0", "0000:03:00.0"));
  assert.equal([across.via, across.uplinks], ["p2p", ["0000:04:00.0"]], "the lower switch's only");
});

test("planPairRoute() leaves a copy within a drive to the drive", () => {
  const within = route(one, between(A, A), { via: "nvme-copy", seek: MIB, length: MIB });
  assert.equal([within.via, within.stagingBytes, within.uplinks], ["nvme-copy", 0n, []]);
});

test.run();
