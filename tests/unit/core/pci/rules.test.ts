// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { ACS_BITS } from "../../../../core/pci/config-space.ts";
import { type KernelVersion, parseKernelVersion } from "../../../../core/pci/p2pdma-history.ts";
import {
  distanceToAll,
  nearestProviders,
  type Platform,
  predict,
  type Rule,
  type Verdict,
} from "../../../../core/pci/rules.ts";
import { type PciTree, readPciTree } from "../../../../core/pci/tree.ts";
import { armAltra } from "../../../fixtures/machines/arm-altra.ts";
import type { FunctionDescription, MachineDescription } from "../../../fixtures/machines/description.ts";
import { hostBridge, peripheral, port } from "../../../fixtures/machines/description.ts";
import { desktopRocketLake } from "../../../fixtures/machines/desktop-rocket-lake.ts";
import { epyc } from "../../../fixtures/machines/epyc.ts";
import { vmFlat, vmSwitch } from "../../../fixtures/machines/virtual.ts";
import { vmdServer } from "../../../fixtures/machines/vmd.ts";
import { xeonIcelake } from "../../../fixtures/machines/xeon-icelake.ts";
import { xeonSkylake } from "../../../fixtures/machines/xeon-skylake.ts";
import { capturedMachine, machineFiles, manyFunctions } from "../../machines.ts";
import { type Random, randomOf } from "../../random.ts";

const bdf = (text: string) => text as Bdf;
const kernelOf = (text: string) => parseKernelVersion(text) as KernelVersion;
const on = (kernel: string, isAmdZen = false): Platform => ({ kernel: kernelOf(kernel), isAmdZen });

/** The releases of the table below, in the order of its columns. */
const KERNELS = "4.19 4.20 5.1 5.2 5.3 5.4 5.8 5.9 5.18 5.19 6.1 6.2 6.12 7.1".split(" ");
const LETTERS = { BUS_ADDR: "B", THRU_HOST_BRIDGE: "T", NOT_SUPPORTED: "." } as const;
const UNCERTAIN = "?";

const letterOf = ({ mapType }: Verdict) => (mapType ? LETTERS[mapType] : UNCERTAIN);

function columns(tree: PciTree, provider: string, client: string, isAmdZen = false): string {
  const verdicts = KERNELS.map((kernel) => predict(tree, on(kernel, isAmdZen), bdf(provider), bdf(client)));
  return verdicts.map(letterOf).join(" ");
}

function treeOf(roots: MachineDescription["roots"]): PciTree {
  const machine = { name: "table", source: "made up", kernel: "6.12.0", cpu: {}, roots };
  return readPciTree(machineFiles(machine));
}

const acs = (control: number = ACS_BITS.requestRedirect) => ({ acs: { capability: 0x5f, control } });
const leaf = (at: string, extra: Partial<FunctionDescription> = {}): FunctionDescription => ({
  ...{ at: `0000:${at}`, ids: "144d:a80c", type: "endpoint", classCode: 0x010802, ...extra },
});
const root = (at: string, children: FunctionDescription[], extra: Partial<FunctionDescription> = {}) =>
  port(`0000:${at}`, "8086:1901", "root-port", children, extra);

/** Two drives (03:00.0, 04:00.0) below one switch; `over` changes functions by address. */
function oneSwitch(host = "8086:3c00", over: Record<string, Partial<FunctionDescription>> = {}): PciTree {
  const change = (one: FunctionDescription): FunctionDescription => ({
    ...one,
    ...over[one.at.slice("0000:".length)],
    children: (one.children ?? []).map(change),
  });
  const tree = root("00:01.0", [
    port("0000:01:00.0", "104c:8232", "upstream-port", [
      port("0000:02:00.0", "104c:8233", "downstream-port", [leaf("03:00.0")]),
      port("0000:02:01.0", "104c:8233", "downstream-port", [leaf("04:00.0")]),
    ]),
  ]);
  return treeOf({ "pci0000:00": [hostBridge("0000:00:00.0", host), change(tree)] });
}

/** Two drives below two root ports of one host bridge. */
function twoPorts(host: string, extra: Partial<FunctionDescription> = {}): PciTree {
  return treeOf({
    "pci0000:00": [
      hostBridge("0000:00:00.0", host),
      root("00:01.0", [leaf("03:00.0", extra)]),
      root("00:02.0", [leaf("04:00.0", extra)]),
    ],
  });
}

