// SPDX-License-Identifier: MIT
import { cmbDocument } from "../core/nvme/cmb-json.ts";
import { reportCmbs } from "../core/nvme/cmb-report.ts";
import { native } from "../ffi/index.ts";
import { renderCmbs } from "./cmb-show-text.ts";
import type { CliContext } from "./context.ts";
import { viewFrom } from "./from-option.ts";

export interface ShowOptions {
  readonly json?: boolean;
  /** A capture in the place of this machine. */
  readonly from?: string;
}

/** `cmb show`: registers in words, whatever of them can be had. */
export function showCmbs(context: CliContext, devices: readonly string[], options: ShowOptions): void {
  const here = options.from === undefined ? native : undefined;
  const reports = reportCmbs(viewFrom(options.from), here, devices);
  context.out(options.json ? `${JSON.stringify(cmbDocument(reports), null, 2)}\n` : renderCmbs(reports));
}
