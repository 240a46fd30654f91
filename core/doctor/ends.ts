// SPDX-License-Identifier: MIT
import { basename } from "node:path";
import { type BlockDevice, readBlockDevice } from "../copy/disk.ts";
import { fileSystemOf } from "../copy/mounts.ts";
import { usageError } from "../errors.ts";
import { parseBdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";
import { type Device, findDevice, type Machine } from "../topo/index.ts";
import type { Here } from "./here.ts";

export type Role = "source" | "destination";

/** A file, or the directory that one would be made in. */
export interface FileFacts {
  readonly path: string;
  readonly fileSystem: string | undefined;
  /** 0: refuses direct I/O. Undefined where it can't be told before the file is there. */
  readonly alignmentBytes: number | undefined;
}

/** One end of a copy, as far as it can be found out. */
export interface End {
  readonly role: Role;
  /** What the user called it. */
  readonly word: string;
  /** The PCI function that would do the DMA; undefined when there is none. */
  readonly device: Device | undefined;
  /** The block device, or the one below the file. */
  readonly block: BlockDevice | undefined;
  readonly file: FileFacts | undefined;
  /** Whether the process may open it as the role needs; undefined in a capture. */
  readonly isPermitted: boolean | undefined;
}

/** Both ends where there are any. */
export function endsOf(ends: { readonly source: End; readonly destination: End } | undefined): End[] {
  return ends ? [ends.source, ends.destination] : [];
}

/**
 * Finds what a user means: a controller or PCI address, a block device, a file, or a directory.
 * @param here undefined for a capture, which has no files.
 * @throws P2pdmaError USAGE when it is none of these.
 */
export function readEnd(
  view: SystemView,
  machine: Machine,
  here: Here | undefined,
  role: Role,
  word: string,
): End {
  const path = word.includes("/") ? here?.stat(word) : undefined;
  const number = path?.kind === "block" ? path.number : blockNumber(view, word);
  if (number !== undefined) return blockEnd(view, machine, here, role, word, number);
  if (path && (path.kind === "file" || path.kind === "directory")) {
    return fileEnd(view, machine, here, role, word, path.number);
  }
  if (word.includes("/") && !word.startsWith("/dev/")) {
    throw usageError(`"${word}" is no block device, file or directory`, "p2pdma list shows what there is");
  }
  const device = findDevice(view, machine, word);
  const namespace = device.controller?.namespaces[0]?.name;
  const own = namespace && view.text(`/sys/class/block/${namespace}/dev`);
  const block = own ? readBlockDevice(view, own) : undefined;
  const isPermitted = namespace ? isPermittedFor(here, role, `/dev/${namespace}`) : undefined;
  return { role, word, device, block, file: undefined, isPermitted };
}

/** `nvme0n1`, `/dev/nvme0n1p2` or a link to it; not a file that happens to be called so. */
function blockNumber(view: SystemView, word: string): string | undefined {
  if (parseBdf(word) || (word.includes("/") && !word.startsWith("/dev/"))) return undefined;
  return view.text(`/sys/class/block/${basename(view.resolve(word) ?? word)}/dev`);
}

function blockEnd(
  view: SystemView,
  machine: Machine,
  here: Here | undefined,
  role: Role,
  word: string,
  number: string,
): End {
  const block = readBlockDevice(view, number);
  const isPermitted = isPermittedFor(here, role, word.includes("/") ? word : `/dev/${word}`);
  return { role, word, device: deviceOf(machine, block), block, file: undefined, isPermitted };
}

function fileEnd(
  view: SystemView,
  machine: Machine,
  here: Here | undefined,
  role: Role,
  path: string,
  number: string,
): End {
  const block = readBlockDevice(view, number);
  const isFile = here?.stat(path)?.kind === "file";
  const file: FileFacts = {
    path,
    fileSystem: fileSystemOf(view, number),
    alignmentBytes: isFile ? here?.directAlignment(path) : undefined,
  };
  return {
    ...{ role, word: path, device: deviceOf(machine, block), block, file },
    isPermitted: isPermittedFor(here, role, path),
  };
}

function deviceOf({ devices, tree }: Machine, block: BlockDevice | undefined): Device | undefined {
  const known = devices.find(({ bdf }) => bdf === block?.client);
  const pci = block?.client && tree.functions.get(block.client);
  if (known || !pci) return known;
  const { bdf } = pci;
  return { bdf, name: bdf, pci, controller: undefined, provider: undefined, isClient: true };
}

function isPermittedFor(here: Here | undefined, role: Role, path: string): boolean | undefined {
  return here?.canAccess(path, role === "source" ? "read" : "read-write");
}
