// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { escapeXml, fit } from "../../../cli/svg.ts";
import { renderDot } from "../../../cli/topo-dot.ts";
import { machineJson, pairJson } from "../../../cli/topo-json.ts";
import { renderPair } from "../../../cli/topo-pair.ts";
import { glyphsFor, renderMachine } from "../../../cli/topo-run.ts";
import { renderSvg } from "../../../cli/topo-svg.ts";
import { ASCII, UNICODE } from "../../../cli/topo-tree.ts";
import { gatherAll } from "../../../core/capture/gatherers.ts";
import { RecordingView } from "../../../core/capture/recording-view.ts";
import { writeCapture } from "../../../core/capture/write.ts";
import { growForest, judgePair, type Machine, predictReach } from "../../../core/topo/index.ts";
import { type FakeFunction, fakeMachine, fakeView, ZEN } from "../core/topo/fake-machine.ts";
import { hostBridges, largeMachine, oneSwitch, rootPorts, twoSwitches } from "../core/topo/machines.ts";
import { tempFolder } from "../temp.ts";

/** As in a source file: indented, and with its line breaks at both ends. */
const shown = (text: string) => text.replaceAll(/^ {4}/gm, "").trim();

function pairText(machine: Machine, source: string, destination: string): string {
  const [from, to] = [source, destination].map((name) =>
    machine.devices.find((device) => device.name === name),
  );
  if (!from || !to) throw new Error("no such device");
  return renderPair(machine, judgePair(machine, from, to)).trim();
}

const withoutMemory = () => oneSwitch().map(({ p2pmemMiB: _, ...pci }) => pci);

test("topo shows the tree, the host bridges, the matrix and the best memory", () => {
  assert.is(
    renderMachine(fakeMachine(oneSwitch()), false, UNICODE).trim(),
    shown(`
    Linux 6.12.1-test, Intel Test

    FUNCTION              WHAT                      LINK                             P2PMEM                 ACS              DRIVER
    pci0000:00            host bridge 8086:29c0     -                                -                      -                -
    └─0000:00:10.0        root port                 -                                -                      redirects RR CR  -
      └─0000:01:00.0      switch, upstream port     16 GT/s x16                      -                      -                -
        ├─0000:02:00.0    switch, downstream port   -                                -                      -                -
        │ └─0000:03:00.0  nvme0  8 GiB  Test Drive  16 GT/s x4                       64 MiB, 63.9 MiB free  -                nvme
        ├─0000:02:01.0    switch, downstream port   -                                -                      -                -
        │ └─0000:04:00.0  nvme1  8 GiB  Test Drive  8 GT/s x2 (could be 16 GT/s x4)  32 MiB, 31.9 MiB free  -                nvme
        └─0000:02:02.0    switch, downstream port   -                                -                      -                -
          └─0000:05:00.0  nvme2  8 GiB  Test Drive  16 GT/s x4                       -                      -                nvme
    2 functions are not shown: --all

    HOST BRIDGE  IDS        PEERS ON DIFFERENT ROOT PORTS
    pci0000:00   8086:29c0  refused, not on the kernel's list

    Who reaches whose memory (columns lend it, lines do the DMA): map type and distance

      CLIENT \\ PROVIDER  nvme0  nvme1
      nvme0              self   BUS 4
      nvme1              BUS 4  self
      nvme2              BUS 4  BUS 4

      self   the device's own memory, nothing crosses PCI Express
      BUS n  straight through the bridge that both are below, n hops

    Best memory for a copy

      FROM \\ TO  nvme0  nvme1  nvme2
      nvme0      nvme0  nvme1  nvme0
      nvme1      nvme0  nvme1  nvme1
      nvme2      nvme0  nvme1  nvme0
    `),
  );
});

