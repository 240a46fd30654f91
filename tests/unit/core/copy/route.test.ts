// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rankCandidates } from "../../../../core/copy/candidates.ts";
import { chooseRoute, type RouteRequest } from "../../../../core/copy/route.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { HeldBuffer } from "../../../../core/p2pmem/held-buffer.ts";
import type { Provider } from "../../../../core/p2pmem/providers.ts";
import { lendersOf, piecesOf } from "../../../../core/p2pmem/stripe.ts";
import type { Machine } from "../../../../core/topo/index.ts";
import { type Native, native, SyscallError } from "../../../../ffi/index.ts";
import { MemoryFiles } from "../../memory-files.ts";
import { fakeDrive, fakeSwitch } from "./fakes.ts";

const src = fakeDrive("nvme0n1", "0000:03:00.0");
const dst = fakeDrive("nvme1n1", "0000:04:00.0");

function provider(bdf: string, name: string): Provider {
  const path = `/sys/bus/pci/devices/${bdf}/p2pmem/allocate`;
  return {
    ...{
      bdf: bdf as Provider["bdf"],
      name,
      sizeBytes: 1n << 26n,
      availableBytes: 1n << 26n,
      isPublished: true,
    },
    allocators: [{ kind: "sysfs", path }],
    resources: [{ index: 2, start: 0xf4000000n, end: 0xf7ffffffn, flags: 0x200n }],
  };
}

const third = provider("0000:05:00.0", "pci-p2pmem-bar");
const own = provider("0000:03:00.0", "nvme0");
const peer = provider("0000:04:00.0", "nvme1");

const request: RouteRequest = {
  ...{ via: "auto", provider: undefined, allocator: undefined, chunkBytes: 4096, depth: 8, leastDepth: 1 },
  ...{ mayLowerDepth: true, mayMerge: false },
};

/** The kernel's part: which probes fail, and how much p2pmem a map may take. */
function fakeKernel(
  refused: (path: string) => string | undefined,
  mostBytes = Number.POSITIVE_INFINITY,
): Native {
  return {
    ...native,
    open: (path: string) => ({ fd: 1, path }),
    close: () => {},
    mapShared: (_fd: number, lengthBytes: number, label: string) => {
      if (lengthBytes > mostBytes) throw new SyscallError("mmap", 12, label);
      return native.mapRam(lengthBytes);
    },
    pageFrames: (mapping: { lengthBytes: number }) =>
      Array.from({ length: mapping.lengthBytes / 4096 }, (_, page) => 0xf4000n + BigInt(page)),
    readFully: (file: { path: string }) => {
      const code = refused(file.path);
      if (code) throw new SyscallError("pread", code === "EREMOTEIO" ? 121 : 22, file.path);
      return 512;
    },
  } as unknown as Native;
}

const all = [third, own, peer];
const never = () => undefined;

function land(providers: readonly Provider[], redirecting: readonly string[] = []): Machine {
  const tree = fakeSwitch(redirecting);
  const devices = providers.flatMap((provider) => {
    const pci = tree.functions.get(provider.bdf);
    const { bdf, name } = provider;
    return pci ? [{ bdf, name, pci, provider, controller: undefined, isClient: false }] : [];
  });
  const platform = { kernel: { major: 6, minor: 12 }, isAmdZen: false };
  const host = { name: "h", kernelRelease: "6.12", cpuModel: "c", platform, isOtherKernel: false };
  return { host, tree, devices, busOffsets: new Map(), isAcsHidden: false };
}

function rank(redirecting: readonly string[], wanted?: string): string[] {
  return rankCandidates(land(all, redirecting), src, dst, wanted).map(({ provider: { name } }) => name);
}

test("rankCandidates() prefers the destination's memory, then the source's, then others", () => {
  assert.equal(rank([]), ["nvme1", "nvme0", "pci-p2pmem-bar"]);
});

test("rankCandidates() puts what the kernel should refuse last", () => {
  const ports = { source: "0000:02:00.0", destination: "0000:02:01.0", third: "0000:02:02.0" };
  assert.equal(rank([ports.third]), ["nvme1", "nvme0", "pci-p2pmem-bar"]);
  const verdicts = rankCandidates(land(all, [ports.third]), src, dst, undefined);
  assert.equal(
    verdicts.map(({ source, destination }) => [source?.verdict.mapType, destination?.verdict.mapType]),
    [
      ["BUS_ADDR", "BUS_ADDR"],
      ["BUS_ADDR", "BUS_ADDR"],
      ["NOT_SUPPORTED", "NOT_SUPPORTED"],
    ],
  );
});

