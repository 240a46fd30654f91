// SPDX-License-Identifier: MIT
// A plan of eight copies over three providers: one fails, one is killed, migrate itself is killed, and all is resumed.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { threeProviders } from "../../lab/topologies/three-providers.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { validateAgainst, validateProgress } from "../schema.ts";
import { guestProgram, p2pdma, registerChecks, runInLab } from "./boot.ts";

/** The published topology, with a bad sector 130 MiB into drive D. */
const worn = topology({
  ...threeProviders,
  pci: [
    rootPort(
      pciSwitch(
        ...[drive("A", { cmbMiB: 64 }), drive("B", { cmbMiB: 32 }), drive("C", { cmbMiB: 32 })],
        drive("D", { mediumErrors: [{ on: "read", sector: (130 << 20) / 512 }] }),
      ),
    ),
  ],
});

const [, program = ""] = p2pdma;
const result = await runInLab({ topology: worn, command: [...guestProgram("migrate-cases"), program] });
registerChecks(result, 14);

const documents = result.stdout
  .toString()
  .split("\n")
  .filter((line) => line.startsWith("#"))
  .map((line) => JSON.parse(line.slice(1)) as { kind: string; text: string });

test("what migrate printed there is as its schemas say", () => {
  assert.equal(
    documents.map(({ kind }) => kind),
    ["migrate-preview", "progress", "migrate", "migrate", "migrate"],
  );
  for (const { kind, text } of documents) {
    if (kind === "progress") assert.ok(validateProgress(text) > 50);
    else validateAgainst(kind, JSON.parse(text));
  }
});

test.run();
