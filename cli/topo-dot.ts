// SPDX-License-Identifier: MIT
import {
  type Branch,
  driveBytes,
  type Forest,
  functionWords,
  hostBridgeStanding,
  kindOf,
  linkAbove,
  type Machine,
  predictReach,
  type RootBus,
} from "../core/topo/index.ts";
import { formatBytes } from "../core/units.ts";

/** More arrows than this hide the tree. */
const MOST_ARROWS = 60;

/** A graph for graphviz: the tree in solid lines, and an arrow from each client to the memory it reaches. */
export function renderDot(machine: Machine, forest: Forest): string {
  const lines = [
    "digraph p2pdma {",
    '  graph [rankdir=LR, fontname="sans-serif", compound=true];',
    '  node [shape=box, fontname="sans-serif", fontsize=10];',
    '  edge [fontname="sans-serif", fontsize=9];',
    ...forest.rootBuses.flatMap((root, index) => clusterLines(machine, root, index)),
    ...arrowLines(machine),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

function clusterLines(machine: Machine, { verdict, numaNode, branches }: RootBus, index: number): string[] {
  const head = [verdict.name, verdict.ids, numaNode === undefined ? undefined : `NUMA ${numaNode}`];
  const label = [head.filter(Boolean).join(" "), hostBridgeStanding(machine, verdict)];
  return [
    `  subgraph cluster_${index} {`,
    `    label=${quote(...label)};`,
    ...branches.flatMap((branch) => branchLines(machine, branch)),
    "  }",
  ];
}

function branchLines(machine: Machine, branch: Branch): string[] {
  const { bdf } = branch.pci;
  const edges = branch.children.map(({ pci }) => {
    const link = linkAbove(machine.tree, pci);
    const label = link ? ` [label=${quote(link.best ? `${link.now} (of ${link.best})` : link.now)}]` : "";
    return `    ${quote(bdf)} -> ${quote(pci.bdf)}${label};`;
  });
  const node = `    ${quote(bdf)} [label=${quote(...nodeWords(branch))}${nodeStyle(branch)}];`;
  return [node, ...edges, ...branch.children.flatMap((child) => branchLines(machine, child))];
}

function nodeWords({ pci, device }: Branch): string[] {
  if (!device) return [functionWords(pci), pci.bdf];
  const bytes = driveBytes(device);
  const head = [device.name, bytes === undefined ? undefined : formatBytes(bytes)].filter(Boolean).join(" ");
  const memory = device.provider ? [`p2pmem ${formatBytes(device.provider.sizeBytes)}`] : [];
  return [head, ...(device.name === pci.bdf ? [] : [pci.bdf]), ...memory];
}

function nodeStyle({ device }: Branch): string {
  if (!device) return "";
  return device.provider ? ', style="rounded,filled", fillcolor="#e7f3e1"' : ', style="rounded"';
}

const ARROWS = { direct: 'color="#0b559f"', "host-bridge": 'color="#9a6500", style=dashed' } as const;

function arrowLines(machine: Machine): string[] {
  const { verdicts, isHypothetical } = predictReach(machine);
  if (isHypothetical) return ["  // no device lends memory"];
  const arrows = verdicts.flat().flatMap((verdict) => {
    const kind = kindOf(verdict);
    if (kind !== "direct" && kind !== "host-bridge") return [];
    const words = kind === "direct" ? "BUS" : "HB";
    const label = quote(`${words} ${verdict.distance}`);
    const ends = `${quote(verdict.client)} -> ${quote(verdict.provider)}`;
    return [`  ${ends} [label=${label}, constraint=false, ${ARROWS[kind]}];`];
  });
  return arrows.length > MOST_ARROWS
    ? [`  // ${arrows.length} pairs reach each other: see p2pdma topo`]
    : arrows;
}

/** Lines of a label, as a quoted string. */
function quote(...lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
  return `"${escaped.join("\\n")}"`;
}
