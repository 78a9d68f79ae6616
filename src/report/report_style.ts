/** The report's style sheet; colours are custom properties, so that the charts follow the light or dark scheme too. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2129; --ink-soft: #5c6370; --line: #e4e2db;
  --line-0: #1f5fd0; --line-1: #1b8060; --line-2: #c25e00; --line-3: #6b46c1;
  --good: #1b8060; --bad: #b3372f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1c1f25; --ink: #e9eaed; --ink-soft: #a0a6b1; --line: #30343c;
    --line-0: #7fb0ff; --line-1: #5fcaa4; --line-2: #f2a65a; --line-3: #b79cf5;
    --good: #5fcaa4; --bad: #f0857c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
h1, h2, h3, p, li, footer { overflow-wrap: anywhere; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 6px; }
h2 { font-size: 19px; letter-spacing: -0.01em; margin: 44px 0 12px; }
h3 { font-size: 14px; font-weight: 600; margin: 0 0 8px; }
p { margin: 0 0 12px; max-width: 78ch; }
.lead, .note { color: var(--ink-soft); max-width: none; }
.note { font-size: 13px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; margin-top: 16px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; margin: 0; min-width: 0; }
.card > .note { margin: 10px 0 0; }
.card svg:not(.swatch) { max-width: 100%; height: auto; display: block; }
.card svg [aria-label*="grid"] { stroke: var(--line); stroke-opacity: 1; }
.narrow { display: none; }
.scroll { overflow-x: auto; }
:focus-visible { outline: 2px solid var(--line-0); outline-offset: 2px; }
.filter { border: 1px solid var(--line); border-radius: 12px; margin: 16px 0 0; padding: 8px 14px 12px; font-size: 13px; }
.filter legend { color: var(--ink-soft); padding: 0 6px; }
.filter label { display: inline-flex; align-items: center; margin: 4px 16px 0 0; cursor: pointer; }
.filter input { margin: 0 6px 0 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 8px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--ink-soft); font-size: 12px; letter-spacing: 0.02em; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 8em; }
tr:last-child td { border-bottom: 0; }
td small { display: block; color: var(--ink-soft); font-size: 11px; }
.best { font-weight: 700; }
.swatch { width: 12px; height: 12px; margin-right: 8px; vertical-align: -1px; flex: none; }
.after { margin-top: 12px; }
.conclusion { margin-top: 20px; border-left: 4px solid var(--line-0); }
.conclusion p { margin: 0 0 8px; max-width: 90ch; }
.conclusion ul { margin: 0; padding-left: 20px; }
.key { display: inline-block; margin-right: 18px; }
tr.ahead td:first-child { color: var(--good); font-weight: 600; }
tr.behind td:first-child { color: var(--bad); font-weight: 600; }
ol { margin: 0; padding-left: 20px; }
.people { display: grid; gap: 16px; }
.person .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 18px; font-size: 13px; }
.person .columns > div > strong { display: block; font-size: 12px; color: var(--ink-soft); margin-bottom: 4px; }
.hit { color: var(--good); font-weight: 600; }
details { margin-top: 12px; }
summary { cursor: pointer; font-weight: 600; }
.card summary { font-weight: 400; font-size: 13px; color: var(--ink-soft); }
.card details table { font-size: 12px; margin-top: 8px; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; overflow-x: auto; font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
@media (max-width: 600px) {
  main { padding: 24px 12px 48px; }
  .card { padding: 12px 14px; }
  .wide { display: none; }
  .narrow { display: block; }
  th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); max-width: 10em; }
}
footer { margin-top: 48px; color: var(--ink-soft); font-size: 13px; }
`;
