// SPDX-License-Identifier: MIT
import type { Verdict } from "./rules.ts";

/** Why the kernel decides so, in one clause without a full stop. */
export function explainVerdict(verdict: Verdict): string {
  const bridges = verdict.hostBridges.map(
    ({ name, ids }) => `${name} (${ids ?? "no device 00.0 or root port first"})`,
  );
  const hosts = [...new Set(bridges)].join(" and ");
  const redirecting = verdict.hops.filter((hop) => hop.redirects).map(({ bdf }) => bdf);
  switch (verdict.rule) {
    case "same-function":
      return "it is the same PCI function";
    case "common-bridge":
      return "both are below one bridge, and no port on the way redirects";
    case "acs-redirect":
      return redirecting.length > 0
        ? `ACS on ${redirecting.join(", ")} redirects to the host bridge ${hosts}, which the kernel does not trust with it`
        : "the ACS bits that decide could not be read: needs CAP_SYS_ADMIN";
    case "amd-zen":
      return "the way leads through the host bridge of an AMD Zen, which the kernel trusts";
    case "whitelisted-host-bridge":
      return `the way leads through the host bridge ${hosts}, which is on the kernel's list`;
    case "host-bridge-not-listed":
      return `no bridge is above both, and the host bridge ${hosts} is not on the kernel's list`;
    case "different-host-bridges":
      return `no bridge is above both, and the kernel trusts ${hosts} only within one host bridge`;
    case "no-host-bridge-device":
      return verdict.mapType === undefined
        ? `no bridge is above both, and whether ${hosts} is known by a root port could not be read: needs CAP_SYS_ADMIN`
        : `no bridge is above both, and the kernel can't tell what host bridge ${hosts} is`;
    case "iommu-present":
      return "no bridge is above both, and Linux before 5.4 does not lead such traffic through an IOMMU";
    case "no-p2pdma":
      return "this kernel has no P2PDMA: it came with Linux 4.20";
    case "not-in-tree":
      return "it is not in the PCI tree any more";
  }
}
