// SPDX-License-Identifier: MIT
import type { Endpoint } from "../core/copy/endpoint.ts";
import type { MigrateReport, ReportedPair } from "../core/migrate/report.ts";
import type { SurveyedPair } from "../core/migrate/survey.ts";
import { formatBytes } from "../core/units.ts";
import { plainTable } from "./table.ts";

/** What `migrate --dry-run --json` prints. Byte counts are decimal strings. */
export function previewJson(pairs: readonly SurveyedPair[], isPermitted: (dst: Endpoint) => boolean): object {
  return {
    schema: "p2pdma.migrate-preview/1",
    pairs: pairs.map(({ pair, src, dst, range, route, demand }) => ({
      ...{ name: pair.name, source: src.path, destination: dst.path, after: pair.after },
      ...{ lengthBytes: range.lengthBytes.toString(), isPermitted: isPermitted(dst) },
      route: {
        ...{ via: route.via, provider: route.provider?.bdf ?? null, depth: route.depth },
        ...{ providerName: route.provider?.name ?? null, side: route.provider?.side ?? null },
        ...{ stagingBytes: route.stagingBytes.toString(), uplinks: route.uplinks },
        reason: route.reason ?? null,
      },
      devices: demand.devices,
    })),
  };
}

/** What would be copied, which way, and when it could start. */
export function renderPreview(
  pairs: readonly SurveyedPair[],
  isPermitted: (dst: Endpoint) => boolean,
): string {
  if (pairs.length === 0) return "Nothing is left to copy.\n";
  const rows = pairs.map(({ pair, src, dst, range, route }) => [
    ...[pair.name, src.path, dst.path, formatBytes(range.lengthBytes)],
    route.provider ? `${route.provider.name} (${route.provider.bdf})` : WAYS[route.via],
    route.stagingBytes === 0n ? "-" : formatBytes(route.stagingBytes),
    pair.after.length > 0 ? `after ${shorten(pair.after)}` : "at once",
  ]);
  const table = plainTable(["PAIR", "SOURCE", "DESTINATION", "SIZE", "THROUGH", "STAGING", "STARTS"], rows);
  const total = pairs.reduce((sum, { range }) => sum + range.lengthBytes, 0n);
  const count = pairs.length === 1 ? "one copy" : `${pairs.length} copies`;
  return `${table}\n${count}, ${formatBytes(total)}\n${throughRam(pairs)}${unpermitted(pairs, isPermitted)}`;
}

const WAYS = { p2p: "p2pmem", ram: "RAM", "nvme-copy": "the drive itself" } as const;

function shorten(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** What was not asked for is explained. */
function throughRam(pairs: readonly SurveyedPair[]): string {
  const reasons = pairs.flatMap(({ route }) => (route.reason ? [route.reason] : []));
  return [...new Set(reasons)].map((reason) => `through RAM, since ${reason}\n`).join("");
}

function unpermitted(pairs: readonly SurveyedPair[], isPermitted: (dst: Endpoint) => boolean): string {
  const open = new Set(pairs.filter(({ dst }) => !isPermitted(dst)).map(({ dst }) => dst.path));
  return open.size === 0 ? "" : `it will need --allow-write=${[...open].join(",")}\n`;
}

/** A job at this moment, or at its end. */
export function renderStatus(report: MigrateReport): string {
  const rows = report.pairs.map((pair) => [
    ...[pair.name, stateWords(pair), progressWords(pair)],
    pair.bytesPerSecond ? `${formatBytes(BigInt(pair.bytesPerSecond))}/s` : "-",
    routeWords(pair),
    pair.receipt?.verification ? "equal" : "-",
  ]);
  const table = plainTable(["PAIR", "STATE", "COPIED", "RATE", "THROUGH", "VERIFIED"], rows);
  return `${table}\n${totalWords(report)}\n${troubles(report)}`;
}

function stateWords({ state, exitCode, signal, isPostOwed }: ReportedPair): string {
  const why =
    state === "failed" || state === "stopped" ? (signal ?? (exitCode ? `exit ${exitCode}` : "")) : "";
  return [state, why && `(${why})`, isPostOwed && state !== "running" ? "(post hook owed)" : ""]
    .filter((part) => part)
    .join(" ");
}

function progressWords({ bytesDone, lengthBytes, phase }: ReportedPair): string {
  if (lengthBytes === null) return "-";
  const [done, all] = [BigInt(bytesDone), BigInt(lengthBytes)];
  const words = done === all ? formatBytes(all) : `${formatBytes(done)} of ${formatBytes(all)}`;
  return phase && phase !== "copy" && phase !== "start" ? `${words}, ${PHASES[phase] ?? phase}` : words;
}

const PHASES: Readonly<Record<string, string>> = {
  ...{ zero: "making holes", rescue: "reading around bad blocks", verify: "verifying" },
};

function routeWords({ receipt, route }: ReportedPair): string {
  const staging = receipt?.staging;
  if (staging?.provider) return `${staging.providerName} (${staging.provider})`;
  if (receipt) return WAYS[receipt.route.via];
  return route ? (route.providerName ?? WAYS[route.via]) : "-";
}

function totalWords({ totals, state }: MigrateReport): string {
  const states = (["done", "bad-ranges", "running", "waiting", "stopped", "failed", "skipped"] as const)
    .filter((name) => totals[name] > 0)
    .map((name) => `${totals[name]} ${name}`);
  const done = `${formatBytes(BigInt(totals.bytesDone))} of ${formatBytes(BigInt(totals.bytesTotal))}`;
  const note = state === "killed" ? "; its process is gone" : "";
  return `${totals.pairs} ${totals.pairs === 1 ? "pair" : "pairs"}: ${states.join(", ")}; ${done} copied${note}`;
}

function troubles({ pairs, problem }: MigrateReport): string {
  const own = problem ? [`the job: ${problem.message}`] : [];
  const lines = pairs.flatMap(({ name, problem: wrong, next }) => [
    ...(wrong ? [`${name}: ${wrong.message}${wrong.hint ? ` (${wrong.hint})` : ""}`] : []),
    ...(wrong && next ? [`  ${next}`] : []),
  ]);
  return [...own, ...lines].map((line) => `${line}\n`).join("");
}
