// SPDX-License-Identifier: MIT
import type { HeldBuffer } from "../core/p2pmem/held-buffer.ts";
import { formatBytes } from "../core/units.ts";
import { plainTable } from "./table.ts";

/** `a: 8 MiB of 0000:03:00.0 (nvme0), 0xf4020000-0xf481ffff in BAR 2` */
export function describeBuffer(buffer: HeldBuffer): string {
  const { name, sizeBytes, provider } = buffer;
  return `${name}: ${formatBytes(sizeBytes)} of ${provider.bdf} (${provider.name}), ${placeOf(buffer)}`;
}

/** What a session holds. */
export function renderBuffers(buffers: readonly HeldBuffer[]): string {
  const rows = buffers.map((buffer) => {
    const { name, sizeBytes, provider, allocator } = buffer;
    return [
      name,
      formatBytes(sizeBytes),
      provider.bdf,
      provider.name,
      allocator?.kind ?? "-",
      placeOf(buffer),
    ];
  });
  return plainTable(["BUFFER", "SIZE", "PROVIDER", "NAME", "ALLOCATOR", "PLACE"], rows);
}

function placeOf({ places, residency }: HeldBuffer): string {
  if (!places) return `place not known: ${residency?.checked === false ? residency.reason : "not checked"}`;
  return places.map(({ start, end, bar }) => `${hex(start)}-${hex(end - 1n)} in BAR ${bar}`).join("; ");
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