/** A drive below a root port of each of two host bridges. */
function twoHosts(first: string, second: string): PciTree {
  return treeOf({
    "pci0000:00": [hostBridge("0000:00:00.0", first), root("00:01.0", [leaf("03:00.0")])],
    "pci0000:80": [hostBridge("0000:80:00.0", second), root("80:01.0", [leaf("84:00.0")])],
  });
}

/** The same, where each root bus begins with what is given. */
function rootsBeginWith(first: FunctionDescription): PciTree {
  return treeOf({
    "pci0000:00": [first, root("00:10.0", [leaf("03:00.0")]), root("00:11.0", [leaf("04:00.0")])],
  });
}

const PAIR = ["0000:03:00.0", "0000:04:00.0"] as const;
//                4.19 . 5.1 . 5.3 . 5.8 . 5.18 . 6.1 . 6.12 7.1
const NEVER = "    .  .  .  .  .  .  .  .  .  .  .  .  .  .";
const DIRECT = "   .  B  B  B  B  B  B  B  B  B  B  B  B  B";
const SINCE_5_4 = ".  .  .  .  .  T  T  T  T  T  T  T  T  T";
const SINCE_5_8 = ".  .  .  .  .  .  T  T  T  T  T  T  T  T";
const SINCE_5_18 = ". .  .  .  .  .  .  .  T  T  T  T  T  T";
const SINCE_5_19 = ". .  .  .  .  .  .  .  .  T  T  T  T  T";
const SINCE_7_1 = ". .  .  .  .  .  .  .  .  .  .  .  .  T";
const ZEN_1 = "    .  .  .  T  T  T  T  T  T  T  T  T  T  T";
const ZEN_3 = "    .  .  .  .  .  .  .  T  T  T  T  T  T  T";
const ZEN_1_LIST = ". .  .  T  T  T  T  .  .  .  .  .  .  .";

interface Row {
  readonly situation: string;
  readonly tree: PciTree;
  readonly pair?: readonly [string, string];
  readonly zen?: boolean;
  readonly expected: string;
  /** In 6.12. */
  readonly rule: Rule;
  readonly distance: number;
}

const siblings = treeOf({
  "pci0000:00": [
    hostBridge("0000:00:00.0", "8086:4c43"),
    root("00:01.0", [leaf("03:00.0"), leaf("03:00.1")]),
  ],
});
const cascade = treeOf({
  "pci0000:00": [
    root("00:01.0", [
      port("0000:01:00.0", "104c:8232", "upstream-port", [
        port("0000:02:00.0", "104c:8233", "downstream-port", [leaf("03:00.0")]),
        port("0000:02:01.0", "104c:8233", "downstream-port", [
          port("0000:10:00.0", "104c:8232", "upstream-port", [
            port("0000:11:00.0", "104c:8233", "downstream-port", [leaf("12:00.0")]),
          ]),
        ]),
      ]),
    ]),
  ],
});
const onRootBus = treeOf({
  "pci0000:00": [
    hostBridge("0000:00:00.0", "8086:3c00"),
    leaf("00:1f.2", { type: "root-complex-endpoint" }),
    leaf("00:1f.3", { type: "root-complex-endpoint" }),
  ],
});

