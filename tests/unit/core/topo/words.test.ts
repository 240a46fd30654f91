// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseBdf } from "../../../../core/pci/bdf.ts";
import { acsShort, acsWords, functionWords, linkAbove } from "../../../../core/topo/index.ts";
import { fakeMachine } from "./fake-machine.ts";
import { oneSwitch } from "./machines.ts";

const acs = (control: number) => ({ state: "present" as const, offset: 0x100, capability: 0x5f, control });

test("acsWords() tells every bit that is on, the redirecting ones first", () => {
  assert.is(acsWords({ state: "absent" }), "no ACS");
  assert.is(acsWords({ state: "unknown" }), "ACS not readable: needs root");
  assert.is(acsWords(acs(0)), "ACS does not redirect");
  assert.is(
    acsWords(acs(0x7f)),
    "ACS redirects (request redirect, completion redirect, egress control); also source validation, translation blocking, upstream forwarding, direct translated",
  );
});

test("acsShort() marks only what redirects", () => {
  assert.is(acsShort(acs(0x53)), "off");
  assert.is(acsShort(acs(0x2c)), "redirects RR CR EC");
  assert.is(acsShort({ state: "unknown" }), "?");
  assert.is(acsShort({ state: "absent" }), "none");
});

test("linkAbove() compares a link with what both its ends can do", () => {
  const { tree } = fakeMachine(oneSwitch());
  const link = (text: string) => {
    const pci = tree.functions.get(parseBdf(text) ?? ("" as never));
    return pci && linkAbove(tree, pci);
  };
  assert.equal(link("0000:03:00.0"), { now: "16 GT/s x4", best: undefined });
  assert.equal(link("0000:04:00.0"), { now: "8 GT/s x2", best: "16 GT/s x4" });
  assert.equal(link("0000:01:00.0"), { now: "16 GT/s x16", best: undefined });
  assert.is(link("0000:02:00.0"), undefined, "inside a switch");
  assert.is(link("0000:00:10.0"), undefined, "on a root bus");
});

test("functionWords() knows ports and classes", () => {
  const { tree } = fakeMachine([...oneSwitch(), { bdf: "0000:00:05.0", classCode: 0x120000 }]);
  const words = new Map([...tree.functions.values()].map((pci) => [String(pci.bdf), functionWords(pci)]));
  assert.is(words.get("0000:00:00.0"), "host bridge");
  assert.is(words.get("0000:00:05.0"), "accelerator");
  assert.is(words.get("0000:01:00.0"), "switch, upstream port");
  assert.is(words.get("0000:03:00.0"), "NVMe controller");
});

test.run();
