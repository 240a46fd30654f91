// SPDX-License-Identifier: MIT
// Memory controller counters as the kernel lists them, and counting with one that every kernel has.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type DramEvent, findDramEvents, openDramMeter } from "../../../../core/bench/dram.ts";
import { type Native, native, SyscallError } from "../../../../ffi/index.ts";
import { MemoryFiles } from "../../memory-files.ts";

const UNITS = "/sys/bus/event_source/devices";

function unit(files: MemoryFiles, name: string, type: number, cpumask: string): void {
  files.write(`${UNITS}/${name}/type`, `${type}\n`);
  files.write(`${UNITS}/${name}/cpumask`, `${cpumask}\n`);
}

function intel(): MemoryFiles {
  const files = new MemoryFiles();
  for (const [index, name] of ["uncore_imc_0", "uncore_imc_1", "uncore_imc_free_running_0"].entries()) {
    unit(files, name, 20 + index, "0,18");
    for (const [event, umask] of [
      ["cas_count_read", "0x03"],
      ["cas_count_write", "0x0c"],
    ] as const) {
      const at = `${UNITS}/${name}/events/${event}`;
      files.write(at, `event=0x04,umask=${umask}\n`);
      files.write(`${at}.scale`, "6.103515625e-5\n");
      files.write(`${at}.unit`, "MiB\n");
    }
  }
  return files;
}

const brief = ({ type, config, cpu, bytesPerCount }: DramEvent) => [
  type,
  config.toString(16),
  cpu,
  bytesPerCount,
];

test("findDramEvents(): Intel names them, for each package; what runs free would count twice", () => {
  assert.equal(findDramEvents(intel()).map(brief), [
    [20, "304", 0, 64],
    [20, "304", 18, 64],
    [20, "c04", 0, 64],
    [20, "c04", 18, 64],
    [21, "304", 0, 64],
    [21, "304", 18, 64],
    [21, "c04", 0, 64],
    [21, "c04", 18, 64],
  ]);
});

test("findDramEvents(): AMD's memory controllers from Zen 4 on", () => {
  const files = new MemoryFiles();
  unit(files, "amd_df", 9, "0");
  unit(files, "amd_umc_0", 30, "0");
  unit(files, "amd_umc_1", 31, "0");
  assert.equal(findDramEvents(files).map(brief), [
    [30, "a", 0, 64],
    [31, "a", 0, 64],
  ]);
});

for (const [family, model, count] of [
  [0x17, 0x31, 8],
  [0x19, 0x01, 8],
  [0x19, 0x11, 0],
  [0x1a, 0x02, 0],
] as const) {
  test(`findDramEvents(): the data fabric of AMD family ${family}, model ${model} gives ${count}`, () => {
    const files = new MemoryFiles();
    unit(files, "amd_df", 9, "0");
    files.write(
      "/proc/cpuinfo",
      `processor\t: 0\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: x\n\n`,
    );
    const events = findDramEvents(files);
    assert.is(events.length, count);
    if (count > 0)
      assert.equal(
        [events[0], events[7]].map((event) => event?.config.toString(16)),
        ["3807", "1000038c7"],
      );
  });
}

test("openDramMeter(): no unit, no numbers", () => {
  const meter = openDramMeter(new MemoryFiles(), native);
  assert.match(meter.missing ?? "", /no memory controller counters/);
  assert.is(meter.bytes(), 0);
});

test("openDramMeter(): a part of the counters would pass for the whole", () => {
  let open = 0;
  const denying = {
    openPerfCounter: ({ cpu, label }: DramEvent) => {
      if (cpu === 18) throw new SyscallError("syscall", 13, label);
      open++;
      return { read: () => 1, close: () => open-- };
    },
  } as unknown as Native;
  assert.match(openDramMeter(intel(), denying).missing ?? "", /CAP_PERFMON/);
  assert.is(open, 0);
});

test("openDramMeter(): counts are added up in bytes", () => {
  const counting = { openPerfCounter: () => ({ read: () => 1000, close: () => {} }) } as unknown as Native;
  const meter = openDramMeter(intel(), counting);
  assert.equal(
    [meter.missing, meter.bytes(), meter.units],
    [undefined, 8 * 64_000, ["uncore_imc_0", "uncore_imc_1"]],
  );
});

const CPU_CLOCK = { type: 1, config: 0n, cpu: 0, label: "cpu-clock" };

test("openPerfCounter(): the processor's clock runs as ours does, where we may ask", () => {
  let counter: ReturnType<typeof native.openPerfCounter>;
  try {
    counter = native.openPerfCounter(CPU_CLOCK);
  } catch (error) {
    assert.ok(
      error instanceof SyscallError && ["EACCES", "EPERM", "ENOSYS"].includes(error.code),
      String(error),
    );
    return console.log(`skip: counters can't be opened here: ${error.code}`);
  }
  const [count, start] = [counter.read(), performance.now()];
  while (performance.now() - start < 100);
  const passedMs = (counter.read() - count) / 1e6;
  counter.close();
  assert.ok(passedMs >= 99 && passedMs < 1000, `${passedMs} ms`);
});

test("openPerfCounter(): a unit that is not there", () => {
  assert.throws(
    () => native.openPerfCounter({ ...CPU_CLOCK, type: 123_456 }),
    (error: unknown) => error instanceof SyscallError,
  );
});

test.run();
