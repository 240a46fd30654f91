// SPDX-License-Identifier: MIT

import { PERCENTILES } from "../core/bench/latency.ts";
import type { MixedDocument } from "../core/bench/mixed-document.ts";
import { csv } from "./bench-csv.ts";
import { verdictWords } from "./bench-mixed-text.ts";

const HEAD = [
  ...["reader", "provider", "is_owner", "p2pmem_percent", "layout", "pieces", "verdict"],
  ...["commands_per_request", "bytes_per_second", "requests", "mean_ns", "deviation_ns"],
  ...PERCENTILES.map((at) => `p${at}_ns`),
];

/** A line for each mixture. */
export function renderMixedCsv({ points }: MixedDocument): string {
  const rows = points.map((point) => {
    const { reader, provider, isOwner, p2pPercent, layout, pieces, latency } = point;
    return [
      ...[reader, provider, isOwner ? 1 : 0, p2pPercent, layout, pieces, verdictWords(point)],
      ...[
        point.commandsPerRequest,
        point.bytesPerSecond,
        latency?.requests,
        latency?.meanNs,
        latency?.deviationNs,
      ],
      ...PERCENTILES.map((at) => latency?.percentilesNs[`p${at}`]),
    ];
  });
  return csv([HEAD, ...rows]);
}