test("topo draws in ASCII, leaves empty columns out and shows NUMA nodes", () => {
  assert.is(
    renderMachine(fakeMachine(hostBridges("8086:2030", "8086:29c0")), false, ASCII).trim(),
    shown(`
    Linux 6.12.1-test, Intel Test

    FUNCTION          WHAT                      P2PMEM                 NUMA  DRIVER
    pci0000:00        host bridge 8086:2030     -                      0     -
    \`-0000:00:10.0    root port                 -                      0     -
      \`-0000:01:00.0  nvme0  8 GiB  Test Drive  64 MiB, 63.9 MiB free  0     nvme
    pci0000:80        host bridge 8086:29c0     -                      1     -
    \`-0000:80:01.0    root port                 -                      1     -
      \`-0000:81:00.0  nvme1  8 GiB  Test Drive  64 MiB, 63.9 MiB free  1     nvme
    2 functions are not shown: --all

    HOST BRIDGE  IDS        PEERS ON DIFFERENT ROOT PORTS
    pci0000:00   8086:2030  allowed, on the kernel's list (Intel Skylake-E)
    pci0000:80   8086:29c0  refused, not on the kernel's list

    Who reaches whose memory (columns lend it, lines do the DMA): map type and distance

      CLIENT \\ PROVIDER  nvme0  nvme1
      nvme0              self   no
      nvme1              no     self

      self   the device's own memory, nothing crosses PCI Express
      no     the kernel refuses this pair

    Best memory for a copy

      FROM \\ TO  nvme0  nvme1
      nvme0      nvme0  none
      nvme1      none   nvme1
    `),
  );
});

test("topo SOURCE DESTINATION explains a refusal and what would change it", () => {
  assert.is(
    pairText(fakeMachine(oneSwitch(0x1d)), "nvme0", "nvme1"),
    shown(`
    nvme0 (0000:03:00.0) to nvme1 (0000:04:00.0), Linux 6.12: no, the kernel would refuse

    NO  through the destination's memory: nvme1 (0000:04:00.0)
      nvme0 does the DMA: refused (NOT_SUPPORTED), 4 hops apart
        0000:04:00.0  nvme1, provider                    no ACS
        0000:02:01.0  switch, downstream port            ACS redirects (request redirect, completion redirect); also source validation, upstream forwarding
        0000:01:00.0  switch, upstream port: above both  no ACS
        0000:02:00.0  switch, downstream port            ACS redirects (request redirect, completion redirect); also source validation, upstream forwarding
        0000:03:00.0  nvme0, client                      no ACS
      because ACS on 0000:02:01.0, 0000:02:00.0 sends data up to the host bridge, but Linux 6.12 does not list pci0000:00 (0000:00:00.0, 8086:29c0)

    NO  through the source's memory: nvme0 (0000:03:00.0)
      nvme1 does the DMA: refused (NOT_SUPPORTED), 4 hops apart, by the same way

    What would change it
      - turn redirection off on 0000:02:01.0, 0000:02:00.0: data then goes straight through the bridge, until the next boot; the kernel keeps a verdict once used, so the provider's driver is bound anew: nothing may use its drive meanwhile
          setpci -s 0000:02:01.0 ECAP_ACS+6.w=0011
          setpci -s 0000:02:00.0 ECAP_ACS+6.w=0011
          echo 0000:04:00.0 > /sys/bus/pci/drivers/nvme/unbind
          echo 0000:04:00.0 > /sys/bus/pci/drivers/nvme/bind
      - for good: the same as a kernel parameter (one of them); in a boot loader's file it needs quotes, for the semicolon
          pci=disable_acs_redir=0000:02:01.0;0000:02:00.0
          pci=config_acs=0x00xx@0000:02:01.0;0x00xx@0000:02:00.0
      careful: this weakens isolation: the devices can then reach each other past the IOMMU, and their IOMMU groups become one at the next boot; not for devices that virtual machines get or that you do not trust
    `),
  );
});

test("topo SOURCE DESTINATION shows the host bridge on the way, and the kernel that would do", () => {
  const machine = fakeMachine(rootPorts("8086:09a2"), {}, { kernel: { major: 5, minor: 15 } });
  const text = pairText(machine, "nvme0", "nvme1");
  assert.match(
    text,
    /^nvme0 \(0000:01:00.0\) to nvme1 \(0000:02:00.0\), Linux 5.15: no, the kernel would refuse\n/,
  );
  assert.match(text, "pci0000:00    host bridge 8086:09a2  refused, not on the kernel's list\n");
  assert.match(text, "  - Linux 5.18 or later maps this pair (THRU_HOST_BRIDGE)\n");
  assert.match(text, "plug nvme0 and nvme1 in below one PCI Express switch");
});

test("topo SOURCE DESTINATION says what would be if someone lent memory", () => {
  const text = pairText(fakeMachine(withoutMemory()), "nvme0", "nvme1");
  assert.match(text, "no, as no device lends memory\n\nIf nvme1 (0000:04:00.0) lent memory:\n");
  assert.match(text, "nvme0 does the DMA: direct (BUS_ADDR), distance 4\n");
});

