// SPDX-License-Identifier: MIT
import { type KernelOptions, readKernelOptions } from "../doctor/kernel-options.ts";
import type { SystemView } from "../sysfs.ts";
import { doubt } from "./config-status.ts";
import type { Feature, Finding, SymbolEvidence } from "./feature.ts";
import { features } from "./features/index.ts";
import { mainlineHad, missingOption } from "./options.ts";

/** What can be seen of the kernel that runs. */
export interface RunningKernel {
  readonly release: string | undefined;
  readonly options: KernelOptions | undefined;
  /** Names of functions; undefined when the table is not readable. */
  readonly symbols: ReadonlySet<string> | undefined;
  /** Modules that are loaded, or built in with parameters. */
  readonly loaded: ReadonlySet<string>;
  /** Modules that could be loaded, or are built in; undefined when nobody installed a list of them. */
  readonly installed: ReadonlySet<string> | undefined;
  /** PCI functions with a p2pmem folder, by whether it has the file `allocate`. */
  readonly pools: { readonly withAllocate: readonly string[]; readonly without: readonly string[] };
}

export function readRunningKernel(view: SystemView): RunningKernel {
  const pools = view.list("/sys/bus/pci/devices").filter((name) => view.exists(`${folderOf(name)}/size`));
  const hasAllocate = (name: string) => view.exists(`${folderOf(name)}/allocate`);
  return {
    release: view.text("/proc/sys/kernel/osrelease"),
    options: readKernelOptions(view),
    symbols: readSymbols(view),
    loaded: new Set(view.list("/sys/module")),
    installed: readInstalled(view),
    pools: {
      withAllocate: pools.filter(hasAllocate),
      without: pools.filter((name) => !hasAllocate(name)),
    },
  };
}

function folderOf(name: string): string {
  return `/sys/bus/pci/devices/${name}/p2pmem`;
}

/** Compilers add suffixes to what they clone or optimise: `name.llvm.123`, `name.constprop.0`. */
function readSymbols(view: SystemView): ReadonlySet<string> | undefined {
  const text = view.text("/proc/kallsyms");
  if (!text) return undefined;
  return new Set([...text.matchAll(/^[0-9a-f]+ [tTwW] ([^\s.]+)/gm)].map(([, name]) => name ?? ""));
}

/** Both lists name files, as kernel/drivers/nvme/host/nvme-core.ko.xz; modules have underscores. */
function readInstalled(view: SystemView): ReadonlySet<string> | undefined {
  const folder = `/lib/modules/${view.text("/proc/sys/kernel/osrelease")}`;
  const [builtIn, loadable] = [view.text(`${folder}/modules.builtin`), view.text(`${folder}/modules.dep`)];
  if (builtIn === undefined || loadable === undefined) return undefined;
  const names = `${builtIn}\n${loadable}`.matchAll(/^(?:[^:\n]*\/)?([^/:\n]+?)\.ko\b/gm);
  return new Set([...names].map(([, name]) => (name ?? "").replaceAll("-", "_")));
}

/** What the running kernel can do. Nothing is tried. */
export function examineRunning(kernel: RunningKernel): Finding[] {
  return features.map((feature) => judge(feature, kernel));
}

function judge(feature: Feature, kernel: RunningKernel): Finding {
  const { release, options, pools } = kernel;
  const provider = feature.id === "sysfs-allocate" ? pools.withAllocate[0] : undefined;
  if (provider) return { feature, state: "present", evidence: `${folderOf(provider)}/allocate` };

  const off = options && missingOption(options.values, feature.options);
  if (off) return { feature, state: "absent", evidence: `${off} is off, by ${options.source}`, off };

  const symbol = feature.symbols && judgeSymbol(feature.symbols, kernel);
  if (symbol) return { feature, ...symbol };

  if (feature.isOption && options) {
    return { feature, state: "present", evidence: `its options are on, by ${options.source}` };
  }
  if (mainlineHad(feature.since, release)) {
    return {
      feature,
      state: "present",
      evidence: `mainline has it since ${feature.since}, this is ${release}`,
    };
  }
  const module = feature.symbols?.module;
  const idle = module && !kernel.loaded.has(module) ? `; the module ${module} is not loaded` : "";
  return { feature, state: "unknown", evidence: `${doubt(feature, release)}${idle}` };
}

function judgeSymbol(
  { names, isTelling, module }: SymbolEvidence,
  { symbols, loaded, installed }: RunningKernel,
): Pick<Finding, "state" | "evidence"> | undefined {
  if (module && !loaded.has(module) && installed && !installed.has(module)) {
    return { state: "absent", evidence: `the module ${module} is neither loaded nor installed` };
  }
  if (!symbols) return undefined;
  const found = names.find((name) => symbols.has(name));
  if (found) return { state: "present", evidence: `/proc/kallsyms has ${found}()` };
  if (!isTelling) return undefined;
  if (module && !loaded.has(module)) return undefined;
  return { state: "absent", evidence: `/proc/kallsyms has no ${names.join("() or ")}()` };
}
