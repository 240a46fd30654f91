// SPDX-License-Identifier: MIT
// Reads QEMU's trace of its NVMe devices: each command, then the address of each of its data pages.

export interface TracedCommand {
  readonly direction: "read" | "write";
  readonly startLba: number;
  readonly lengthBytes: number;
  readonly pages: readonly { readonly address: number; readonly lengthBytes: number }[];
}

const COMMAND = /^pci_nvme_(read|write) .*count (\d+) lba (0x[0-9a-f]+)/;
const PAGE = /^pci_nvme_map_addr addr (0x[0-9a-f]+) len (\d+)/;

export function parseTrace(text: string): TracedCommand[] {
  const commands: { direction: "read" | "write"; startLba: number; lengthBytes: number; pages: Page[] }[] =
    [];
  let open: Page[] | undefined;
  for (const line of text.split("\n")) {
    const command = COMMAND.exec(line);
    const page = PAGE.exec(line);
    if (command) {
      open = [];
      const direction = command[1] as "read" | "write";
      commands.push({
        direction,
        lengthBytes: Number(command[2]),
        startLba: Number(command[3]),
        pages: open,
      });
    } else if (page) open?.push({ address: Number(page[1]), lengthBytes: Number(page[2]) });
    else if (line.startsWith("pci_nvme_io_cmd")) open = undefined;
  }
  return commands;
}

type Page = TracedCommand["pages"][number];

export interface Window {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Bytes of payload by where they went, for commands of one direction that lie within an LBA range. */
export function countPayload(
  commands: readonly TracedCommand[],
  direction: "read" | "write",
  offsetBytes: number,
  lengthBytes: number,
  bar: Window,
): { inBar: number; elsewhere: number } {
  const end = offsetBytes + lengthBytes;
  const count = { inBar: 0, elsewhere: 0 };
  for (const command of commands) {
    const at = command.startLba * 512;
    if (command.direction !== direction || at < offsetBytes || at + command.lengthBytes > end) continue;
    for (const page of command.pages) {
      const isInside = page.address >= bar.start && page.address + page.lengthBytes <= bar.end;
      count[isInside ? "inBar" : "elsewhere"] += page.lengthBytes;
    }
  }
  return count;
}
