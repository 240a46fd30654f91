// SPDX-License-Identifier: MIT
import type { Feature, Finding } from "./feature.ts";
import { features } from "./features/index.ts";
import { type KernelConfig, mainlineHad, missingOption } from "./options.ts";

/** What a kernel of this configuration can do. Options say for certain what it cannot. */
export function examineConfig(config: KernelConfig): Finding[] {
  return features.map((feature) => judge(feature, config));
}

function judge(feature: Feature, { release, isComplete, values }: KernelConfig): Finding {
  const silent = isComplete ? [] : feature.options.flat().filter((name) => !values.has(name));
  const maybe = new Map([...values, ...silent.map((name) => [name, "y"] as const)]);
  const off = missingOption(maybe, feature.options);
  if (off) return { feature, state: "absent", evidence: `${off} is off`, off };
  const open = missingOption(values, feature.options);
  if (open) {
    return { feature, state: "unknown", evidence: `${open} is not mentioned, and this is no whole .config` };
  }
  if (feature.isOption) {
    const names = feature.options.flat().filter((name) => ["y", "m"].includes(values.get(name) ?? "n"));
    const list = names.map((name) => `CONFIG_${name}=${values.get(name)}`).join(" ");
    return { feature, state: "present", evidence: list };
  }
  if (mainlineHad(feature.since, release)) {
    return {
      feature,
      state: "present",
      evidence: `mainline has it since ${feature.since}, this is ${release}`,
    };
  }
  return { feature, state: "unknown", evidence: doubt(feature, release) };
}

/** Why neither the options nor the version can tell. */
export function doubt({ since }: Feature, release: string | undefined): string {
  if (since === undefined) return "no option or release of mainline tells";
  return release === undefined
    ? `mainline has it since ${since}; the kernel's version is not known`
    : `mainline has it since ${since}, this is ${release}: only with a backport`;
}
