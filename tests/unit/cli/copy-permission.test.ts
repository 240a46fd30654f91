// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CliContext } from "../../../cli/context.ts";
import { askPermission, parseOverwrite } from "../../../cli/copy-permission.ts";
import type { WritePermission } from "../../../core/copy/safety.ts";
import type { P2pdmaError } from "../../../core/errors.ts";
import { type Native, native } from "../../../ffi/index.ts";
import { BlockTree } from "../core/copy/block-tree.ts";
import { fakeDrive } from "../core/copy/fakes.ts";

const swap = { type: "swap", usage: "other", label: "spare", uuid: null, isDamaged: false } as const;
const env = {
  sys: new BlockTree().disk("nvme0n1", "259:0").sys,
  native: { ...native, probeSignatures: () => ({ signatures: [swap], table: [] }) } as Native,
};
const drive = fakeDrive("nvme0n1", "0000:03:00.0", {
  identity: { model: "Good Drive", serial: "S1", wwid: "nvme.144d-0123456789abcdef-fedcba98-00000001" },
});

/** Answers the question; undefined where nobody can be asked. */
async function ask(answer: string | undefined, permission: WritePermission = []) {
  let question = "";
  const context: CliContext = {
    out: () => {},
    err: () => {},
    canAsk: answer !== undefined,
    stderrIsTerminal: answer !== undefined,
    ask: async (text) => {
      question = text;
      return answer ?? "";
    },
  };
  try {
    await askPermission(context, env, drive, permission);
    return { question, error: undefined };
  } catch (error) {
    return { question, error: error as P2pdmaError };
  }
}

for (const answer of ["y", "Y", "yes", " YES "]) {
  test(`askPermission() takes "${answer}" for a yes`, async () => {
    assert.is((await ask(answer)).error, undefined);
  });
}

for (const answer of ["", "n", "ye", "yes please", "y\u001b", "1"]) {
  test(`askPermission() takes ${JSON.stringify(answer)} for a no`, async () => {
    const { error } = await ask(answer);
    assert.equal([error?.code, error?.exitCode], ["NO_PERMISSION", 7]);
  });
}

test("askPermission() names path, model, serial, WWID, size and what is on it", async () => {
  const { question } = await ask("n");
  assert.match(
    question,
    /this would overwrite\n {2}destination {2}\/dev\/nvme0n1, Good Drive, serial S1, nvme\.144d-01…8-00000001, 1 GiB\n {2}on it {8}swap area "spare"\n/,
  );
  assert.match(question, /Overwrite it\? \[y\/N\] $/);
});

test("askPermission() asks nobody where there is no terminal, or no need", async () => {
  const refusal = await ask(undefined);
  assert.is(refusal.question, "");
  assert.is(refusal.error?.exitCode, 7);
  assert.is(refusal.error?.hint, "to overwrite it, add --allow-write=/dev/nvme0n1");
  assert.equal(await ask("n", "all"), { question: "", error: undefined });
});

test("parseOverwrite() reads kinds and refuses anything else", () => {
  assert.equal(parseOverwrite("mounted, filesystem"), ["mounted", "filesystem"]);
  for (const text of ["all", "", "mounted,", "Mounted", "toString"]) {
    assert.throws(
      () => parseOverwrite(text),
      (error: P2pdmaError) => error.exitCode === 2 && /mounted, swap, held/.test(error.hint ?? ""),
    );
  }
});

test.run();
