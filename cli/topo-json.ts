// SPDX-License-Identifier: MIT
import type { HostBridgeVerdict, Verdict } from "../core/pci/rules.ts";
import type { PciFunction } from "../core/pci/tree.ts";
import {
  type Device,
  explainVerdict,
  findRemedies,
  type Host,
  idsOf,
  kernelName,
  type Machine,
  type Pair,
  predictReach,
  redirectingPorts,
} from "../core/topo/index.ts";

/** The whole machine. Byte counts are strings, as they can pass 2^53. */
export function machineJson(machine: Machine): object {
  const { tree, devices, isAcsHidden } = machine;
  const { providers, clients, verdicts, isHypothetical } = predictReach(machine);
  return {
    schema: "p2pdma.topo/1",
    host: hostJson(machine.host),
    isAcsHidden,
    busOffsets: Object.fromEntries([...machine.busOffsets].map(([name, offset]) => [name, String(offset)])),
    functions: [...tree.functions.values()].map(functionJson),
    devices: devices.map(deviceJson),
    providers: isHypothetical ? [] : providers.map(({ bdf }) => bdf),
    clients: clients.map(({ bdf }) => bdf),
    isHypothetical,
    pairs: verdicts.flat().map((verdict) => verdictJson(machine, verdict)),
  };
}

/** One pair: each provider's route, best first. */
export function pairJson(machine: Machine, pair: Pair): object {
  const { source, destination, routes, between, works } = pair;
  return {
    schema: "p2pdma.topo-pair/1",
    host: hostJson(machine.host),
    source: deviceJson(source),
    destination: deviceJson(destination),
    works: works ?? null,
    routes: routes.map((route) => ({
      provider: deviceJson(route.provider),
      role: route.role,
      works: route.works ?? null,
      source: explainedJson(machine, route.source),
      destination: explainedJson(machine, route.destination),
    })),
    /** The destination as provider, the source as client, even if it lends no memory. */
    between: explainedJson(machine, between),
  };
}

function hostJson({ name, kernelRelease, cpuModel, platform }: Host): object {
  return {
    name: name ?? null,
    kernelRelease: kernelRelease ?? null,
    predictedFor: kernelName(platform.kernel),
    cpuModel: cpuModel ?? null,
    isAmdZen: platform.isAmdZen,
  };
}

function functionJson(pci: PciFunction): object {
  const { bdf, parent, hostBridge, classCode, driver, numaNode, iommuGroup, link, portType, acs } = pci;
  return {
    ...{ bdf, parent: parent ?? null, hostBridge, ids: idsOf(pci) },
    classCode: `0x${classCode.toString(16).padStart(6, "0")}`,
    portType: portType ?? null,
    driver: driver ?? null,
    numaNode: numaNode ?? null,
    iommuGroup: iommuGroup ?? null,
    link: link ?? null,
    acs: acs.state === "present" ? { state: acs.state, control: hex16(acs.control) } : { state: acs.state },
  };
}

function deviceJson({ bdf, name, controller, provider, isClient }: Device): object {
  return {
    ...{ bdf, name, isClient },
    model: controller?.model ?? null,
    serial: controller?.serial ?? null,
    namespaces: controller?.namespaces.map((space) => ({
      name: space.name,
      sizeBytes: String(space.sizeBytes),
    })),
    p2pmem: provider
      ? { sizeBytes: String(provider.sizeBytes), availableBytes: String(provider.availableBytes) }
      : null,
  };
}

function verdictJson(machine: Machine, verdict: Verdict): object {
  const { provider, client, mapType, possible, distance, rule } = verdict;
  return {
    ...{ provider, client, mapType: mapType ?? null, possible, distance: distance ?? null, rule },
    redirectingPorts: redirectingPorts(verdict),
    reason: explainVerdict(machine, verdict),
  };
}

function explainedJson(machine: Machine, verdict: Verdict): object {
  const remedies = findRemedies(machine, verdict);
  return {
    ...verdictJson(machine, verdict),
    hops: verdict.hops.map(({ bdf, role, redirects }) => ({ bdf, role, redirects: redirects ?? null })),
    hostBridges: verdict.hostBridges.map(hostBridgeJson),
    remedies: remedies.map(({ warning, ...remedy }) => ({ ...remedy, warning: warning ?? null })),
  };
}

function hostBridgeJson({ name, firstDevice, ids, entry }: HostBridgeVerdict): object {
  return {
    ...{ name, firstDevice: firstDevice ?? null, ids: ids ?? null },
    listedAs: entry?.name ?? null,
    listedSince: entry ? kernelName(entry.since) : null,
    sameHostBridgeOnly: entry?.sameHostBridgeOnly ?? null,
  };
}

function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, "0")}`;
}
