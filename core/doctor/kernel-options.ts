// SPDX-License-Identifier: MIT
import { gunzipSync } from "node:zlib";
import type { SystemView } from "../sysfs.ts";

/** What the kernel was built with. */
export interface KernelOptions {
  /** The file it was read in. */
  readonly source: string;
  /** Name without `CONFIG_` to value; `n` for what is off. One that depends on such a one is not there. */
  readonly values: ReadonlyMap<string, string>;
}

/** More than any configuration has, so that a hostile capture can't blow up. */
const MOST_BYTES = 16 << 20;

/** Reads /proc/config.gz, else the file in /boot; undefined when there is neither. */
export function readKernelOptions(view: SystemView): KernelOptions | undefined {
  const compressed = view.bytes("/proc/config.gz");
  const own = compressed && unpack(compressed);
  if (own !== undefined) return { source: "/proc/config.gz", values: parseOptions(own) };
  const source = `/boot/config-${view.text("/proc/sys/kernel/osrelease")}`;
  const text = view.text(source);
  return text === undefined ? undefined : { source, values: parseOptions(text) };
}

/**
 * Whether the kernel has p2pdma.c in it, by its own symbol table. Large, so only to be
 * asked where no configuration is to be found.
 */
export function hasP2pdmaSymbol(view: SystemView): boolean | undefined {
  const symbols = view.text("/proc/kallsyms");
  return symbols?.includes("p2pdma_pgmap_ops");
}

function unpack(compressed: Uint8Array): string | undefined {
  try {
    return gunzipSync(compressed, { maxOutputLength: MOST_BYTES }).toString("utf8");
  } catch {
    return undefined;
  }
}

/** Name without `CONFIG_` to value; `n` for what is off. */
export function parseOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^CONFIG_(\w+)=(.*)$/.exec(line) ?? [];
    if (name && value !== undefined) options.set(name, value);
    const [, off] = /^# CONFIG_(\w+) is not set$/.exec(line) ?? [];
    if (off) options.set(off, "n");
  }
  return options;
}
