// SPDX-License-Identifier: MIT

/** Six tones of even weight, by the reader's light or dark; black on white in print. */
const LIGHT = ["#1c6fbf", "#c4511a", "#2b8a3e", "#8a3ffc", "#b3261e", "#5f6b76"];
const DARK = ["#58a6ff", "#f0883e", "#51b866", "#bc8cff", "#ff7b72", "#9aa5b0"];
const DASHES = ["none", "none", "none", "none", "7 3", "2 3"];

const tones = (colours: readonly string[]) =>
  colours.map((colour, tone) => `--tone${tone}: ${colour};`).join(" ");

/** The page's looks; nothing is loaded from anywhere. */
export const BENCH_STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5f6b76; --paper: #fff; --panel: #f5f7f9; --line: #dde3e8;
  --bad: #c92a2a; --good: #2b8a3e; ${tones(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa5b0; --paper: #14181c; --panel: #1d2328;
  --line: #343c44; --bad: #ff7b72; --good: #51b866; ${tones(DARK)} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
code { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere; }
.dim { color: var(--dim); } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.tile { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; border-left: 4px solid var(--tone, var(--line)); }
.tile b { display: block; font-size: 1.25rem; line-height: 1.3; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr)); gap: 1rem; }
.chart { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .75rem .9rem .4rem; break-inside: avoid; }
.chart figcaption > span { font-weight: 600; }
.chart > svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; margin: .15rem 0 .35rem; padding: 0; font-size: .85rem; }
.legend li { display: flex; align-items: center; gap: .4rem; } .key { width: 32px; height: 14px; }
svg text { fill: var(--ink); font: 12px system-ui, "DejaVu Sans", sans-serif; }
svg .tick { fill: var(--dim); font-size: 11px; } svg .axis { fill: var(--dim); } svg .grid { stroke: var(--line); }
svg .line { stroke: var(--tone); stroke-width: 2; fill: none; stroke-linejoin: round; }
svg .spread { stroke: var(--tone); stroke-width: 1.5; opacity: .55; } svg .mark { fill: var(--tone); }
.rings .mark { fill: var(--paper); stroke: var(--tone); stroke-width: 1.75; }
${LIGHT.map((_, tone) => `.tone${tone} { --tone: var(--tone${tone}); } .tone${tone} .line { stroke-dasharray: ${DASHES[tone]}; }`).join("\n")}
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .88rem; }
th { text-align: left; font-weight: 600; color: var(--dim); font-size: .82rem; }
th, td { padding: .32rem .8rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
td.num, th.num { text-align: right; } td.words { white-space: normal; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .2rem .75rem; margin: 0; } dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; } ul.notes { margin: 0; padding-left: 1.2rem; } ul.notes li { margin: .3rem 0; }
@media print { :root { --ink: #000; --dim: #444; --paper: #fff; --panel: #f3f3f3; --line: #bbb; ${tones(LIGHT)} }
  body { max-width: none; padding: 0; font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .charts { grid-template-columns: 1fr 1fr; } .wide { overflow: visible; } table { font-size: 8pt; }
  th, td { padding-right: .45rem; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
`;
