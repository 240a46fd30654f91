// SPDX-License-Identifier: MIT
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildFolder } from "./folders.ts";
import { type KernelInputs, kernelKey, sameKernel } from "./inputs.ts";

/** A kernel ready to boot. */
export interface KernelImage {
  readonly bzImage: string;
  /** What `uname -r` says in it. */
  readonly release: string;
  readonly key: string;
  /** False if it was built just now. */
  readonly cached: boolean;
}

/** The file meta.json beside a cached kernel. */
interface KernelMeta {
  readonly release: string;
  readonly inputs: KernelInputs;
  readonly builtAt: string;
  readonly seconds: number;
}

/** The cached kernel that these inputs make. */
export function readCached(cache: string, wanted: KernelInputs): KernelImage | undefined {
  const kernels = join(cache, "kernels");
  const names = existsSync(kernels) ? readdirSync(kernels) : [];
  for (const key of names.filter((name) => !name.startsWith("."))) {
    const meta = readMeta(join(kernels, key));
    const bzImage = join(kernels, key, "bzImage");
    if (meta && sameKernel(meta.inputs, wanted) && existsSync(bzImage))
      return { bzImage, release: meta.release, key, cached: true };
  }
  return undefined;
}

/** Moves a finished build into the cache, all its files at once, and removes what it was built in. */
export function publish(cache: string, inputs: KernelInputs, startedMs: number): KernelImage {
  const key = kernelKey(inputs);
  const { path, tree, log } = buildFolder(cache, key);
  const draft = join(cache, "kernels", `.${key}.${process.pid}`);
  const final = join(cache, "kernels", key);
  const release = readFileSync(join(tree, "include/config/kernel.release"), "utf8").trim();
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  const meta: KernelMeta = { release, inputs, builtAt: new Date().toISOString(), seconds };

  mkdirSync(draft, { recursive: true });
  copyFileSync(join(tree, "arch/x86/boot/bzImage"), join(draft, "bzImage"));
  copyFileSync(join(tree, ".config"), join(draft, "config"));
  copyFileSync(log, join(draft, "build.log"));
  writeFileSync(join(draft, "meta.json"), `${JSON.stringify(meta, null, 2)}\n`);
  rmSync(final, { recursive: true, force: true });
  renameSync(draft, final);
  rmSync(path, { recursive: true, force: true });
  return { bzImage: join(final, "bzImage"), release, key, cached: false };
}

function readMeta(folder: string): KernelMeta | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "meta.json"), "utf8")) as KernelMeta;
  } catch {
    return undefined;
  }
}
