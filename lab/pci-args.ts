// SPDX-License-Identifier: MIT
import type { Drive, Endpoint, HostBridge, PciNode, PciSwitch, RootPort } from "./topology.ts";

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
    else builder.hostBridge(node, address);
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
      this.rootPort(port, id, index);
    });
  }

  rootPort(port: RootPort, bus: string, address: number): void {
    const id = this.nextId("root");
    this.device("pcie-root-port", { id, bus, addr: hex(address), ...this.nextSlot() });
    this.below(port.below, id);
  }

  private below(node: Endpoint | PciSwitch, bus: string): void {
    if (node.kind === "switch") this.pciSwitch(node, bus);
    else if (node.kind === "drive") this.drive(node, bus);
    else this.ramProvider(node.sizeMiB, bus);
  }

  private pciSwitch(node: PciSwitch, bus: string): void {
    const upstream = this.nextId("up");
    this.device("x3130-upstream", { id: upstream, bus });
    // xio3130 has no ACS; QEMU lets a root port stand in for a downstream port that has.
    const model = node.acs ? "pcie-root-port" : "xio3130-downstream";
    const ports = node.below.map((child, index) => {
      const id = this.nextId("down");
      this.device(model, { id, bus: upstream, addr: hex(index), ...this.nextSlot() });
      return { child, id };
    });
    for (const { child, id } of ports) this.below(child, id);
  }

  private drive(drive: Drive, bus: string): void {
    this.drives.push(drive);
    this.device("nvme", {
      id: `drive-${drive.letter}`,
      bus,
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
