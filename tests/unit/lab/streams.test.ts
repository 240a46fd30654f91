// SPDX-License-Identifier: MIT
import { duplexPair, PassThrough, Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Collector, withInput } from "../../../lab/capture.ts";
import { InputPump, OutputPump } from "../../../lab/streams.ts";

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}

/** A sink that takes one chunk, then nothing until told. */
class SlowSink extends Writable {
  taken = 0;
  release: () => void = () => {};

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken += chunk.length;
    this.release = done;
  }
}

test("OutputPump hands on exactly what came, across commands", async () => {
  const [ours, guests] = duplexPair();
  const pump = new OutputPump(ours);
  const [first, second] = [new Collector(), new Collector()];
  pump.attach(first);
  guests.write("abc");
  assert.is(await pump.drained(3), true);
  pump.attach(second);
  guests.write("de");
  assert.is(await pump.drained(5), true);
  assert.is(first.bytes().toString(), "abc");
  assert.is(second.bytes().toString(), "de");
});

test("OutputPump waits for bytes that the exit status overtook", async () => {
  const [ours, guests] = duplexPair();
  const pump = new OutputPump(ours);
  const sink = new Collector();
  pump.attach(sink);
  const drained = pump.drained(6);
  guests.write("abc");
  await settle();
  guests.write("def");
  assert.is(await drained, true);
  assert.is(sink.bytes().toString(), "abcdef");
});

test("OutputPump reads no further than a slow sink takes", async () => {
  const [ours, guests] = duplexPair();
  const pump = new OutputPump(ours);
  const sink = new SlowSink();
  pump.attach(sink);
  guests.write(Buffer.alloc(10));
  await settle();
  guests.write(Buffer.alloc(1000));
  await settle();
  assert.is(sink.taken, 10);
  sink.release();
  await settle();
  assert.is(sink.taken, 1010);
});

test("OutputPump tells when bytes were lost", async () => {
  const [ours, guests] = duplexPair();
  const pump = new OutputPump(ours);
  pump.attach(new Collector());
  guests.write("abc");
  const drained = pump.drained(6);
  await settle();
  ours.destroy();
  assert.is(await drained, false);
});

test("OutputPump closes the guest's port when our reader is gone, and loses nothing that matters", async () => {
  const [ours] = duplexPair();
  const pump = new OutputPump(ours);
  const sink = new PassThrough();
  pump.attach(sink);
  sink.destroy(new Error("EPIPE"));
  await settle();
  assert.ok(ours.destroyed);
  assert.is(await pump.drained(100), true);
});

test("InputPump counts from boot and tells the end", async () => {
  const [ours, guests] = duplexPair();
  const received = new Collector();
  guests.pipe(received);
  const pump = new InputPump(ours);
  const ends: number[] = [];
  pump.attach(withInput("abc"), (total) => ends.push(total));
  await settle();
  pump.detach();
  pump.attach(withInput(Buffer.from("de")), (total) => ends.push(total));
  await settle();
  assert.equal(ends, [3, 5]);
  assert.is(received.bytes().toString(), "abcde");
});

test("InputPump ends at once without input", async () => {
  const pump = new InputPump(duplexPair()[0]);
  const ends: number[] = [];
  pump.attach(withInput(), (total) => ends.push(total));
  await settle();
  assert.equal(ends, [0]);
});

test("InputPump reads no further than the guest takes", async () => {
  const slow = new SlowSink();
  const pump = new InputPump(slow as never);
  let produced = 0;
  const source = new Readable({
    highWaterMark: 10,
    read() {
      produced += 10;
      this.push(Buffer.alloc(10));
    },
  });
  pump.attach(source, () => {});
  await settle();
  assert.ok(produced < 100, `${produced} bytes were read`);
  slow.release();
  await settle();
  assert.ok(slow.taken > 10);
});

test("InputPump leaves the source alone once detached", async () => {
  const [ours] = duplexPair();
  const pump = new InputPump(ours);
  const source = new PassThrough();
  pump.attach(source, () => assert.unreachable());
  pump.detach();
  source.end("late");
  await settle();
  assert.is(pump.total, 0);
  assert.is(source.listenerCount("data"), 0);
});

test.run();
