// SPDX-License-Identifier: MIT
import { duplexPair } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { QmpClient } from "../../../lab/qmp.ts";

/** A QEMU that answers each command with what `answer` makes of it. */
function fakeQemu(answer: (command: { execute: string; arguments: object }) => object) {
  const [ours, qemus] = duplexPair();
  qemus.write('{"QMP": {"version": {}, "capabilities": []}}\n');
  qemus.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split("\n")) {
      qemus.write(`${JSON.stringify(answer(JSON.parse(line)))}\r\n`);
    }
  });
  return { client: new QmpClient(ours), qemus, ours };
}

test("QmpClient answers each command with its own result", async () => {
  const { client } = fakeQemu((command) => ({ return: command }));
  const results = await Promise.all([client.execute("a"), client.execute("b", { id: 1 })]);
  assert.equal(results, [
    { execute: "a", arguments: {} },
    { execute: "b", arguments: { id: 1 } },
  ]);
});

test("QmpClient fails with QEMU's words", async () => {
  const { client } = fakeQemu(({ execute }) =>
    execute === "bad" ? { error: { class: "GenericError", desc: "no such device" } } : { return: {} },
  );
  const error = await client.execute("bad").catch((reason: Error) => reason);
  assert.is((error as Error).message, 'QEMU refused "bad": no such device');
});

test("QmpClient.nextEvent() waits for the event of that name", async () => {
  const { client, qemus } = fakeQemu(() => ({ return: {} }));
  const event = client.nextEvent("DEVICE_DELETED", 1000);
  qemus.write('{"event": "STOP"}\n{"event": "DEVICE_DELETED", "data": {"device": "drive-A"}}\n');
  assert.equal(await event, { event: "DEVICE_DELETED", data: { device: "drive-A" } });
});

test("QmpClient.nextEvent() gives up in time", async () => {
  const { client } = fakeQemu(() => ({ return: {} }));
  const error = await client.nextEvent("NEVER", 10).catch((reason: Error) => reason);
  assert.is((error as Error).message, "QEMU sent no NEVER event within 10 ms");
});

test("QmpClient.nextEvent() gives up when QEMU ends", async () => {
  const { client, ours } = fakeQemu(() => ({ return: {} }));
  const event = client.nextEvent("DEVICE_DELETED", 60_000).catch((reason: Error) => reason);
  ours.destroy();
  assert.is(((await event) as Error).message, "QEMU ended without a DEVICE_DELETED event");
});

test("QmpClient fails what is unanswered when QEMU ends", async () => {
  const [ours] = duplexPair();
  const client = new QmpClient(ours);
  const answer = client.execute("query-status").catch((reason: Error) => reason);
  ours.destroy();
  assert.match(((await answer) as Error).message, /ended before it answered "query-status"/);
  const late = await client.execute("quit").catch((reason: Error) => reason);
  assert.match((late as Error).message, /ended before it answered "quit"/);
});

test.run();