const rows: Row[] = [
  {
    ...{ situation: "the same function", tree: oneSwitch("8086:4c43"), pair: [PAIR[0], PAIR[0]] },
    ...{ expected: DIRECT, rule: "same-function", distance: 0 },
  },
  {
    situation: "the same function, which itself redirects",
    tree: oneSwitch("8086:3c00", { "03:00.0": acs() }),
    ...{ pair: [PAIR[0], PAIR[0]], expected: SINCE_5_4, rule: "whitelisted-host-bridge", distance: 0 },
  },
  {
    ...{ situation: "two functions of one device", tree: siblings, pair: ["0000:03:00.0", "0000:03:00.1"] },
    ...{ expected: DIRECT, rule: "common-bridge", distance: 2 },
  },
  {
    ...{ situation: "one switch", tree: oneSwitch("8086:4c43") },
    ...{ expected: DIRECT, rule: "common-bridge", distance: 4 },
  },
  {
    ...{ situation: "a switch below a switch", tree: cascade, pair: ["0000:03:00.0", "0000:12:00.0"] },
    ...{ expected: DIRECT, rule: "common-bridge", distance: 6 },
  },
  {
    ...{ situation: "a switch's own memory for a drive below it", tree: cascade },
    ...{ pair: ["0000:10:00.0", "0000:12:00.0"], expected: DIRECT, rule: "common-bridge", distance: 2 },
  },
  {
    ...{
      situation: "endpoints of the root complex itself",
      tree: onRootBus,
      pair: ["0000:00:1f.2", "0000:00:1f.3"],
    },
    ...{ expected: SINCE_5_4, rule: "whitelisted-host-bridge", distance: 2 },
  },
  ...["03:00.0", "02:00.0", "01:00.0", "02:01.0", "04:00.0"].flatMap((where): Row[] => [
    {
      situation: `one switch, ${where} redirects, listed host bridge`,
      tree: oneSwitch("8086:3c00", { [where]: acs() }),
      ...{ expected: SINCE_5_4, rule: "whitelisted-host-bridge", distance: 4 },
    },
    {
      situation: `one switch, ${where} redirects, unlisted host bridge`,
      tree: oneSwitch("8086:29c0", { [where]: acs() }),
      ...{ expected: NEVER, rule: "acs-redirect", distance: 4 },
    },
    {
      situation: `one switch, ${where} redirects, Zen 2`,
      tree: oneSwitch("1022:1480", { [where]: acs() }),
      ...{ zen: true, expected: ZEN_3, rule: "amd-zen", distance: 4 },
    },
  ]),
  ...[ACS_BITS.completionRedirect, ACS_BITS.egressControl].map(
    (bit): Row => ({
      situation: `one switch, ACS bit ${bit} of a port`,
      tree: oneSwitch("8086:29c0", { "02:00.0": acs(bit) }),
      ...{ expected: NEVER, rule: "acs-redirect", distance: 4 },
    }),
  ),
  {
    situation: "one switch, ACS isolates without redirecting",
    tree: oneSwitch("8086:29c0", { "02:00.0": acs(0x53), "01:00.0": acs(0x53) }),
    ...{ expected: DIRECT, rule: "common-bridge", distance: 4 },
  },
  {
    situation: "one switch, the root port above it redirects",
    tree: oneSwitch("8086:29c0", { "00:01.0": acs() }),
    ...{ expected: DIRECT, rule: "common-bridge", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Xeon E5", tree: twoPorts("8086:3c00"), expected: SINCE_5_4 },
    ...{ rule: "whitelisted-host-bridge", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Skylake-E", tree: twoPorts("8086:2030"), expected: SINCE_5_8 },
    ...{ rule: "whitelisted-host-bridge", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Ice Lake Xeon", tree: twoPorts("8086:09a2"), expected: SINCE_5_18 },
    ...{ rule: "whitelisted-host-bridge", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Google", tree: twoPorts("1ae0:0042"), expected: SINCE_7_1 },
    ...{ rule: "host-bridge-not-listed", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Intel client", tree: twoPorts("8086:9b53"), expected: NEVER },
    ...{ rule: "host-bridge-not-listed", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Zen 1", tree: twoPorts("1022:1450"), zen: true, expected: ZEN_1 },
    ...{ rule: "amd-zen", distance: 4 },
  },
  {
    ...{ situation: "two root ports, Zen 3", tree: twoPorts("1022:1630"), zen: true, expected: SINCE_5_8 },
    ...{ rule: "amd-zen", distance: 4 },
  },
  {
    situation: "two root ports, a Zen host bridge on another CPU (Hygon)",
    ...{ tree: twoPorts("1022:1450"), expected: ZEN_1_LIST, rule: "host-bridge-not-listed", distance: 4 },
  },
  {
    situation: "two root ports, Zen 1 with an IOMMU",
    ...{ tree: twoPorts("1022:1450", { iommuGroup: 3 }), zen: true },
    ...{ expected: ".  .  .  .  .  T  T  T  T  T  T  T  T  T", rule: "amd-zen", distance: 4 },
  },
  ...(
    [
      ["8086:3c00", "8086:3c00", NEVER, "different-host-bridges"],
      ["8086:3c00", "8086:2030", NEVER, "different-host-bridges"],
      ["8086:2030", "8086:3c00", NEVER, "different-host-bridges"],
      ["8086:2030", "8086:2020", SINCE_5_8, "whitelisted-host-bridge"],
      ["8086:09a2", "8086:2030", SINCE_5_18, "whitelisted-host-bridge"],
      ["8086:2030", "8086:4c43", NEVER, "host-bridge-not-listed"],
      ["8086:4c43", "8086:2030", NEVER, "host-bridge-not-listed"],
      ["8086:3c00", "8086:4c43", NEVER, "host-bridge-not-listed"],
    ] as const
  ).map(
    ([first, second, expected, rule]): Row => ({
      ...{ situation: `two host bridges, ${first} and ${second}`, tree: twoHosts(first, second) },
      ...{ pair: ["0000:03:00.0", "0000:84:00.0"], expected, rule, distance: 4 },
    }),
  ),
  {
    ...{ situation: "two host bridges, Zen", tree: twoHosts("1022:1480", "1022:1480"), zen: true },
    ...{ pair: ["0000:03:00.0", "0000:84:00.0"], expected: ZEN_3, rule: "amd-zen", distance: 4 },
  },
  {
    situation: "the root bus begins with a listed root port in another slot",
    ...{ tree: rootsBeginWith(port("0000:00:02.0", "8086:2032", "root-port", [])) },
    ...{ expected: SINCE_5_19, rule: "whitelisted-host-bridge", distance: 4 },
  },
  {
    situation: "the root bus begins with an unlisted root port in another slot",
    ...{ tree: rootsBeginWith(port("0000:00:02.0", "8086:1901", "root-port", [])) },
    ...{ expected: NEVER, rule: "host-bridge-not-listed", distance: 4 },
  },
  {
    situation: "the root bus begins with a listed id that is no port, in another slot",
    ...{ tree: rootsBeginWith(peripheral("0000:00:05.0", "8086:2030")) },
    ...{ expected: NEVER, rule: "no-host-bridge-device", distance: 4 },
  },
  {
    situation: "the root bus begins with a listed id in function 1 of device 0",
    ...{ tree: rootsBeginWith(hostBridge("0000:00:00.1", "8086:2030")) },
    ...{ expected: NEVER, rule: "no-host-bridge-device", distance: 4 },
  },
];

for (const { situation, tree, pair = PAIR, zen = false, expected, rule, distance } of rows) {
  test(`predict() through the releases: ${situation}`, () => {
    const wanted = expected.trim().split(/\s+/).join(" ");
    assert.is(columns(tree, pair[0], pair[1], zen), wanted);
    assert.is(columns(tree, pair[1], pair[0], zen), wanted, "the other way round");
    const verdict = predict(tree, on("6.12", zen), bdf(pair[0]), bdf(pair[1]));
    assert.is(verdict.rule, rule);
    assert.is(verdict.distance, distance);
    assert.equal(verdict.possible, [verdict.mapType]);
  });
}

test("predict() adds 0x1000 to the distance through a root complex before 5.4", () => {
  const tree = twoPorts("1022:1450");
  const distances = ["5.2", "5.3", "5.4", "6.12"].map(
    (kernel) => predict(tree, on(kernel, true), bdf(PAIR[0]), bdf(PAIR[1])).distance,
  );
  assert.equal(distances, [0x1004, 0x1004, 4, 4]);
  assert.is(predict(oneSwitch(), on("5.2"), bdf(PAIR[0]), bdf(PAIR[1])).distance, 4);
});

const rulesOfOldKernels: [string, PciTree, Rule][] = [
  ["4.19", oneSwitch(), "no-p2pdma"],
  ["5.1", oneSwitch("8086:3c00", { "02:00.0": acs() }), "acs-redirect"],
  ["5.1", twoPorts("8086:3c00"), "host-bridge-not-listed"],
  ["5.3", twoPorts("1022:1450", { iommuGroup: 1 }), "iommu-present"],
  ["5.4", rootsBeginWith(port("0000:00:02.0", "8086:2030", "root-port", [])), "no-host-bridge-device"],
];
for (const [kernel, tree, rule] of rulesOfOldKernels) {
  test(`predict() in ${kernel} names the rule ${rule}`, () => {
    assert.is(predict(tree, on(kernel), bdf(PAIR[0]), bdf(PAIR[1])).rule, rule);
  });
}

// What could not be read.

const hidden = { configBytes: 64 };
const uncertain: [string, PciTree, string | undefined, string[]][] = [
  [
    "one hidden port, listed",
    oneSwitch("8086:3c00", { "02:00.0": hidden }),
    undefined,
    ["BUS_ADDR", "THRU_HOST_BRIDGE"],
  ],
  [
    "one hidden port, unlisted",
    oneSwitch("8086:29c0", { "01:00.0": hidden }),
    undefined,
    ["BUS_ADDR", "NOT_SUPPORTED"],
  ],
  [
    "one hidden port and one that redirects, unlisted",
    oneSwitch("8086:29c0", { "01:00.0": hidden, "02:01.0": acs() }),
    "NOT_SUPPORTED",
    ["NOT_SUPPORTED"],
  ],
  [
    "one hidden port and one that redirects, listed",
    oneSwitch("8086:3c00", { "01:00.0": hidden, "02:01.0": acs() }),
    "THRU_HOST_BRIDGE",
    ["THRU_HOST_BRIDGE"],
  ],
  [
    "a hidden root port above the switch",
    oneSwitch("8086:29c0", { "00:01.0": hidden }),
    "BUS_ADDR",
    ["BUS_ADDR"],
  ],
  ["hidden drives below two root ports", twoPorts("8086:29c0", hidden), "NOT_SUPPORTED", ["NOT_SUPPORTED"]],
  [
    "hidden drives below two listed root ports",
    twoPorts("8086:3c00", hidden),
    "THRU_HOST_BRIDGE",
    ["THRU_HOST_BRIDGE"],
  ],
  [
    "a first device that may be a listed root port",
    rootsBeginWith(port("0000:00:02.0", "8086:2030", "root-port", [], hidden)),
    undefined,
    ["THRU_HOST_BRIDGE", "NOT_SUPPORTED"],
  ],
  [
    "a first device that may be an unlisted root port",
    rootsBeginWith(port("0000:00:02.0", "8086:1901", "root-port", [], hidden)),
    "NOT_SUPPORTED",
    ["NOT_SUPPORTED"],
  ],
  [
    "a listed first device that is no bridge",
    rootsBeginWith({ ...peripheral("0000:00:02.0", "8086:2030"), ...hidden }),
    "NOT_SUPPORTED",
    ["NOT_SUPPORTED"],
  ],
  [
    "a hidden device 00.0",
    rootsBeginWith({ ...hostBridge("0000:00:00.0", "8086:2030"), ...hidden }),
    "THRU_HOST_BRIDGE",
    ["THRU_HOST_BRIDGE"],
  ],
];
for (const [what, tree, mapType, possible] of uncertain) {
  test(`predict() is certain only where it can be: ${what}`, () => {
    const verdict = predict(tree, on("6.12"), bdf(PAIR[0]), bdf(PAIR[1]));
    assert.is(verdict.mapType, mapType);
    assert.equal(verdict.possible, possible);
  });
}

test("predict() of everything hidden below one switch keeps all three outcomes open", () => {
  const over = Object.fromEntries(["01:00.0", "02:00.0", "02:01.0"].map((at) => [at, hidden]));
  const tree = oneSwitch("8086:3c00", over);
  const verdict = predict(tree, on("5.1"), bdf(PAIR[0]), bdf(PAIR[1]));
  assert.equal(verdict.possible, ["BUS_ADDR", "NOT_SUPPORTED"]);
  assert.is(verdict.rule, "acs-redirect");
});

test("predict() is not asked about functions that are not there", () => {
  const verdict = predict(oneSwitch(), on("6.12"), bdf(PAIR[0]), bdf("0000:99:00.0"));
  assert.is(verdict.rule, "not-in-tree");
  assert.is(verdict.mapType, "NOT_SUPPORTED");
  assert.is(verdict.distance, undefined);
  assert.equal(verdict.hops, []);
});

test("predict() shows the way, hop by hop", () => {
  const { hops } = predict(
    oneSwitch("8086:3c00", { "02:01.0": acs() }),
    on("6.12"),
    bdf(PAIR[0]),
    bdf(PAIR[1]),
  );
  assert.equal(
    hops.map((hop) => [hop.bdf, hop.role, hop.redirects]),
    [
      ["0000:03:00.0", "provider", false],
      ["0000:02:00.0", "bridge", false],
      ["0000:01:00.0", "common-bridge", false],
      ["0000:02:01.0", "bridge", true],
      ["0000:04:00.0", "client", false],
    ],
  );
});

test("predict() shows both ways up where nothing is above both", () => {
  const { hops, hostBridges } = predict(
    twoHosts("8086:2030", "8086:2020"),
    on("6.12"),
    bdf(PAIR[0]),
    bdf("0000:84:00.0"),
  );
  assert.equal(
    hops.map((hop) => hop.bdf),
    ["0000:03:00.0", "0000:00:01.0", "0000:80:01.0", "0000:84:00.0"],
  );
  assert.equal(
    hostBridges.map(({ name, ids, entry }) => [name, ids, entry?.name]),
    [
      ["pci0000:00", "8086:2030", "Intel Skylake-E"],
      ["pci0000:80", "8086:2020", "Intel Skylake-E"],
    ],
  );
});

// The kernel's own words, for trees that nobody thought of.

/** calc_map_type_and_dist() of 6.12 for a CPU without a rule, in the shape it has there. */
function kernelSays(tree: PciTree, provider: Bdf, client: Bdf): [string, number] {
  const up = (at: Bdf) => tree.functions.get(at)?.parent;
  const redirects = (at: Bdf) => {
    const found = tree.functions.get(at)?.acs;
    return found?.state === "present" && (found.control & 0x2c) !== 0;
  };
  let [redirecting, distanceA, distanceB] = [0, 0, 0];
  for (let a: Bdf | undefined = provider; a; a = up(a), distanceA++) {
    distanceB = 0;
    if (redirects(a)) redirecting++;
    for (let b: Bdf | undefined = client; b; b = up(b), distanceB++) {
      if (a !== b) continue;
      for (let c: Bdf | undefined = client; c && c !== a; c = up(c)) if (redirects(c)) redirecting++;
      const distance = distanceA + distanceB;
      return redirecting === 0 ? ["BUS_ADDR", distance] : [whitelistSays(tree, provider, client), distance];
    }
  }
  return [whitelistSays(tree, provider, client), distanceA + distanceB];
}

/** host_bridge_whitelist(), with the few entries that the trees below use. */
function whitelistSays(tree: PciTree, a: Bdf, b: Bdf): string {
  const hosts = [a, b].map((at) => tree.functions.get(at)?.hostBridge ?? "");
  const isSame = hosts[0] === hosts[1];
  const isListed = hosts.every((host) => {
    const first = tree.functions.get(tree.hostBridges.get(host)?.firstDevice ?? ("" as Bdf));
    if (!first || !(first.bdf.endsWith(":00.0") || first.portType === "root-port")) return false;
    return first.deviceId === 0x2030 || (first.deviceId === 0x3c00 && isSame);
  });
  return isListed ? "THRU_HOST_BRIDGE" : "NOT_SUPPORTED";
}

function randomTree(random: Random): PciTree {
  let bus = 1;
  const randomAcs = () => (random(3) === 0 ? acs(random(0x80)) : {});
  const grow = (at: string, depth: number, isRoot: boolean): FunctionDescription => {
    const below = (bus++).toString(16).padStart(2, "0");
    const children = Array.from({ length: depth > 0 ? 1 + random(3) : 0 }, (_, index) =>
      grow(`${below}:${index.toString().padStart(2, "0")}.0`, depth - 1 - random(2), false),
    );
    if (children.length === 0) return leaf(at, randomAcs());
    return port(`0000:${at}`, "104c:8233", isRoot ? "root-port" : "downstream-port", children, randomAcs());
  };
  const hosts = ["00", "80"].map((root) => {
    const ids = ["8086:2030", "8086:3c00", "8086:29c0"][random(3)] ?? "";
    const first =
      random(4) === 0 ? peripheral(`0000:${root}:00.1`, ids) : hostBridge(`0000:${root}:00.0`, ids);
    const ports = [1, 2, 3].map((device) => grow(`${root}:0${device}.0`, 1 + random(4), true));
    return [`pci0000:${root}`, [first, ...ports]] as const;
  });
  return treeOf(Object.fromEntries(hosts));
}

test("predict() agrees with calc_map_type_and_dist() on 200 random trees", () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomOf(seed);
    const tree = randomTree(random);
    const all = [...tree.functions.keys()];
    for (let pair = 0; pair < 50; pair++) {
      const [provider, client] = [all[random(all.length)] as Bdf, all[random(all.length)] as Bdf];
      const { mapType, distance } = predict(tree, on("6.12"), provider, client);
      const expected = kernelSays(tree, provider, client);
      assert.equal([mapType, distance], expected, `seed ${seed}, ${provider} for ${client}`);
      counts[expected[0]] = (counts[expected[0]] ?? 0) + 1;
    }
  }
  assert.is(Object.keys(counts).length, 3);
  assert.ok(Math.min(...Object.values(counts)) > 500, JSON.stringify(counts));
});

// Several clients, several providers.

test("distanceToAll() adds up, and is 0 for the provider alone", () => {
  const tree = oneSwitch();
  assert.is(distanceToAll(tree, on("6.12"), bdf(PAIR[0]), [bdf(PAIR[0])]), 0);
  assert.is(distanceToAll(tree, on("6.12"), bdf(PAIR[0]), [bdf(PAIR[0]), bdf(PAIR[1])]), 4);
  assert.is(distanceToAll(tree, on("6.12"), bdf(PAIR[0]), [bdf(PAIR[1]), bdf(PAIR[1])]), 8);
});

test("distanceToAll() of nobody is none, as the kernel's -1", () => {
  assert.is(distanceToAll(oneSwitch(), on("6.12"), bdf(PAIR[0]), []), undefined);
});

test("distanceToAll() is none when one client is refused, unknown or gone", () => {
  const refused = twoPorts("8086:29c0");
  const unknown = oneSwitch("8086:3c00", { "01:00.0": hidden });
  const both = [bdf(PAIR[0]), bdf(PAIR[1])];
  assert.is(distanceToAll(refused, on("6.12"), bdf(PAIR[0]), both), undefined);
  assert.is(distanceToAll(unknown, on("6.12"), bdf(PAIR[0]), both), undefined);
  assert.is(distanceToAll(oneSwitch(), on("6.12"), bdf(PAIR[0]), [bdf("0000:99:00.0")]), undefined);
});

test("nearestProviders() prefers a client's own memory, then the nearest", () => {
  const tree = readPciTree(machineFiles(xeonSkylake));
  const [near, far, other] = ["0000:1a:00.0", "0000:86:00.0", "0000:1b:00.0"].map(bdf) as [Bdf, Bdf, Bdf];
  assert.equal(nearestProviders(tree, on("5.15"), [far, near], [near, other]), [near]);
  assert.equal(nearestProviders(tree, on("5.15"), [far, near], [far]), [far]);
});

test("nearestProviders() gives all that tie, and none where none will do", () => {
  const tree = oneSwitch("8086:29c0");
  const both = [bdf(PAIR[0]), bdf(PAIR[1])];
  assert.equal(nearestProviders(tree, on("6.12"), both, both), both);
  assert.equal(nearestProviders(tree, on("4.19"), both, both), []);
  assert.equal(nearestProviders(tree, on("6.12"), [], both), []);
  assert.equal(nearestProviders(tree, on("6.12"), both, []), []);
});

test("nearestProviders() shuns the root complex before 5.4, however long the way through switches", () => {
  const tree = treeOf({
    "pci0000:00": [
      hostBridge("0000:00:00.0", "1022:1450"),
      root("00:01.0", [leaf("03:00.0")]),
      root("00:02.0", [
        port("0000:10:00.0", "104c:8232", "upstream-port", [
          port("0000:11:00.0", "104c:8233", "downstream-port", [
            port("0000:12:00.0", "104c:8232", "upstream-port", [
              port("0000:13:00.0", "104c:8233", "downstream-port", [leaf("14:00.0")]),
            ]),
          ]),
          port("0000:11:01.0", "104c:8233", "downstream-port", [leaf("15:00.0")]),
        ]),
        leaf("10:00.1"),
      ]),
    ],
  });
  const providers = ["0000:03:00.0", "0000:14:00.0"].map(bdf);
  const clients = [bdf("0000:15:00.0")];
  assert.equal(nearestProviders(tree, on("5.2"), providers, clients), [bdf("0000:14:00.0")]);
});

// Machines that exist.

type Case = [MachineDescription, string, string, boolean, string, string | undefined, number];
const measured: Case[] = [
  [desktopRocketLake(0), "0000:0e:00.0", "0000:12:00.0", false, "6.17", "BUS_ADDR", 8],
  [desktopRocketLake(0x0c), "0000:0e:00.0", "0000:12:00.0", false, "6.17", "NOT_SUPPORTED", 8],
  [vmSwitch, "0000:03:00.0", "0000:04:00.0", false, "6.12", "BUS_ADDR", 4],
  [vmFlat, "0000:00:04.0", "0000:00:05.0", false, "5.10", "NOT_SUPPORTED", 2],
  [xeonSkylake, "0000:1a:00.0", "0000:1b:00.0", false, "5.15", "BUS_ADDR", 4],
  [xeonSkylake, "0000:1a:00.0", "0000:86:00.0", false, "5.15", "THRU_HOST_BRIDGE", 6],
  [xeonSkylake, "0000:1a:00.0", "0000:5e:00.0", false, "5.15", "NOT_SUPPORTED", 6],
  [xeonSkylake, "0000:1a:00.0", "0000:5e:00.0", false, "6.12", "THRU_HOST_BRIDGE", 6],
  [xeonIcelake, "0000:16:00.0", "0000:81:00.0", false, "5.17", "NOT_SUPPORTED", 4],
  [xeonIcelake, "0000:16:00.0", "0000:81:00.0", false, "6.12", "THRU_HOST_BRIDGE", 4],
  [epyc, "0000:63:00.0", "0000:64:00.0", true, "6.1", "THRU_HOST_BRIDGE", 4],
  [epyc, "0000:63:00.0", "0000:43:00.0", true, "6.1", "THRU_HOST_BRIDGE", 6],
  [epyc, "0000:63:00.0", "0000:43:00.0", true, "5.8", "NOT_SUPPORTED", 6],
  [armAltra, "0003:04:00.0", "0004:01:00.0", false, "6.12", "NOT_SUPPORTED", 4],
  [vmdServer, "10000:01:00.0", "10000:02:00.0", false, "5.19", "THRU_HOST_BRIDGE", 4],
  [vmdServer, "10000:01:00.0", "10000:02:00.0", false, "5.18", "NOT_SUPPORTED", 4],
  [vmdServer, "10000:01:00.0", "10001:02:00.0", false, "6.12", "NOT_SUPPORTED", 4],
];
for (const [machine, provider, client, zen, kernel, mapType, distance] of measured) {
  test(`predict() on ${machine.name} with ${kernel}: ${provider} for ${client} is ${mapType}`, () => {
    const tree = readPciTree(capturedMachine(machine));
    const verdict = predict(tree, on(kernel, zen), bdf(provider), bdf(client));
    assert.is(verdict.mapType, mapType);
    assert.is(verdict.distance, distance);
  });
}

test("predict() names the ports that redirect on the measured desktop", () => {
  const tree = readPciTree(machineFiles(desktopRocketLake(0x0c)));
  const { hops } = predict(tree, on("6.17"), bdf("0000:0e:00.0"), bdf("0000:12:00.0"));
  const redirecting = hops.filter((hop) => hop.redirects).map((hop) => hop.bdf);
  assert.equal(redirecting, ["0000:0d:01.0", "0000:0b:00.0", "0000:0b:10.0", "0000:11:01.0"]);
});

test("predict() of one provider for 1000 clients takes well under a second", () => {
  const tree = readPciTree(capturedMachine(manyFunctions(1000)));
  const all = [...tree.functions.keys()];
  const provider = all.at(-1) as Bdf;
  const started = performance.now();
  const counts = new Map<string, number>();
  for (const client of all) {
    const letter = letterOf(predict(tree, on("6.12"), provider, client));
    counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  const elapsed = performance.now() - started;
  console.log(`1000 verdicts in ${elapsed.toFixed(0)} ms`);
  assert.ok(elapsed < 1000);
  assert.is(
    [...counts.values()].reduce((sum, count) => sum + count),
    1000,
  );
  assert.ok((counts.get("T") ?? 0) > 900);
});

test.run();
