// SPDX-License-Identifier: MIT
import type { BlockDevice } from "../../../../core/copy/disk.ts";
import type { Endpoint } from "../../../../core/copy/endpoint.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";

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
    peerProblem: undefined,
    ...over,
  };
}
