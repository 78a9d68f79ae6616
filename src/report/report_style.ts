/** The report's style sheet; colours are custom properties, so that the charts follow the light or dark scheme too. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2129; --ink-soft: #5c6370; --line: #e4e2db;
  --line-1: #1b8060; --line-2: #c25e00; --line-3: #7b7f88;
  --good: #1b8060; --bad: #b3372f;
  --layer-1: #9db9ee; --layer-2: #6d97e4; --layer-3: #3f76d9; --layer-4: #1f5fd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1c1f25; --ink: #e9eaed; --ink-soft: #a0a6b1; --line: #30343c;
    --line-1: #5fcaa4; --line-2: #f2a65a; --line-3: #9aa0aa;
    --good: #5fcaa4; --bad: #f0857c;
    --layer-1: #3c5d94; --layer-2: #5580c4; --layer-3: #6a9ae4; --layer-4: #7fb0ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 6px; }
h2 { font-size: 19px; letter-spacing: -0.01em; margin: 44px 0 12px; }
h3 { font-size: 14px; font-weight: 600; margin: 0 0 8px; }
p { margin: 0 0 12px; max-width: 78ch; }
.lead, .note { color: var(--ink-soft); max-width: none; }
.note { font-size: 13px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; overflow-x: auto; }
.card svg { max-width: 100%; height: auto; display: block; }
.card svg [aria-label*="grid"] { stroke: var(--line); stroke-opacity: 1; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 8px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--ink-soft); font-size: 12px; letter-spacing: 0.02em; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr:last-child td { border-bottom: 0; }
td small { display: block; color: var(--ink-soft); font-size: 11px; }
.best { font-weight: 700; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
.after { margin-top: 12px; }
.conclusion { margin-top: 20px; border-left: 4px solid var(--good); }
.conclusion p { margin: 0 0 8px; max-width: 90ch; }
.conclusion ul { margin: 0; padding-left: 20px; }
.key { display: inline-block; margin-right: 18px; }
.verdicts { list-style: none; padding: 0; margin: 14px 0 0; }
.verdicts li { padding: 6px 0 6px 14px; border-left: 3px solid var(--line); margin-bottom: 6px; }
.verdicts .ahead { border-color: var(--good); }
.verdicts .behind { border-color: var(--bad); }
ol { margin: 0; padding-left: 20px; }
.people { display: grid; gap: 16px; }
.person .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 18px; font-size: 13px; }
.person .columns > div > strong { display: block; font-size: 12px; color: var(--ink-soft); margin-bottom: 4px; }
.hit { color: var(--good); font-weight: 600; }
details { margin-top: 12px; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; overflow-x: auto; font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
@media (max-width: 600px) {
  main { padding: 24px 12px 48px; }
  .card { padding: 12px 14px; }
  .card svg text, .card svg g { font-size: 13px; }
  th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); }
}
footer { margin-top: 48px; color: var(--ink-soft); font-size: 13px; }
`;