test("topo SOURCE DESTINATION is honest about what it could not read", () => {
  const hidden = oneSwitch().map((pci) => ({ ...pci, hidden: true }));
  const text = pairText(fakeMachine(hidden), "nvme0", "nvme1");
  assert.match(text, "can't be told without root\n\nUNKNOWN  through the destination's memory");
  assert.match(text, "could not be read: BUS_ADDR or NOT_SUPPORTED\n");
  assert.match(text, "- run this as root: ");
});

test("topo SOURCE DESTINATION explains a third party where the ends' own memory is no use", () => {
  const functions = twoSwitches().map((pci) => (pci.bdf === "0000:13:00.0" ? { ...pci, p2pmemMiB: 1 } : pci));
  const only = functions.map(({ p2pmemMiB, ...pci }) => (p2pmemMiB === 1 ? { ...pci, p2pmemMiB } : pci));
  const text = pairText(fakeMachine(only), "nvme0", "nvme1");
  assert.match(text, "YES  through a third party's memory: nvme2 (0000:13:00.0)\n");
  assert.match(text, "nvme0 does the DMA: through the host bridge (THRU_HOST_BRIDGE), distance 8\n");
});

test("topo SOURCE DESTINATION names the many others in a line each", () => {
  const text = pairText(fakeMachine(largeMachine()), "nvme0", "nvme2");
  assert.match(
    text,
    "\n\nYES  through nvme4 (0000:07:00.0): BUS 4 from the source, BUS 4 from the destination\n",
  );
  assert.match(text, /\nand 5 more: --all$/);
});

test("topo shows drives without any p2pmem as they could be", () => {
  const text = renderMachine(fakeMachine(withoutMemory()), false, ASCII);
  assert.match(text, "No device lends memory. If the clients did, map types and distances would be:");
  assert.match(text, "  nvme1   BUS 4  self   BUS 4\n");
  assert.not.match(text, "Best memory");
});

test("topo breaks a matrix that is wider than the terminal", () => {
  const machine = fakeMachine(largeMachine());
  const heads = (columns?: number) =>
    renderMachine(machine, false, ASCII, columns)
      .split("\n")
      .filter((line) => line.includes("PROVIDER"));
  assert.is(heads().length, 1);
  const broken = heads(80);
  assert.is(broken.length, 2);
  for (const line of broken) assert.ok(line.length <= 80);
});

test("topo on a machine without drives says so", () => {
  assert.match(renderMachine(fakeMachine([]), false, ASCII), "No device with p2pmem and no NVMe controller");
});

test("topo says when it predicts for another kernel", () => {
  const machine = fakeMachine(oneSwitch(), {}, { kernel: { major: 6, minor: 1 } });
  assert.match(
    renderMachine(machine, false, ASCII),
    /^Linux 6.12.1-test, Intel Test, predicted for Linux 6.1, not for/,
  );
});

test("topo notes bus addresses that are not CPU addresses", () => {
  const functions = rootPorts().map((pci) =>
    pci.bdf === "0000:01:00.0" ? { ...pci, bar: { cpu: 0x40_8000_0000n, bus: 0x8000_0000n } } : pci,
  );
  assert.match(
    renderMachine(fakeMachine(functions), false, ASCII),
    "CPU addresses are bus addresses + 0x4000000000",
  );
});

test("glyphsFor() draws in Unicode where the locale says UTF-8", () => {
  assert.is(glyphsFor({ LANG: "de_DE.UTF-8" }), UNICODE);
  assert.is(glyphsFor({ LANG: "de_DE.UTF-8", LC_ALL: "C" }), ASCII);
  assert.is(glyphsFor({ LC_CTYPE: "en_US.utf8" }), UNICODE);
  assert.is(glyphsFor({}), ASCII);
});