test("rankCandidates() takes the one named, by address or name, and no other", () => {
  assert.equal(rank([], "0000:05:00.0"), ["pci-p2pmem-bar"]);
  assert.equal(rank([], "/dev/nvme0"), ["nvme0"]);
  assert.throws(
    () => rank([], "nvme7"),
    (error: P2pdmaError) => error.exitCode === 3,
  );
});

test("rankCandidates() takes several that are named, and none of them twice", () => {
  assert.equal(rank([], "0000:05:00.0,nvme1"), ["nvme1", "pci-p2pmem-bar"]);
  for (const [wanted, exitCode] of [
    ["nvme1,0000:04:00.0", 2],
    ["nvme1,nvme7", 3],
    ["nvme1,", 3],
  ] as const) {
    assert.throws(
      () => rank([], wanted),
      (error: P2pdmaError) => error.exitCode === exitCode,
    );
  }
});

const shared = { ...request, via: "p2p" as const, provider: "nvme0,nvme1" };

test("chooseRoute() shares the slots out in turn when several providers are named", () => {
  const route = chooseRoute(fakeKernel(never), land(all), src, dst, { ...shared, depth: 5 });
  const lenders = lendersOf(route.staging).map(({ name }) => name);
  assert.equal([route.depth, lenders], [5, ["nvme1", "nvme0"]]);
  const [first, second] = piecesOf(route.staging).map(({ mapping }) => mapping);
  const places = route.staging.slots.map(({ mapping, offsetBytes }) => [
    mapping === first ? 1 : 2,
    offsetBytes,
  ]);
  assert.equal(places, [
    [1, 0],
    [2, 0],
    [1, 4096],
    [2, 4096],
    [1, 8192],
  ]);
  route.staging.close();
  for (const mapping of [first, second]) assert.throws(() => mapping && native.fill(mapping, 0), /is closed/);
});

test("chooseRoute() mixes no drive's own memory with others' where requests may be merged", () => {
  const merging = { ...shared, mayMerge: true };
  assert.throws(
    () => chooseRoute(fakeKernel(never), land(all), src, dst, merging),
    (error: P2pdmaError) =>
      error.exitCode === 3 && /nvme1\) can't share .* the copy's destination/.test(error.message),
  );
  const elsewhere = fakeDrive("nvme7n1", "0000:05:00.0");
  const route = chooseRoute(fakeKernel(never), land([own, peer]), elsewhere, elsewhere, merging);
  assert.is(lendersOf(route.staging).length, 2);
});

test("chooseRoute() lets go of all memory when one of several providers is refused", () => {
  let open = 0;
  const kernel = fakeKernel(never);
  let probes = 0;
  const refusing = {
    ...kernel,
    mapShared: (fd: number, lengthBytes: number, label: string) => {
      const mapping = kernel.mapShared(fd, lengthBytes, label);
      const close = mapping.close.bind(mapping);
      open++;
      return Object.assign(mapping, {
        close: () => {
          open--;
          close();
        },
      });
    },
    readFully: (file: { path: string }) => {
      if (++probes > 3) throw new SyscallError("pread", 121, file.path);
      return 512;
    },
  } as unknown as Native;
  assert.throws(
    () => chooseRoute(refusing, land(all), src, dst, shared),
    (error: P2pdmaError) => error.code === "P2P_REFUSED",
  );
  assert.equal([probes, open], [4, 0]);
});

