// SPDX-License-Identifier: MIT
import type { Receipt, ReceiptEnd, ReceiptMemory } from "../core/copy/receipt.ts";
import { formatBytes } from "../core/units.ts";

/** The receipt for people. */
export function renderReceipt(receipt: Receipt): string {
  const { bytes, staging, route } = receipt;
  const lines: [string, string][] = [
    ["source", describeEnd(receipt.source)],
    ["destination", describeEnd(receipt.destination)],
    ["route", routeWords(route)],
    ...stagingLines(staging),
    ["moved", movedWords(bytes)],
    ...sparseLines(receipt),
    ...(bytes.before === "0"
      ? []
      : [["before", `${bytes.before} bytes were there already`] as [string, string]]),
    ["speed", speed(receipt)],
    [
      "engine",
      `${receipt.engine}, ${receipt.queueDepth} chunks of ${formatBytes(receipt.chunkBytes)} in flight`,
    ],
    ["durable", "yes, flushed"],
    ...verificationLines(receipt),
    ...badLines(receipt),
  ];
  return renderRows(lines);
}

/** Names in one column, what they say in another. */
export function renderRows(rows: readonly (readonly [string, string])[]): string {
  return `${rows.map(([name, text]) => `${name.padEnd(12)} ${text}`).join("\n")}\n`;
}

function routeWords({ via, reason }: Receipt["route"]): string {
  if (via === "nvme-copy") return `within the drive, by ${reason}`;
  return via === "p2p" ? `peer-to-peer, through ${reason}` : `system RAM (${reason})`;
}

function movedWords({ peerToPeer, throughRam, withinDrive }: Receipt["bytes"]): string {
  if (withinDrive !== "0") return `${withinDrive} bytes within the drive, 0 bytes through RAM`;
  return `${peerToPeer} bytes peer-to-peer, ${throughRam} bytes through RAM`;
}

function describeEnd(end: ReceiptEnd): string {
  const { model, serial, wwid } = end.identity ?? {};
  const identity = [model, serial && `serial ${serial}`, wwid].filter((part) => part).join(", ");
  const place = [end.pciAddress, identity].filter((part) => part).join(", ");
  const start = end.startBytes === "0" ? "" : ` from byte ${end.startBytes}`;
  return `${end.path}${start}${place ? ` (${place})` : ""}`;
}

function stagingLines(staging: Receipt["staging"]): [string, string][] {
  if (!staging.provider) return [["staging", `${formatBytes(staging.sizeBytes)} of system RAM`]];
  return [staging, ...staging.beside].flatMap(memoryLines);
}

function memoryLines(memory: ReceiptMemory): [string, string][] {
  const bar = memory.bar && ` (${memory.bar.start}-${memory.bar.end})`;
  return [
    ["provider", `${memory.provider} (${memory.providerName}), ${memory.allocator}`],
    ["staging", `${formatBytes(memory.sizeBytes)} of p2pmem: ${memory.residency}${bar ?? ""}`],
    ...memory.ranges.map(({ start, end }): [string, string] => ["", `${start}-${lastByte(end)}`]),
  ];
}

function lastByte(end: string): string {
  return `0x${(BigInt(end) - 1n).toString(16)}`;
}

function speed(receipt: Receipt): string {
  const { peerToPeer, throughRam, withinDrive } = receipt.bytes;
  const moved = BigInt(peerToPeer) + BigInt(throughRam) + BigInt(withinDrive);
  const rate = formatBytes(Math.round((Number(moved) / Math.max(1, receipt.transferMs)) * 1000));
  return `${formatBytes(moved)} in ${(receipt.transferMs / 1000).toFixed(2)} s, ${rate}/s`;
}

const HOLES_MADE = {
  left: "left out of the new file",
  punched: "punched into the file",
  "write-zeroes": "made by Write Zeroes",
};

function sparseLines({ sparse }: Receipt): [string, string][] {
  if (sparse.holeBytes === "0" || !sparse.made) return [];
  return [["holes", `${sparse.holeBytes} bytes, ${HOLES_MADE[sparse.made]} (found by ${sparse.method})`]];
}

function verificationLines({ verification }: Receipt): [string, string][] {
  if (!verification) return [["verified", "no (add --verify)"]];
  const { method, equal, throughRamBytes, sourceDigest, destinationDigest, differing } = verification;
  const how = `${method}, ${throughRamBytes} bytes through RAM`;
  if (equal) return [["verified", `equal (${how})${sourceDigest ? `: ${sourceDigest}` : ""}`]];
  const digests = sourceDigest ? `: source ${sourceDigest}, destination ${destinationDigest}` : "";
  return [
    ["verified", `DIFFERENT (${how})${digests}`],
    ...firstOf(differing.map(({ dstOffset, lengthBytes }) => `${lengthBytes} bytes at ${dstOffset} differ`)),
  ];
}

function badLines({ badRanges, mapfile }: Receipt): [string, string][] {
  if (badRanges.length === 0) return [];
  const ranges = badRanges.map(({ srcOffset, lengthBytes, direction, error }) => {
    return `${lengthBytes} bytes at ${srcOffset}: ${direction} failed, ${error}`;
  });
  return [["bad", `${ranges.length} ranges${mapfile ? `, listed in ${mapfile}` : ""}`], ...firstOf(ranges)];
}

const MOST_LINES = 10;

/** A receipt is to be read: the rest is in the JSON and the mapfile. */
export function firstOf(lines: readonly string[]): [string, string][] {
  const shown = lines.slice(0, MOST_LINES).map((line): [string, string] => ["", line]);
  const more = lines.length - shown.length;
  return more > 0 ? [...shown, ["", `and ${more} more`]] : shown;
}
