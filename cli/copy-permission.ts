// SPDX-License-Identifier: MIT
import { describeDestination } from "../core/copy/destination-report.ts";
import type { Endpoint } from "../core/copy/endpoint.ts";
import {
  mayWrite,
  noPermission,
  OVERWRITE_KINDS,
  type OverwriteKind,
  type WritePermission,
} from "../core/copy/safety.ts";
import { usageError } from "../core/errors.ts";
import type { SystemView } from "../core/sysfs.ts";
import type { Native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";

/**
 * The Deno way: a flag names the device, or a person at a terminal says yes.
 * @throws P2pdmaError NO_PERMISSION
 */
export async function askPermission(
  context: CliContext,
  env: { readonly sys: SystemView; readonly native: Native },
  destination: Endpoint,
  permission: WritePermission,
): Promise<void> {
  if (mayWrite(env.sys, destination, permission)) return;
  if (!context.canAsk) throw noPermission(destination);
  const { lines } = describeDestination(env, destination, OVERWRITE_KINDS, "all");
  const facts = lines.map((line) => `  ${line}\n`).join("");
  const answer = await context.ask(`p2pdma: this would overwrite\n${facts}Overwrite it? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw noPermission(destination);
}

/** Reads `--overwrite a,b`. @throws P2pdmaError USAGE naming the kinds there are. */
export function parseOverwrite(text: string): OverwriteKind[] {
  const words = text.split(",").map((word) => word.trim());
  return words.map((word) => {
    const kind = OVERWRITE_KINDS.find((known) => known === word);
    if (kind) return kind;
    throw usageError(
      `--overwrite: "${word}" is nothing that could be overwritten`,
      `name what the destination may be or hold, comma separated: ${OVERWRITE_KINDS.join(", ")}`,
    );
  });
}
