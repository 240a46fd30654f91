// SPDX-License-Identifier: MIT
import { settleChunk } from "./chunk-size.ts";
import { runJob } from "./job.ts";
import { journalPathFor } from "./keeper.ts";
import { prepare } from "./prepare.ts";
import type { Receipt } from "./receipt.ts";
import type { CopyEnvironment, CopyHooks, CopyRequest } from "./request.ts";
import { checkSideFiles } from "./side-files.ts";

/**
 * Copies one range and answers with its receipt once the data are durable.
 * Everything that can be known beforehand is checked before the destination is
 * opened for writing.
 * @throws P2pdmaError or SyscallError
 */
export async function copy(env: CopyEnvironment, asked: CopyRequest, hooks: CopyHooks): Promise<Receipt> {
  const request = settleChunk(env, asked);
  const parts = await prepare(env, request, hooks);
  const journalPath = journalPathFor(env, request, parts, hooks);
  checkSideFiles({ request, ...parts, journalPath });
  const inPlace = request.seek !== undefined;
  return runJob(env, { request, ...parts, inPlace, journalPath, resumed: undefined }, hooks);
}
