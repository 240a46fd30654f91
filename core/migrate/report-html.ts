// SPDX-License-Identifier: MIT
import type { MigrateReport } from "./report.ts";

export function renderReportHtml(report: MigrateReport): string {
  return `<pre>${report.plan}</pre>`;
}
