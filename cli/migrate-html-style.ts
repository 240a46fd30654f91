// SPDX-License-Identifier: MIT

/** The report's looks: light and dark as the reader's system has it, black on white in print. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5f6b76; --paper: #fff; --panel: #f5f7f9; --line: #dde3e8;
  --done: #2b8a3e; --bad-ranges: #b36b00; --failed: #c92a2a; --stopped: #b36b00; --skipped: #7a828a;
  --waiting: #7a828a; --running: #1c6fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa5b0; --paper: #14181c; --panel: #1d2328;
  --line: #343c44; --done: #51b866; --bad-ranges: #e8a33d; --failed: #ff7b72; --stopped: #e8a33d; --skipped: #8b949e;
  --waiting: #8b949e; --running: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
code, .mono { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.verdict { font-size: 1.05rem; margin: .75rem 0 1rem; padding: .6rem .9rem; border-left: 4px solid var(--tone);
  background: var(--panel); border-radius: 0 6px 6px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tile { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.25rem; line-height: 1.3; }
.share { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--line); gap: 1px; }
.share i { display: block; background: var(--tone); min-width: 3px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--dim); font-size: .82rem; }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.num, th.num { text-align: right; white-space: nowrap; }
.state { color: var(--tone); font-weight: 600; white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em;
  background: var(--tone); }
a { color: inherit; text-underline-offset: 2px; text-decoration-color: var(--line); }
ul { margin: 0; padding-left: 1.2rem; } li { margin: .35rem 0; }
.wide { overflow-x: auto; }
article { border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 6px; padding: .8rem 1rem;
  margin: .75rem 0; break-inside: avoid; }
article h3 { margin: 0 0 .5rem; font-size: 1rem; display: flex; gap: .75rem; justify-content: space-between; flex-wrap: wrap; }
dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .2rem .75rem; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
.trouble { color: var(--failed); }
svg text { fill: var(--ink); font: 12px system-ui, "DejaVu Sans", sans-serif; }
svg .axis { stroke: var(--line); } svg .tick { fill: var(--dim); font-size: 11px; }
svg .bar { fill: var(--tone); } svg .lane:nth-child(even) rect.back { fill: var(--panel); } svg rect.back { fill: none; }
${["done", "bad-ranges", "failed", "stopped", "skipped", "waiting", "running"]
  .map((state) => `.${state} { --tone: var(--${state}); }`)
  .join(" ")}
@media print { :root { --ink: #000; --dim: #444; --paper: #fff; --panel: #f3f3f3; --line: #bbb; --done: #1a6b2c;
  --bad-ranges: #8a5200; --failed: #a31515; --stopped: #8a5200; --skipped: #555; --waiting: #555; --running: #0b4f8f; }
  body { max-width: none; padding: 0; font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .wide { overflow: visible; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
`;
