// SPDX-License-Identifier: MIT
import { realpathSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type AccelRequest, chooseAccel, KVM_TRIAL_MS } from "./accel.ts";
import { type Backing, checkDisks } from "./disks.ts";
import { labUsageError, QemuAbort } from "./errors.ts";
import { guestInitramfs } from "./guest-init.ts";
import { HandedFiles } from "./handed-files.ts";
import { labKernel } from "./kernel.ts";
import { findQemu, startMachine } from "./machine.ts";
import { driveSerial, pciArguments } from "./pci-args.ts";
import type { Share } from "./protocol.ts";
import { type MachineSpec, MOST_SHARES, qemuArguments, type TraceRequest } from "./qemu-args.ts";
import { LabSession } from "./session.ts";
import { findTopology } from "./topologies/index.ts";
import type { Drive, Topology } from "./topology.ts";

/** What to boot. Everything has a default. */
export interface LabOptions {
  /** A name from `lab list`, or a topology of one's own. Default: `switch`. */
  readonly topology?: string | Topology;
  /** Raw images, read and written, in place of the drives' temporary ones: A first, then B… */
  readonly disks?: readonly string[];
  /** Directories of the host that the guest may write, at the same path. */
  readonly shares?: readonly string[];
  readonly trace?: TraceRequest;
  /** A bzImage instead of the lab's own. */
  readonly kernel?: string;
  /** More kernel parameters. */
  readonly append?: string;
  readonly memoryMiB?: number;
  /** Latency of each read and write of drives that store nothing. */
  readonly latencyNs?: number;
  readonly accel?: AccelRequest;
  readonly qemuArgs?: readonly string[];
  readonly bootTimeoutMs?: number;
  /** Kills the guest when aborted. */
  readonly signal?: AbortSignal;
  /** Told what takes long, for a person to read. */
  readonly onProgress?: (message: string) => void;
}

const BOOT_TIMEOUT_MS = 60_000;

/** Boots a guest and returns it ready to run commands. The caller closes it. @throws LabError */
export async function startLab(options: LabOptions = {}): Promise<LabSession> {
  const topology = resolveTopology(options);
  const drives = drivesOf(topology);
  const disks = checkDisks(options.disks ?? [], drives);
  const shares = checkShares(options.shares ?? []);
  const qemu = findQemu();
  const kernel = await labKernel(options.kernel, options.signal ? { signal: options.signal } : {});
  const boot = { ...options, topology, drives, disks, shares, qemu, kernel };
  const accel = await resolveAccel(boot);
  options.signal?.throwIfAborted();
  return bootTwice({ ...boot, accel });
}

interface Boot extends Omit<LabOptions, "topology" | "shares"> {
  readonly topology: Topology;
  readonly drives: readonly Drive[];
  readonly disks: readonly string[];
  readonly shares: readonly Share[];
  readonly qemu: string;
  readonly kernel: string;
}

function resolveTopology({ topology, memoryMiB, latencyNs }: LabOptions): Topology {
  const chosen = typeof topology === "object" ? topology : findTopology(topology);
  if (latencyNs !== undefined && !drivesOf(chosen).some(({ backend }) => backend.kind === "null")) {
    throw labUsageError(`Topology "${chosen.name}" has no drive whose latency can be set`, 'choose "fast"');
  }
  return memoryMiB === undefined ? chosen : { ...chosen, memoryMiB };
}

/** By letter, wherever they are plugged in: `--disk` fills A first, and A is nvme0 in the guest. */
function drivesOf(topology: Topology): Drive[] {
  return pciArguments(topology.pci).drives.toSorted((a, b) => a.letter.localeCompare(b.letter));
}

function checkShares(paths: readonly string[]): Share[] {
  if (paths.length > MOST_SHARES) throw labUsageError(`Cannot share more than ${MOST_SHARES} directories`);
  return paths.map((path, index) => {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw labUsageError(`Cannot share "${path}": no such directory`);
    }
    return { tag: `share${index}`, path: realpathSync(resolve(path)) };
  });
}

async function resolveAccel(boot: Boot): Promise<"kvm" | "tcg"> {
  if (boot.accel === "kvm" || boot.accel === "tcg") return boot.accel;
  const { cpu } = boot.topology;
  return chooseAccel({
    qemu: boot.qemu,
    cpu,
    trial: () => comesUpUnderKvm(boot),
    onTrial: () => boot.onProgress?.("trying KVM, once"),
  });
}

/** The smallest guest of that CPU model; a hang is the expected way to fail. */
async function comesUpUnderKvm(boot: Boot): Promise<boolean> {
  const topology = { ...boot.topology, pci: [], kernelArgs: [] };
  const { qemu, kernel, signal } = boot;
  const trial = { qemu, kernel, topology, drives: [], disks: [], shares: [], ...(signal ? { signal } : {}) };
  try {
    const session = await bootGuest({ ...trial, accel: "kvm", bootTimeoutMs: KVM_TRIAL_MS });
    await session.close();
    return true;
  } catch {
    return false;
  }
}

/** QEMU 7.2 now and then fails an assertion of its own while firmware and kernel size the BARs: one more try. */
async function bootTwice(boot: Boot & { readonly accel: "kvm" | "tcg" }): Promise<LabSession> {
  try {
    return await bootGuest(boot);
  } catch (error) {
    if (!(error instanceof QemuAbort) || boot.signal?.aborted) throw error;
    process.stderr.write(`lab: ${error.message}\nlab: trying once more\n`);
    return bootGuest(boot);
  }
}

async function bootGuest(boot: Boot & { readonly accel: "kvm" | "tcg" }): Promise<LabSession> {
  const files = new HandedFiles();
  const session = await launch(boot, files).finally(() => files.close());
  const abort = () => session.kill("The lab was interrupted");
  boot.signal?.addEventListener("abort", abort, { once: true });
  try {
    if (boot.signal?.aborted) abort();
    const setup = { shares: boot.shares, driveSerials: boot.drives.map(driveSerial) };
    await session.boot(setup, boot.bootTimeoutMs ?? BOOT_TIMEOUT_MS);
  } catch (error) {
    await session.close();
    throw error;
  }
  for (const warning of session.warnings) boot.onProgress?.(warning);
  return session;
}

async function launch(
  boot: Boot & { readonly accel: "kvm" | "tcg" },
  files: HandedFiles,
): Promise<LabSession> {
  const backings = new Map(
    boot.drives.map((drive, index) => [drive.letter, backing(drive, index, boot, files)]),
  );
  for (const { writeLog } of boot.drives) if (writeLog !== undefined) writeFileSync(writeLog, "");
  const spec: MachineSpec = {
    ...boot,
    backings,
    initramfs: `/proc/self/fd/${files.addContent(guestInitramfs())}`,
    extraArgs: boot.qemuArgs,
  };
  return new LabSession(startMachine(boot.qemu, qemuArguments(spec), files.descriptors));
}

function backing(drive: Drive, index: number, boot: Boot, files: HandedFiles): Backing {
  const path = boot.disks[index];
  const sizeBytes = drive.sizeMiB * 2 ** 20;
  if (path !== undefined) return { kind: "file", path };
  if (drive.backend.kind === "sparse") return { kind: "descriptor", childFd: files.addEmpty(sizeBytes) };
  return { kind: "null", sizeBytes, latencyNs: boot.latencyNs ?? drive.backend.latencyNs };
}
