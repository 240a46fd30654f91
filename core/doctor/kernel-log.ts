// SPDX-License-Identifier: MIT
import { type Bdf, parseBdf } from "../pci/bdf.ts";

/** What drivers/pci/p2pdma.c said of a pair when it made up its mind. */
export interface LoggedVerdict {
  readonly provider: Bdf;
  readonly client: Bdf;
  /** redirected: ACS was in the way. refused: and no host bridge to go through. */
  readonly kind: "redirected" | "refused";
}

export interface BadMapping {
  readonly provider: Bdf;
  /** Name of the program that tried. */
  readonly command: string;
  readonly kind: "private" | "offset";
}

/** The messages of the kernel that matter here. */
export interface KernelLog {
  /** Those that hold still: given after the provider's memory was added for the last time. */
  readonly verdicts: readonly LoggedVerdict[];
  /** Controllers whose CMB could not be registered: `nvme0`. */
  readonly unregistered: readonly string[];
  readonly badMappings: readonly BadMapping[];
  /** Functions whose DMA an IOMMU has stopped. */
  readonly faults: readonly Bdf[];
  /** The kernel did not understand pci=config_acs= or pci=disable_acs_redir=. */
  readonly isAcsParameterBad: boolean;
}

const BDF = "([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])";
const ADDED = new RegExp(`${BDF}: added peer-to-peer DMA memory`);
const REDIRECTED = new RegExp(`${BDF}: ACS redirect is set between the client and provider \\(${BDF}\\)`);
const REFUSED = new RegExp(
  `${BDF}: cannot be used for peer-to-peer DMA as the client and provider \\(${BDF}\\)`,
);
const UNREGISTERED = /\b(nvme\d+): failed to register the CMB/;
const BAD_MAPPING = new RegExp(`${BDF}: (.+): fail, attempted (private|mapping with non-zero offset)`);
const FAULTS = [
  /DMAR: \[DMA .*Request device \[(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\]/,
  /IO_PAGE_FAULT device=(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/,
  /(?:([0-9a-f]{4}):)([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): AMD-Vi: Event logged \[IO_PAGE_FAULT/,
];
const BAD_PARAMETER = /PCI: Can't parse ACS command line parameter/;

/** Understands messages, oldest first, without their time stamps. */
export function parseKernelLog(lines: readonly string[]): KernelLog {
  return {
    verdicts: lastingVerdicts(lines),
    unregistered: lines.flatMap((line) => UNREGISTERED.exec(line)?.[1] ?? []),
    badMappings: lines.flatMap(parseBadMapping),
    faults: [...new Set(lines.flatMap(parseFault))],
    isAcsParameterBad: lines.some((line) => BAD_PARAMETER.test(line)),
  };
}

/** A verdict is kept with the provider's memory, and forgotten when that is added anew. */
function lastingVerdicts(lines: readonly string[]): LoggedVerdict[] {
  const verdicts = new Map<string, LoggedVerdict>();
  for (const line of lines) {
    const added = ADDED.exec(line)?.[1];
    if (added) {
      for (const [key, { provider }] of verdicts) if (provider === added) verdicts.delete(key);
    }
    const refused = REFUSED.exec(line);
    const [, client, provider] = refused ?? REDIRECTED.exec(line) ?? [];
    if (!client || !provider) continue;
    const kind = refused ? "refused" : "redirected";
    verdicts.set(`${provider} ${client}`, { provider: provider as Bdf, client: client as Bdf, kind });
  }
  return [...verdicts.values()];
}

function parseBadMapping(line: string): BadMapping[] {
  const [, provider, command, what] = BAD_MAPPING.exec(line) ?? [];
  if (!provider || !command || !what) return [];
  return [{ provider: provider as Bdf, command, kind: what === "private" ? "private" : "offset" }];
}

function parseFault(line: string): Bdf[] {
  for (const pattern of FAULTS) {
    const [found, domain = "0000", address] = pattern.exec(line) ?? [];
    const bdf = found && address ? parseBdf(`${domain}:${address}`) : undefined;
    if (bdf) return [bdf];
  }
  return [];
}