test("chooseRoute() explains a refusal by the port that redirects", () => {
  const machine = land([peer], ["0000:02:01.0"]);
  const route = chooseRoute(
    fakeKernel((path) => (path === src.path ? "EREMOTEIO" : undefined)),
    machine,
    src,
    dst,
    request,
  );
  assert.match(
    route.rejected.join(),
    /EREMOTEIO \(ACS on 0000:02:01.0 sends data up to the host bridge, but .*8086:29c0/,
  );
});

test("chooseRoute() takes the first provider that serves both ends", () => {
  const route = chooseRoute(fakeKernel(never), land(all), src, dst, request);
  assert.is(route.staging.provider?.name, "nvme1");
  assert.is(route.depth, 8);
});

test("chooseRoute() halves the depth when p2pmem is short, down to what is needed", () => {
  const route = chooseRoute(fakeKernel(never, 3 * 4096), land([peer]), src, dst, request);
  assert.is(route.via, "p2p");
  assert.is(route.depth, 2);
});

test("chooseRoute() keeps a depth that was asked for, or says it does not fit", () => {
  const fixed = { ...request, via: "p2p" as const, mayLowerDepth: false };
  assert.throws(
    () => chooseRoute(fakeKernel(never, 3 * 4096), land([peer]), src, dst, fixed),
    (error: P2pdmaError) => error.code === "NO_P2PMEM" && error.exitCode === 3,
  );
});

for (const code of ["EREMOTEIO", "EINVAL"]) {
  test(`chooseRoute() with --via p2p fails closed on ${code} and names both devices`, () => {
    const kernel = fakeKernel(() => code);
    assert.throws(
      () => chooseRoute(kernel, land([peer]), src, dst, { ...request, via: "p2p" }),
      (error: P2pdmaError) =>
        error.code === "P2P_REFUSED" &&
        error.exitCode === 3 &&
        /0000:03:00\.0.*0000:04:00\.0/.test(error.message),
    );
  });
}

test("chooseRoute() with --via auto takes RAM and keeps the reasons", () => {
  const route = chooseRoute(
    fakeKernel((path) => (path === src.path ? "EREMOTEIO" : undefined)),
    land([peer]),
    src,
    dst,
    request,
  );
  assert.is(route.via, "ram");
  assert.match(route.rejected.join(), /refuses DMA between 0000:03:00.0/);
});

test("chooseRoute() judges the destination too", () => {
  const route = chooseRoute(
    fakeKernel((path) => (path === dst.path ? "EREMOTEIO" : undefined)),
    land([own]),
    src,
    dst,
    request,
  );
  assert.is(route.via, "ram");
});

test("chooseRoute() rejects memory that is not inside the provider's BAR", () => {
  const liar = { ...fakeKernel(never), pageFrames: () => [0x1000n] } as Native;
  assert.throws(
    () => chooseRoute(liar, land([peer]), src, dst, { ...request, via: "p2p" }),
    (error: P2pdmaError) => error.code === "NOT_RESIDENT",
  );
});

test("chooseRoute() does not try providers for an end that can never take part", () => {
  const stacked = { ...dst, peerProblem: '"dm-0" is stacked on nvme1n1' };
  const route = chooseRoute(fakeKernel(never), land(all), src, stacked, request);
  assert.equal(route.rejected, ['"dm-0" is stacked on nvme1n1']);
});

/** Three pages of the peer's memory, taken from the fake kernel. */
function hold(kernel: Native): HeldBuffer {
  const device = `/sys/bus/pci/devices/${peer.bdf}`;
  const sys = new MemoryFiles();
  for (const name of ["size", "available"]) sys.write(`${device}/p2pmem/${name}`, "1048576");
  sys.write(`${device}/p2pmem/allocate`, "");
  sys.write(`${device}/resource`, "0x0 0x0 0x0\n0x0 0x0 0x0\n0xf4000000 0xf7ffffff 0x200\n");
  return HeldBuffer.allocate({ sys, native: kernel }, { name: "x", provider: peer.bdf, sizeBytes: 12_288n });
}

test("chooseRoute() through a held buffer takes no more memory, and as many slots as it has", () => {
  const kernel = fakeKernel(never);
  using through = hold(kernel);
  const full = fakeKernel(never, 0);
  const held = { ...request, via: "p2p", provider: peer.bdf, through } as const;
  const route = chooseRoute(full, land(all), src, dst, held);
  assert.is(route.staging.provider?.bdf, peer.bdf);
  assert.is(route.depth, 3);
  assert.ok(through.isBusy);
  route.staging.close();
  assert.is(through.isBusy, false);
  assert.throws(
    () => chooseRoute(full, land(all), src, dst, { ...held, mayLowerDepth: false }),
    (error: P2pdmaError) =>
      error.exitCode === 3 && /buffer "x" holds 12 KiB, needed 8 x 4 KiB/.test(error.message),
  );
});

test("chooseRoute() through a held buffer fails closed, and returns it", () => {
  using through = hold(fakeKernel(never));
  const refusing = fakeKernel(() => "EREMOTEIO");
  const held = { ...request, via: "p2p", provider: peer.bdf, through } as const;
  assert.throws(
    () => chooseRoute(refusing, land(all), src, dst, held),
    (error: P2pdmaError) => error.exitCode === 3 && error.code === "P2P_REFUSED",
  );
  assert.is(through.isBusy, false);
});

test.run();