test("topo --dot prints the tree and who reaches whom", () => {
  const machine = fakeMachine(hostBridges("8086:2030"));
  assert.is(
    renderDot(machine, growForest(machine)).trim(),
    shown(String.raw`
    digraph p2pdma {
      graph [rankdir=LR, fontname="sans-serif", compound=true];
      node [shape=box, fontname="sans-serif", fontsize=10];
      edge [fontname="sans-serif", fontsize=9];
      subgraph cluster_0 {
        label="pci0000:00 8086:2030 NUMA 0\nallowed, on the kernel's list (Intel Skylake-E)";
        "0000:00:10.0" [label="root port\n0000:00:10.0"];
        "0000:00:10.0" -> "0000:01:00.0";
        "0000:01:00.0" [label="nvme0 8 GiB\n0000:01:00.0\np2pmem 64 MiB", style="rounded,filled", fillcolor="#e7f3e1"];
      }
      subgraph cluster_1 {
        label="pci0000:80 8086:2030 NUMA 1\nallowed, on the kernel's list (Intel Skylake-E)";
        "0000:80:01.0" [label="root port\n0000:80:01.0"];
        "0000:80:01.0" -> "0000:81:00.0";
        "0000:81:00.0" [label="nvme1 8 GiB\n0000:81:00.0\np2pmem 64 MiB", style="rounded,filled", fillcolor="#e7f3e1"];
      }
      "0000:81:00.0" -> "0000:01:00.0" [label="HB 4", constraint=false, color="#9a6500", style=dashed];
      "0000:01:00.0" -> "0000:81:00.0" [label="HB 4", constraint=false, color="#9a6500", style=dashed];
    }
    `),
  );
});

test("topo --dot leaves arrows out where they would hide everything", () => {
  const machine = fakeMachine(largeMachine());
  const text = renderDot(machine, growForest(machine));
  assert.not.match(text, "constraint=false");
  assert.match(text, /\/\/ \d+ pairs reach each other: see p2pdma topo/);
});

test("topo --json gives every pair with its rule and reason", () => {
  const json = JSON.parse(JSON.stringify(machineJson(fakeMachine(oneSwitch(0x1d)))));
  assert.is(json.schema, "p2pdma.topo/1");
  assert.is(json.host.predictedFor, "6.12");
  assert.equal(json.providers, ["0000:03:00.0", "0000:04:00.0"]);
  assert.is(json.pairs.length, 6);
  const [, pair] = json.pairs;
  assert.is(pair.mapType, "NOT_SUPPORTED");
  assert.is(pair.rule, "acs-redirect");
  assert.equal(pair.redirectingPorts, ["0000:02:00.0", "0000:02:01.0"]);
  assert.is(json.devices[0].p2pmem.sizeBytes, String(64 * 2 ** 20));
  const port = json.functions.find(({ bdf }: { bdf: string }) => bdf === "0000:02:00.0");
  assert.equal(port.acs, { state: "present", control: "0x001d" });
});

test("topo SOURCE DESTINATION --json gives each route with hops and remedies", () => {
  const machine = fakeMachine(oneSwitch(0x1d), { cpuinfo: ZEN });
  const [from, to] = machine.devices;
  assert.ok(from && to);
  const json = JSON.parse(JSON.stringify(pairJson(machine, judgePair(machine, from, to))));
  assert.is(json.schema, "p2pdma.topo-pair/1");
  assert.is(json.works, true);
  assert.equal(
    json.routes.map(({ role }: { role: string }) => role),
    ["destination", "source"],
  );
  const [{ source }] = json.routes;
  assert.is(source.mapType, "THRU_HOST_BRIDGE");
  assert.is(source.hops.length, 5);
  assert.is(source.remedies[0].kind, "acs-now");
});

for (const [what, functions] of [
  ["one switch", oneSwitch()],
  ["two switches", twoSwitches()],
  ["root ports", rootPorts()],
  ["two host bridges", hostBridges("8086:3c00")],
  ["24 drives", largeMachine()],
  ["nothing", []],
] as const) {
  test(`topo --svg is well-formed and names every device: ${what}`, () => {
    const machine = fakeMachine(functions);
    const picture = draw(machine);
    checkWellFormed(picture);
    for (const { name, bdf } of machine.devices) {
      assert.match(picture, `>${name}<`);
      assert.match(picture, `>${bdf}<`);
    }
    assert.not.match(picture, /<script|href|NaN|undefined/);
  });
}

test("topo --svg draws each kind of pair in a style of its own", () => {
  const kinds = (functions: FakeFunction[]) =>
    [
      ...new Set([...draw(fakeMachine(functions)).matchAll(/class="cell (\S+)"/g)].map(([, kind]) => kind)),
    ].sort();
  assert.equal(kinds(oneSwitch()), ["direct", "self"]);
  assert.equal(kinds(twoSwitches()), ["direct", "host-bridge", "self"]);
  assert.equal(kinds(rootPorts()), ["refused", "self"]);
});

