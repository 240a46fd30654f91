// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import type { NamespaceIdentity, NvmeEnvironment } from "./identify.ts";
import { type NamespaceTarget, namespaceTargetOf, noCharDevice } from "./namespace-target.ts";

/** What is needed to let the drive itself compare, or the reason in words why it can't. */
export function compareTargetOf(env: NvmeEnvironment, endpoint: Endpoint): NamespaceTarget | string {
  return namespaceTargetOf(env, endpoint, compareProblem);
}

/** Why the drive can't compare plain data; undefined when it can. */
export function compareProblem(disk: string, identity: NamespaceIdentity): string | undefined {
  if (!identity.oncs.compare) return `"${disk}" has no Compare command`;
  if (identity.metadataBytes > 0) {
    return `"${disk}" keeps ${identity.metadataBytes} bytes of metadata with each LBA, which Compare would include`;
  }
  return identity.charDevice === undefined ? noCharDevice(disk) : undefined;
}
