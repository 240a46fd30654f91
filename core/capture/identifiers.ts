// SPDX-License-Identifier: MIT
// What tells one machine from another of its kind: serial numbers, WWIDs, NQNs, host and volume names.
import { createHash } from "node:crypto";
import { findExtendedCapability } from "../pci/config-space.ts";
import type { Answers } from "./format.ts";

const HASH_DIGITS = 12;
const HASHED = /^hash:[0-9a-f]+$/;

/** Files of sysfs and procfs that hold nothing else. */
const IDENTIFIER_FILES = new RegExp(
  [
    "/(?:serial|wwid|wwn|nguid|eui|uuid|subsysnqn|hostnqn|hostid|host_traddr|vpd_pg\\w+|unique_id)$",
    "/dm/(?:name|uuid)$",
    "^/sys/class/dmi/id/(?:\\w+_serial|product_uuid|\\w+_asset_tag)$",
    "^/proc/sys/kernel/hostname$",
  ].join("|"),
);
/** Keys: never kept, not even as a hash. */
const SECRET_FILES = /\/(?:dhchap_(?:ctrl_)?secret|tls_(?:configured_)?key|psk)\w*$/;
/** Of a PCI controller an address, of another one the name or the address of a server. */
const CONTROLLER_ADDRESS = /\/nvme\d+\/address$/;
const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;
const NAMED_DEVICES = /(\/dev\/(?:disk\/by-(?:id|uuid|label|partuuid|partlabel)|mapper)\/)([^/\s]+)/g;
const NAME_FOLDERS = /^\/dev\/(?:disk\/by-(?:id|uuid|label|partuuid|partlabel)|mapper)$/;
/** Where no other name is to be had, a network interface is named after its hardware address. */
const ADDRESS_NAME = /^enx[0-9a-f]{12}$/;
const PLACES = /^\/proc\/(?:swaps|(?:self|\d+)\/mountinfo)$/;
const UUIDS =
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32,}\b|\b[0-9A-F]{4}-[0-9A-F]{4}\b/g;
const EXTENDED_SERIAL_NUMBER = 0x0003;
/** A host name that is also a common word would take parts of other names with it. */
const SHORTEST_HOST_NAME = 3;

/** Equal identifiers stay equal, and nothing else about them is left. */
export function hashIdentifier(text: string): string {
  const name = text.trim();
  if (name === "" || HASHED.test(name)) return name;
  return `hash:${createHash("sha256").update(name).digest("hex").slice(0, HASH_DIGITS)}`;
}

/** The same answers without identifiers. */
export function hideIdentifiers(answers: Answers): Answers {
  const hidePlaces = makePlaceHider(answers.files.get("/proc/sys/kernel/hostname"));
  const files = [...answers.files].map(([path, bytes]) => {
    const hidden = bytes && hideInFile(path, bytes, hidePlaces);
    return [hidePath(path), hidden] as const;
  });
  const lists = [...answers.lists].map(([path, names]) => {
    const isToHide = (name: string) => NAME_FOLDERS.test(path) || ADDRESS_NAME.test(name);
    const hidden = names.map((name) => (isToHide(name) ? hashIdentifier(name) : name));
    return [hidePath(path), hidden.sort()] as const;
  });
  const links = [...answers.links].map(([path, real]) => [hidePath(path), real && hidePath(real)] as const);
  return { files: new Map(files), lists: new Map(lists), links: new Map(links) };
}

/** Secrets are left out of every capture, with or without serial numbers. */
export function isSecret(path: string): boolean {
  return SECRET_FILES.test(path);
}

type TextChange = (text: string) => string;

function hideInFile(path: string, bytes: Uint8Array, hidePlaces: TextChange): Uint8Array {
  if (path.endsWith("/config") && path.startsWith("/sys/")) return hideSerialNumber(bytes);
  const text = () => Buffer.from(bytes).toString("utf8");
  if (IDENTIFIER_FILES.test(path)) return hashedFile(text());
  if (CONTROLLER_ADDRESS.test(path) && !PCI_ADDRESS.test(text().trim())) return hashedFile(text());
  return PLACES.test(path) ? Buffer.from(hidePlaces(text())) : bytes;
}

function hashedFile(text: string): Uint8Array {
  return Buffer.from(`${hashIdentifier(text)}${text.endsWith("\n") ? "\n" : ""}`);
}

/** Mount points and swap files: names of volumes, and the machine's where it is part of them. */
function makePlaceHider(hostName: Uint8Array | undefined): TextChange {
  const host = Buffer.from(hostName ?? [])
    .toString("utf8")
    .trim();
  const word = host.length < SHORTEST_HOST_NAME ? undefined : wholeWord(host);
  return (text) => {
    const hidden = hidePath(text).replace(UUIDS, hashIdentifier);
    return word ? hidden.replace(word, hashIdentifier(host)) : hidden;
  };
}

function wholeWord(text: string): RegExp {
  const escaped = text.replace(/[.*+?^${}()|[\]\\-]/g, "\\$&");
  return new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, "g");
}

function hidePath(path: string): string {
  return path.replace(NAMED_DEVICES, (_, folder: string, name: string) => folder + hashIdentifier(name));
}

/** The Device Serial Number capability (PCIe 7.9.3) often is the drive's EUI-64 or a network card's address. */
function hideSerialNumber(bytes: Uint8Array): Uint8Array {
  const space = Buffer.from(bytes);
  const at = findExtendedCapability(space, EXTENDED_SERIAL_NUMBER);
  if (typeof at !== "number" || at + 12 > space.length) return bytes;
  const serial = space.subarray(at + 4, at + 12);
  createHash("sha256")
    .update(serial)
    .digest()
    .copy(space, at + 4, 0, 8);
  return space;
}
