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

/** Exported since 4.20. A function: variables are in the table only with CONFIG_KALLSYMS_ALL. */
const P2PDMA_FUNCTION = /^[0-9a-f]+ [tT] pci_p2pdma_add_resource$/m;

/**
 * Whether the kernel has p2pdma.c in it, by its own symbol table; undefined when that shows nothing. Large, so
 * only to be asked where no configuration is to be found.
 */
export function hasP2pdmaSymbol(view: SystemView): boolean | undefined {
  const symbols = view.text("/proc/kallsyms");
  if (!symbols || !/^[0-9a-f]+ [tT] /m.test(symbols)) return undefined;
  return P2PDMA_FUNCTION.test(symbols);
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
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^CONFIG_(\w+)=(.*)$/.exec(line) ?? [];
    if (name && value !== undefined) options.set(name, value);
    const [, off] = /^# CONFIG_(\w+) is not set$/.exec(line) ?? [];
    if (off) options.set(off, "n");
  }
  return options;
}
