// SPDX-License-Identifier: MIT
import type { BlockDevice } from "../../../../core/copy/disk.ts";
import type { Endpoint } from "../../../../core/copy/endpoint.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import type { PortType } from "../../../../core/pci/config-space.ts";
import type { PciFunction, PciTree } from "../../../../core/pci/tree.ts";

/** A whole NVMe namespace as the endpoint reader would describe it. */
export function fakeDrive(name: string, client: string, over: Partial<BlockDevice> = {}): Endpoint {
  const device: BlockDevice = {
    name,
    number: "259:0",
    disk: name,
    startBytes: 0n,
    sizeBytes: 1n << 30n,
    logicalBlockBytes: 512,
    isReadOnly: false,
    slaves: [],
    client: client as Bdf,
    identity: { model: "M", serial: "S", wwid: undefined },
    ...over,
  };
  return {
    path: `/dev/${name}`,
    kind: "block",
    exists: true,
    sizeBytes: device.sizeBytes,
    blockBytes: device.logicalBlockBytes,
    device,
    fileSystem: undefined,
    inode: undefined,
    modifiedNs: undefined,
    bornNs: undefined,
    peerProblem: undefined,
  };
}

export function fakeFile(path: string, sizeBytes: bigint, over: Partial<Endpoint> = {}): Endpoint {
  return {
    path,
    kind: "file",
    exists: true,
    sizeBytes,
    blockBytes: 512,
    device: undefined,
    fileSystem: "ext4",
    inode: `1:${path}`,
    modifiedNs: 0n,
    bornNs: 0n,
    peerProblem: undefined,
    ...over,
  };
}

/** Three functions below one switch; `redirecting` ports have ACS redirection on. */
export function fakeSwitch(redirecting: readonly string[] = []): PciTree {
  const rows: [string, string | undefined, PortType][] = [
    ["0000:00:01.0", undefined, "root-port"],
    ["0000:01:00.0", "0000:00:01.0", "upstream-port"],
    ...[0, 1, 2].flatMap((port): [string, string | undefined, PortType][] => [
      [`0000:02:0${port}.0`, "0000:01:00.0", "downstream-port"],
      [`0000:0${port + 3}:00.0`, `0000:02:0${port}.0`, "endpoint"],
    ]),
  ];
  const functions = new Map(
    rows.map(([bdf, parent, portType]): [Bdf, PciFunction] => [
      bdf as Bdf,
      {
        ...{ bdf: bdf as Bdf, parent: parent as Bdf | undefined, portType, hostBridge: "pci0000:00" },
        ...{ vendorId: 0x8086, deviceId: 0x29c0, classCode: 0, driver: undefined, numaNode: undefined },
        ...{ iommuGroup: undefined, link: undefined, resources: [], isBridge: portType !== "endpoint" },
        acs: {
          state: "present",
          offset: 0x148,
          capability: 0x1f,
          control: redirecting.includes(bdf) ? 0x0c : 0,
        },
      },
    ]),
  );
  const firstDevice = "0000:00:01.0" as Bdf;
  return { functions, hostBridges: new Map([["pci0000:00", { name: "pci0000:00", firstDevice }]]) };
}
