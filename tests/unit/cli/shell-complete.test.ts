// SPDX-License-Identifier: MIT
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { processContext } from "../../../cli/context.ts";
import { completerFor } from "../../../cli/shell-complete.ts";
import { ShellSession } from "../../../cli/shell-session.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("shell-complete");
writeFileSync(join(folder, "plain"), "");
writeFileSync(join(folder, "two words"), "");
mkdirSync(join(folder, "deep"));

const session = new ShellSession(processContext);
const held = [{ name: "near" }, { name: "far" }];
const complete = completerFor(Object.assign(session, { buffers: { list: () => held } }) as ShellSession);

/** The lines that Tab could make of a line. */
async function lines(line: string): Promise<string[]> {
  const [candidates, typed] = await complete(line);
  assert.ok(line.endsWith(typed));
  return candidates.map((word) => line.slice(0, line.length - typed.length) + word).sort();
}

const CASES: [string, string[]][] = [
  ["al", ["alloc "]],
  ["p2pdma li", ["p2pdma list "]],
  ["help dum", ["help dump "]],
  ["cmb sh", ["cmb show "]],
  ["dump ", ["dump far ", "dump near "]],
  ["free near f", ["free near far "]],
  ["copy --thr", ["copy --through "]],
  ["copy --through n", ["copy --through near "]],
  ["fill near ze", ["fill near zeros "]],
  ["fill near ran", ["fill near random:"]],
  ["compare near fa", ["compare near far "]],
  [`compare near ${folder}/pl`, [`compare near ${folder}/plain `]],
  [`fill near ${folder}/d`, [`fill near ${folder}/deep/`]],
  [`fill near ${folder}/t`, [`fill near ${folder}/two\\ words `]],
  [`fill near '${folder}/t`, [`fill near '${folder}/two words' `]],
  [`fill near "${folder}/two w`, [`fill near "${folder}/two words" `]],
  ["write near --over", ["write near --overwrite "]],
  ["copy --via ", ["auto", "nvme-copy", "p2p", "ram"].map((way) => `copy --via ${way} `)],
  ["nothing-like-it", []],
];

for (const [line, expected] of CASES) {
  test(`Tab behind ${JSON.stringify(line.replace(folder, "…"))}`, async () =>
    assert.equal(await lines(line), expected));
}

test.run();
