import { type Comparison, TABLE_METRICS } from '../runs/comparison';
import { type Chart, diagnosticCharts, differenceChart, lossChart, metricChart, ndcgChart } from './comparison_charts';
import { protocolLines } from './comparison_table';
import { html, type Html, raw } from './html';
import { colorOf, methodColors, titlesOf } from './method_style';
import { REPORT_STYLE } from './report_style';
import { verdict } from './wording';

/** A user's history, the item chosen next, and what each method recommends, all as titles. */
export interface Example {
  readonly user: string;
  readonly history: readonly string[];
  /** The item that the user chose next. */
  readonly target: string;
  readonly lists: readonly { readonly method: string; readonly titles: readonly string[] }[];
}

export interface ReportOptions {
  /** Default 'ILRec compared'. */
  title?: string;
  /** The command that makes the report again; shown at the bottom. */
  command?: string;
  /** Users to show. Default none. */
  examples?: readonly Example[];
}

/**
 * Writes a comparison as one HTML page that loads nothing: table, paired tests, curves, what the methods did, examples,
 * protocol and config.
 *
 * @param comparison of `compareMethods`.
 * @param options title, the command that makes the page, and users with their lists.
 * @returns the page.
 * @example
 * ```ts
 * import { compareMethods, comparisonReport } from 'tfjs-ilrec/node';
 *
 * const comparison = await compareMethods({ data: 'data', out: 'runs/report', methods: ['popularity', 'markov'] });
 * console.log(comparisonReport(comparison, { title: 'My shop' }).includes('<title>My shop</title>')); // true
 * ```
 */
export function comparisonReport(
  comparison: Comparison,
  { title = 'ILRec compared', command, examples = [] }: ReportOptions = {},
): string {
  const { data, backend, seeds, config, methods, seconds } = comparison;
  const titleOf = titlesOf(comparison);
  const diagnostics = diagnosticCharts(comparison);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${raw(`${REPORT_STYLE}${methodColors(methods, ':root')}`)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="lead">
            ${data.name}: ${data.users} users, ${data.items} items, ${data.interactions} interactions. Backend
            ${backend}; ${seeds.length === 1 ? `one training seed (${seeds[0]})` : `${seeds.length} training seeds`};
            made in ${seconds.toFixed(0)} s.
          </p>
          <h2>Result</h2>
          ${resultTable(comparison)} ${verdicts(comparison)}
          <div class="grid" style="margin-top:16px">
            ${[metricChart(comparison, 'ndcg@10'), ...(comparison.pairs.length > 0 ? [differenceChart(comparison)] : [])].map(card)}
          </div>
          <h2>Training</h2>
          <div class="grid">${[ndcgChart(comparison), lossChart(comparison)].map(card)}</div>
          ${
            diagnostics.length === 0
              ? raw('')
              : html`<h2>What the methods did</h2>
                  <div class="grid">${diagnostics.map(card)}</div>`
          }
          ${
            examples.length === 0
              ? raw('')
              : html`<h2>Histories and recommendations</h2>
                  <p class="note">
                    The item that the user really chose next is marked where it is recommended. Users were drawn by the
                    seed, not picked.
                  </p>
                  <div class="people">${examples.map((one) => person(one, titleOf))}</div>`
          }
          <h2>Protocol</h2>
          ${protocolLines(comparison).map((line) => html`<p>${line}</p>`)}
          <details>
            <summary>Configuration</summary>
            <pre>${JSON.stringify(config, null, 2)}</pre>
          </details>
          <details>
            <summary>Runs</summary>
            ${runsTable(comparison)}
          </details>
          <footer>
            Made by tfjs-ilrec${command === undefined ? raw('') : html` with <code>${command}</code>`}. Data checksum
            ${data.checksum.slice(0, 16)}.
          </footer>
        </main>
      </body>
    </html>
`;
  return page.text;
}

function resultTable({ methods }: Comparison): Html {
  const best = Object.fromEntries(
    TABLE_METRICS.map((name) => [name, Math.max(...methods.map(({ mean }) => mean[name]))]),
  );
  const rows = methods.map(
    ({ method, title, mean, ci95 }) =>
      html`<tr>
        <td>${swatch(method)}${title}</td>
        ${TABLE_METRICS.map((name) => html`<td><span class="${mean[name] === best[name] ? 'best' : ''}">${mean[name].toFixed(4)}</span><small>${ci95[name].map((bound) => bound.toFixed(4)).join(' – ')}</small></td>`)}
      </tr>`,
  );
  return html`<div class="card">
      <table>
        <thead>
          <tr>
            <th>Method</th>
            ${TABLE_METRICS.map((name) => html`<th>${name.toUpperCase()}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="note" style="margin-top:8px">
      Small: 95 % bootstrap intervals over users. Bold: the highest mean, which by itself shows no difference; see the
      paired tests.
    </p>`;
}

function verdicts(comparison: Comparison): Html {
  const titleOf = titlesOf(comparison);
  const items = comparison.pairs.map(
    (pair) =>
      html`<li class="${pair.ci95[0] > 0 ? 'ahead' : pair.ci95[1] < 0 ? 'behind' : ''}">${verdict(pair, titleOf)}</li>`,
  );
  return html`<ul class="verdicts">
    ${items}
  </ul>`;
}

function card({ title, note, svg }: Chart): Html {
  return html`<div class="card">
    <h3>${title}</h3>
    ${raw(svg)}
    <p class="note" style="margin:10px 0 0">${note}</p>
  </div>`;
}

function person({ user, history, target, lists }: Example, titleOf: (name: string) => string): Html {
  const list = (titles: readonly string[]): Html =>
    html`<ol>
      ${titles.map((one) => html`<li class="${one === target ? 'hit' : ''}">${one}</li>`)}
    </ol>`;
  return html`<div class="card person">
    <h3>${user}</h3>
    <div class="columns">
      <div>
        <strong>History, oldest first</strong>
        <ol>
          ${history.map((one) => html`<li>${one}</li>`)}
        </ol>
        <strong style="margin-top:8px">Chose next</strong>${target}
      </div>
      ${lists.map(({ method, titles }) => html`<div><strong>${swatch(method)}${titleOf(method)}</strong>${list(titles)}</div>`)}
    </div>
  </div>`;
}

function runsTable({ methods }: Comparison): Html {
  const rows = methods.flatMap(({ title, runs }) =>
    runs.map(
      ({ seed, run, manifest, metrics }) =>
        html`<tr>
          <td>${title}</td>
          <td>${seed}</td>
          <td>${manifest.steps}</td>
          <td>${manifest.validation?.bestStep ?? '–'}</td>
          <td>${manifest.parameters}</td>
          <td>${manifest.seconds.toFixed(1)}</td>
          <td>${metrics['ndcg@10'].toFixed(4)}</td>
          <td>${run}</td>
        </tr>`,
    ),
  );
  return html`<table>
    <thead>
      <tr>
        <th>Method</th>
        <th>seed</th>
        <th>steps</th>
        <th>best step</th>
        <th>parameters</th>
        <th>seconds</th>
        <th>NDCG@10</th>
        <th>folder</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function swatch(method: string): Html {
  return html`<span class="swatch" style="background:${colorOf(method)}"></span>`;
}