test("topo --svg escapes what devices call themselves", () => {
  const rude = oneSwitch().map((pci) =>
    pci.nvme ? { ...pci, nvme: { ...pci.nvme, model: `<b>"A&B"\u0007</b>` } } : pci,
  );
  const picture = draw(fakeMachine(rude));
  checkWellFormed(picture);
  assert.match(picture, "&lt;b&gt;&quot;A&amp;B&quot;\\x07&lt;/b&gt;");
});

test("escapeXml() keeps what XML can hold, and fit() cuts the rest of a long name", () => {
  assert.is(escapeXml("ä€😀\t"), "ä€😀\t");
  assert.is(escapeXml("\u0000\uD800x"), "\uFFFD\uFFFDx");
  assert.is(fit("short", 100, 10), "short");
  assert.is(fit("a name that is far too long", 60, 10), "a name th…");
});

function draw(machine: Machine): string {
  return renderSvg(machine, growForest(machine), predictReach(machine), new Date(0));
}

/** No parser at hand: every tag is closed in turn, and nothing stands that has to be escaped. */
function checkWellFormed(xml: string): void {
  assert.match(xml, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg /);
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?.*\?>/, "")
    .replaceAll(
      /<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)(\/?)>/gi,
      (_, end, name, __, empty) => {
        if (end) assert.is(open.pop(), name);
        else if (!empty) open.push(name);
        return "";
      },
    );
  assert.equal(open, []);
  assert.not.match(rest, /[<]|&(?!amp;|lt;|gt;|quot;)/);
}

const program = join(import.meta.dirname, "..", "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("topo");

function capture(name: string, functions: FakeFunction[]): string {
  const recording = new RecordingView(fakeView(functions));
  gatherAll(recording);
  const file = join(folder, `${name}.json`);
  writeFileSync(file, writeCapture(recording.answers, { createdWith: "test" }));
  return file;
}

function topo(...args: string[]) {
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  return spawnSync(process.execPath, [program, "topo", ...args], { encoding: "utf8", env });
}

const direct = capture("direct", oneSwitch());
const refused = capture("refused", rootPorts());
const hidden = capture(
  "hidden",
  oneSwitch().map((pci) => ({ ...pci, hidden: true })),
);

test("topo --from shows the machine of a capture as if it were this one", () => {
  const { stdout, status } = topo("--from", direct);
  assert.is(status, 0);
  assert.is(stdout, renderMachine(fakeMachine(oneSwitch()), false, UNICODE));
});

const answers: readonly (readonly [string, string, number, RegExp])[] = [
  ["possible", direct, 0, /^nvme0 .* yes, best through nvme1's memory\n/],
  ["refused", refused, 3, /^nvme0 .* no, the kernel would refuse\n/],
  ["hidden", hidden, 1, /^nvme0 .* can't be told without root\n/],
];
for (const [what, file, code, message] of answers) {
  test(`topo SOURCE DESTINATION exits ${code} when peer-to-peer is ${what}`, () => {
    const { stdout, status } = topo("--from", file, "nvme0n1", "/dev/nvme1");
    assert.is(status, code);
    assert.match(stdout, message);
  });
}

test("topo --svg writes a file, or prints it", () => {
  const file = join(folder, "picture.svg");
  assert.is(topo("--from", direct, "--svg", file).status, 0);
  assert.match(topo("--from", direct, "--svg", "-").stdout, /^<\?xml/);
  const { status, stderr } = topo("--from", direct, "--svg", join(folder, "no", "where.svg"));
  assert.is(status, 1);
  assert.match(stderr, /^p2pdma: Cannot write ".*": ENOENT/);
});

const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["one device", ["nvme0"], /"nvme0" needs another device/],
  [
    "an unknown device",
    ["--from", direct, "nvme0", "nvme9"],
    /"nvme9" is no device here[\s\S]*nvme0, nvme1, nvme2/,
  ],
  ["two forms", ["--json", "--dot"], /exclude each other/],
  ["a picture of a pair", ["--from", direct, "--dot", "nvme0", "nvme1"], /show the whole machine/],
  ["no kernel version", ["--kernel", "latest"], /--kernel: "latest" is no kernel version/],
];
for (const [what, args, message] of mistakes) {
  test(`topo with ${what} exits 2 with one clear error`, () => {
    const { status, stderr, stdout } = topo(...args);
    assert.is(status, 2);
    assert.match(stderr, message);
    assert.is(stdout, "");
  });
}

test("topo --help teaches by example", () => {
  assert.match(topo("--help").stdout, /Examples:[\s\S]*p2pdma topo nvme0 nvme1/);
});

test.run();
