// SPDX-License-Identifier: MIT
// How close the pump comes to its bound, queue depth x chunk / (t_read + t_write),
// with t measured by fio at depth 1 on the same p2pmem in the same boot.
import { join } from "node:path";
import { packageRoot } from "../../lab/package-root.ts";
import { runInLab } from "../../lab/run.ts";

const CHUNK_BYTES = 131072;
const LATENCY_NS = 10_000_000;
const DEPTHS = [8, 16];
const COPY_BYTES = 512 << 20;
const ALLOCATE = "$(ls /sys/bus/pci/devices/*/p2pmem/allocate)";

const fio = (name: string, rw: string, device: string) =>
  `fio --name=${name} --filename=${device} --rw=${rw} --bs=${CHUNK_BYTES} --iodepth=1 --direct=1 --ioengine=io_uring ` +
  `--mem=mmapshared:${ALLOCATE} --time_based --runtime=4 --ramp_time=1 --output-format=json`;
const copy = (depth: number) =>
  `node ${join(packageRoot(), "dist", "p2pdma.js")} copy --json --via p2p --allow-write --chunk ${CHUNK_BYTES} ` +
  `--depth ${depth} --length ${COPY_BYTES} /dev/lab/A /dev/lab/B`;

const commands = [
  fio("read", "read", "/dev/lab/A"),
  fio("write", "write", "/dev/lab/B"),
  ...DEPTHS.map(copy),
];
const { stdout, stderr, exitCode } = await runInLab({
  topology: "fast",
  latencyNs: LATENCY_NS,
  command: ["bash", "-c", commands.join(" && echo ,BREAK, && ")],
});
if (exitCode !== 0) throw new Error(`exit ${exitCode}\n${stdout}\n${stderr}`);
const [read, write, ...copies] = stdout
  .split(",BREAK,")
  .map((text) => JSON.parse(text.slice(text.indexOf("{"))));

const readMs = read.jobs[0].read.lat_ns.mean / 1e6;
const writeMs = write.jobs[0].write.lat_ns.mean / 1e6;
console.log(
  `one ${CHUNK_BYTES / 1024} KiB request alone (fio, depth 1): read ${readMs.toFixed(2)} ms, write ${writeMs.toFixed(2)} ms\n`,
);
console.log("depth   bound MB/s   p2pdma MB/s   share of the bound");
for (const [index, depth] of DEPTHS.entries()) {
  const bound = (depth * CHUNK_BYTES) / (readMs + writeMs) / 1000;
  const reached = COPY_BYTES / copies[index].transferMs / 1000;
  const cells = [String(depth).padStart(5), bound.toFixed(1).padStart(10), reached.toFixed(1).padStart(11)];
  console.log(`${cells.join("   ")}   ${(reached / bound).toFixed(3).padStart(18)}`);
}
