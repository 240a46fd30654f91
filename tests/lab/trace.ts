// SPDX-License-Identifier: MIT
// Reads QEMU's trace of its NVMe devices: each command, then the address of each of its data pages.

/** What to ask QEMU for: commands of both kinds, so that it is clear where the pages of one end. */
export const PAYLOAD_EVENTS = ["io_cmd", "admin_cmd", "read", "write", "compare", "map_addr"].map(
  (name) => `pci_nvme_${name}`,
);

export type TracedDirection = "read" | "write" | "compare";

export interface TracedCommand {
  readonly direction: TracedDirection;
  readonly startLba: number;
  readonly lengthBytes: number;
  readonly pages: readonly Page[];
}

const LBA_BYTES = 512;
const COMMAND = /^pci_nvme_(read|write) .*count (\d+) lba (0x[0-9a-f]+)/;
const COMPARE = /^pci_nvme_compare .*slba (0x[0-9a-f]+) nlb (\d+)/;
const NEXT = /^pci_nvme_(io|admin)_cmd /;
const PAGE = /^pci_nvme_map_addr addr (0x[0-9a-f]+) len (\d+)/;

export function parseTrace(text: string): TracedCommand[] {
  const commands: TracedCommand[] = [];
  let open: Page[] | undefined;
  const begin = (direction: TracedDirection, startLba: string | undefined, lengthBytes: number) => {
    open = [];
    commands.push({ direction, startLba: Number(startLba), lengthBytes, pages: open });
  };
  for (const line of text.split("\n")) {
    const command = COMMAND.exec(line);
    const comparison = COMPARE.exec(line);
    const page = PAGE.exec(line);
    if (command) begin(command[1] as TracedDirection, command[3], Number(command[2]));
    else if (comparison) begin("compare", comparison[1], Number(comparison[2]) * LBA_BYTES);
    else if (page) open?.push({ address: Number(page[1]), lengthBytes: Number(page[2]) });
    else if (NEXT.test(line)) open = undefined;
  }
  return commands;
}

interface Page {
  readonly address: number;
  readonly lengthBytes: number;
}

export interface Window {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Bytes of payload by where they went, for commands of one direction that lie within an LBA range. */
export function countPayload(
  commands: readonly TracedCommand[],
  direction: TracedDirection,
  offsetBytes: number,
  lengthBytes: number,
  bar: Window,
): { inBar: number; elsewhere: number } {
  const end = offsetBytes + lengthBytes;
  const count = { inBar: 0, elsewhere: 0 };
  for (const command of commands) {
    const at = command.startLba * LBA_BYTES;
    if (command.direction !== direction || at < offsetBytes || at + command.lengthBytes > end) continue;
    for (const page of command.pages) {
      const isInside = page.address >= bar.start && page.address + page.lengthBytes <= bar.end;
      count[isInside ? "inBar" : "elsewhere"] += page.lengthBytes;
    }
  }
  return count;
}
