import type { Comparison } from '../runs/comparison';
import {
  type Chart,
  diagnosticCharts,
  differenceChart,
  lossChart,
  metricChart,
  ndcgChart,
  secondsChart,
} from './comparison_charts';
import { protocolLines } from './comparison_table';
import { bestPairs, concludeFrom } from './conclusion';
import { html, type Html, raw } from './html';
import { methodColors, titlesOf } from './method_style';
import { REPORT_STYLE } from './report_style';
import { budgetTable, costTable, listTable, metricTable, pairTable, runTable, swatch } from './report_tables';
import { layerMaps, sliceCharts } from './slice_charts';
import { outcomeOf, verdict } from './wording';

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
 * Writes a comparison as one HTML page that loads nothing and runs no script: a conclusion in words, tables of quality,
 * cost and lists, paired tests, curves over steps and over seconds, slices of the users, what the methods did, examples,
 * protocol and config. Charts show their values under the pointer.
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
  const hasPairs = comparison.pairs.length > 0;
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
            trained and evaluated in ${seconds.toFixed(0)} s.
          </p>
          ${conclusion(comparison)}
          <h2>Result</h2>
          ${metricTable(comparison)} ${verdicts(comparison)}
          <div class="grid after">
            ${[metricChart(comparison, 'ndcg@10'), ...(hasPairs ? [differenceChart(comparison)] : [])].map(card)}
          </div>
          ${
            hasPairs
              ? html`<details>
                  <summary>All ${comparison.pairs.length} pairs</summary>
                  ${pairTable(comparison)}
                </details>`
              : raw('')
          }
          <h2>Cost</h2>
          ${costTable(comparison)}
          <div class="grid after">${[ndcgChart(comparison), secondsChart(comparison)].map(card)}</div>
          ${budgetTable(comparison)}
          <h2>Lists</h2>
          ${listTable(comparison)}
          ${section('For whom', sliceCharts(comparison), legend(comparison))}
          ${section('Training', [lossChart(comparison), ...layerMaps(comparison), ...diagnosticCharts(comparison)])}
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
            ${runTable(comparison)}
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

/** What the numbers show, and what they do not. */
function conclusion(comparison: Comparison): Html {
  const { shown, notShown } = concludeFrom(comparison);
  return html`<div class="card conclusion">
    <p>${shown.join(' ')}</p>
    ${
      notShown.length === 0
        ? raw('')
        : html`<p><strong>What the numbers do not show</strong></p>
            <ul>
              ${notShown.map((line) => html`<li>${line}</li>`)}
            </ul>`
    }
  </div>`;
}

function verdicts(comparison: Comparison): Html {
  const items = bestPairs(comparison).map(
    (pair) => html`<li class="${outcomeOf(pair)}">${verdict(pair, comparison.methods)}</li>`,
  );
  return html`<ul class="verdicts">
    ${items}
  </ul>`;
}

/** Nothing where there is no chart. */
function section(title: string, charts: readonly Chart[], above: Html = raw('')): Html {
  return charts.length === 0
    ? raw('')
    : html`<h2>${title}</h2>
        ${above}
        <div class="grid">${charts.map(card)}</div>`;
}

function legend({ methods }: Comparison): Html {
  return html`<p class="note">${methods.map(({ method, title }) => html`<span class="key">${swatch(method)}${title}</span>`)}</p>`;
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
