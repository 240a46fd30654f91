// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir, release } from "node:os";
import { dirname, join } from "node:path";

export type Accel = "kvm" | "tcg";
export type AccelRequest = Accel | "auto";

/** A KVM guest that works is up within a second or two; one that hangs hangs for ever. */
export const KVM_TRIAL_MS = 8000;

export interface AccelQuestion {
  readonly qemu: string;
  readonly cpu: string;
  /** Boots a guest under KVM and tells whether it came up; must not throw. */
  readonly trial: () => Promise<boolean>;
  /** Told before the trial, which may take KVM_TRIAL_MS. */
  readonly onTrial?: () => void;
  readonly memory?: string;
  readonly device?: string;
}

/**
 * KVM only where a guest was seen to come up under it: /dev/kvm may exist and work in part
 * and still hang every guest. The answer is remembered for this kernel, QEMU and CPU model.
 */
export async function chooseAccel(question: AccelQuestion): Promise<Accel> {
  if (!isUsable(question.device ?? "/dev/kvm")) return "tcg";
  const memory = question.memory ?? accelMemory();
  const key = [release(), qemuVersion(question.qemu), question.cpu].join(" / ");
  const known = readMemory(memory)[key];
  if (known) return known;
  question.onTrial?.();
  const accel = (await question.trial()) ? "kvm" : "tcg";
  remember(memory, key, accel);
  return accel;
}

export function accelMemory(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "p2pdma", "accel.json");
}

function isUsable(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function qemuVersion(qemu: string): string {
  return spawnSync(qemu, ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "unknown";
}

/** A memory that cannot be read is an empty one. */
function readMemory(path: string): Record<string, Accel> {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    const entries = Object.entries(content as object);
    return Object.fromEntries(entries.filter(([, accel]) => accel === "kvm" || accel === "tcg"));
  } catch {
    return {};
  }
}

/** A home that cannot be written costs a trial each time, nothing else. */
function remember(path: string, key: string, accel: Accel): void {
  try {
    const content = { ...readMemory(path), [key]: accel };
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`);
    renameSync(temporary, path);
  } catch {}
}
