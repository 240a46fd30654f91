// SPDX-License-Identifier: MIT
import { parseOptions } from "../doctor/kernel-options.ts";
import { usageError } from "../errors.ts";
import { compareKernels, parseKernelVersion } from "../pci/p2pdma-history.ts";

/** A kernel's configuration, as far as it decides what the kernel can do. */
export interface KernelConfig {
  /** The file it was read in. */
  readonly source: string;
  /** `6.12.117`, from its header; undefined when it has none. */
  readonly release: string | undefined;
  /** It has the kernel's own header, and its end: what it does not mention is off. A defconfig leaves out a lot. */
  readonly isComplete: boolean;
  /** Name without `CONFIG_` to value; `n` for what is off. */
  readonly values: ReadonlyMap<string, string>;
}

/** @throws P2pdmaError USAGE when the text holds no options */
export function parseKernelConfig(text: string, source: string): KernelConfig {
  const values = parseOptions(text);
  if (values.size === 0) {
    throw usageError(
      `"${source}" is no kernel configuration: it has no line like CONFIG_PCI=y`,
      "name a .config, or a file like /boot/config-6.12.0",
    );
  }
  const release = /^# Linux\/\S+ (\S+) Kernel Configuration$/m.exec(text)?.[1];
  return { source, release, isComplete: release !== undefined && text.endsWith("\n"), values };
}

/** The first option needed that is neither compiled in nor a module: `CONFIG_PCI_P2PDMA`. */
export function missingOption(
  values: ReadonlyMap<string, string>,
  needed: readonly (string | readonly string[])[],
): string | undefined {
  const isOn = (name: string) => ["y", "m"].includes(values.get(name) ?? "n");
  const missing = needed.find((need) => (typeof need === "string" ? !isOn(need) : !need.some(isOn)));
  if (missing === undefined) return undefined;
  const names = typeof missing === "string" ? [missing] : missing;
  return names.map((name) => `CONFIG_${name}`).join(" or ");
}

/** Whether mainline had a feature by a release. Never a proof that a kernel has not: there are backports. */
export function mainlineHad(since: string | undefined, release: string | undefined): boolean {
  const [first, own] = [since, release].map((text) => text && parseKernelVersion(text));
  return Boolean(first && own && compareKernels(own, first) >= 0);
}
