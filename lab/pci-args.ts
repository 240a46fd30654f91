// SPDX-License-Identifier: MIT
import type { Drive, HostBridge, PciNode, PciSwitch, RootPort, Siblings } from "./topology.ts";

/** A tree of PCI nodes as QEMU arguments. The drives' backends are `disk-<letter>`, made elsewhere. */
export interface PciArguments {
  readonly args: readonly string[];
  /** In the order of the tree. */
  readonly drives: readonly Drive[];
}

/** Slots below this one on the root bus belong to the lab itself (virtio). */
const FIRST_ROOT_SLOT = 0x10;

/**
 * Turns a tree into `-device` arguments: parents first, in the order written,
 * so that the guest numbers its buses the same way at every boot.
 */
export function pciArguments(nodes: readonly PciNode[]): PciArguments {
  const builder = new Builder();
  nodes.forEach((node, index) => {
    const address = FIRST_ROOT_SLOT + index;
    if (node.kind === "root-port") builder.rootPort(node, "pcie.0", address);
    else if (node.kind === "host-bridge") builder.hostBridge(node, address);
    else builder.endpoint(node, "pcie.0", address);
  });
  return { args: builder.args, drives: builder.drives };
}

class Builder {
  readonly args: string[] = [];
  readonly drives: Drive[] = [];
  private readonly counters = new Map<string, number>();
  private ports = 0;

  hostBridge(bridge: HostBridge, address: number): void {
    const id = this.nextId("bridge");
    this.device("pxb-pcie", { id, bus: "pcie.0", addr: hex(address), bus_nr: bridge.busNumber });
    bridge.ports.forEach((port, index) => {
      this.rootPort(port, id, bridge.firstSlot + index);
    });
  }

  rootPort(port: RootPort, bus: string, address: number): void {
    const id = this.nextId("root");
    this.device("pcie-root-port", { id, bus, addr: hex(address), ...this.nextSlot() });
    this.below(port.below, id);
  }

  /** Below a port there is only one slot; on a root bus it has to be told. */
  endpoint(node: Drive | Siblings, bus: string, slot?: number): void {
    if (node.kind === "drive") {
      this.drive(node, bus, slot === undefined ? {} : { addr: hex(slot) });
      return;
    }
    for (const [index, drive] of node.functions.entries()) {
      this.drive(drive, bus, { addr: `${hex(slot ?? 0)}.${index}`, multifunction: "on" });
    }
  }

  private below(node: RootPort["below"], bus: string): void {
    if (node.kind === "switch") this.pciSwitch(node, bus);
    else if (node.kind === "ram-provider") this.ramProvider(node.sizeMiB, bus);
    else this.endpoint(node, bus);
  }

  private pciSwitch(node: PciSwitch, bus: string): void {
    const upstream = this.nextId("up");
    // Neither of QEMU's switch ports has ACS, but it lets root ports stand in for them.
    const isRootPort = node.acs === "all";
    this.device(isRootPort ? "pcie-root-port" : "x3130-upstream", {
      id: upstream,
      bus,
      ...(isRootPort ? this.nextSlot() : {}),
    });
    const model = node.acs === "none" ? "xio3130-downstream" : "pcie-root-port";
    const ports = node.below.map((child, index) => {
      const id = this.nextId("down");
      // Below a root port only one device is looked for, so the ports are its functions.
      const place = isRootPort ? { addr: `0x0.${index}`, multifunction: "on" } : { addr: hex(index) };
      this.device(model, { id, bus: upstream, ...place, ...this.nextSlot() });
      return { child, id };
    });
    for (const { child, id } of ports) this.below(child, id);
  }

  private drive(drive: Drive, bus: string, place: Record<string, string>): void {
    this.drives.push(drive);
    this.device("nvme", {
      id: `drive-${drive.letter}`,
      bus,
      ...place,
      drive: `disk-${drive.letter}`,
      serial: driveSerial(drive),
      ...(drive.cmbMiB === undefined ? {} : { cmb_size_mb: drive.cmbMiB }),
      ...(drive.lbaBytes === undefined
        ? {}
        : { logical_block_size: drive.lbaBytes, physical_block_size: drive.lbaBytes }),
    });
  }

  private ramProvider(sizeMiB: number, bus: string): void {
    const id = this.nextId("ram");
    this.args.push("-object", `memory-backend-ram,id=${id}-memory,size=${sizeMiB}M,share=on`);
    this.device("ivshmem-plain", { id, bus, memdev: `${id}-memory` });
  }

  private device(model: string, properties: Record<string, string | number>): void {
    const list = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
    this.args.push("-device", [model, ...list].join(","));
  }

  private nextId(prefix: string): string {
    const index = this.counters.get(prefix) ?? 0;
    this.counters.set(prefix, index + 1);
    return `${prefix}${index}`;
  }

  /** PCI Express slots must differ machine-wide, or QEMU refuses to start. */
  private nextSlot(): { chassis: number; slot: number } {
    this.ports++;
    return { chassis: this.ports, slot: this.ports };
  }
}

export function driveSerial(drive: Drive): string {
  return `P2PLAB-${drive.letter}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
