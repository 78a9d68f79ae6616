import type { Comparison } from '../runs/comparison';
import { chartSection } from './chart_card';
import { type Compared, comparedOf, lookOf } from './compared';
import { lossChart } from './comparison_charts';
import { COST_COLUMNS } from './comparison_columns';
import { concludeFrom } from './conclusion';
import { diagnosticCharts } from './diagnostic_charts';
import { html, type Html, raw } from './html';
import { layerMaps, negativeCharts, overlapMaps } from './layer_charts';
import { swatch } from './look';
import { details, reportPage } from './page';
import { costSection, listSection, protocolSection, resultSection } from './report_sections';
import { pairTable } from './report_tables';
import { sliceCharts } from './slice_charts';

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
  const compared = comparedOf(comparison);
  const { config, pairs } = comparison;
  const allTests =
    pairs.length === compared.tests.pairs.length
      ? raw('')
      : details(`All ${pairs.length} pairs`, pairTable(comparison, pairs, 'Pairs of methods'));
  return reportPage(compared, {
    title,
    command,
    took: 'trained and evaluated',
    conclusion: concludeFrom(comparison),
    sections: [
      resultSection(compared, allTests),
      costSection(compared, COST_COLUMNS),
      listSection(compared),
      chartSection('For whom', sliceCharts(compared)),
      chartSection('Training', [
        ...[lossChart(compared)].flatMap((chart) => chart ?? []),
        ...layerMaps(compared),
        ...overlapMaps(compared),
        ...negativeCharts(compared),
        ...diagnosticCharts(compared),
      ]),
      exampleSection(compared, examples),
      protocolSection(compared, JSON.stringify(config, null, 2)),
    ],
  });
}

function exampleSection(compared: Compared, examples: readonly Example[]): Html {
  return examples.length === 0
    ? raw('')
    : html`<h2>Histories and recommendations</h2>
        <p class="note">
          The item that the user really chose next is marked where it is recommended. Users were drawn by the seed, not
          picked.
        </p>
        <div class="people">${examples.map((one) => person(one, compared))}</div>`;
}

function person({ user, history, target, lists }: Example, compared: Compared): Html {
  const list = (titles: readonly string[]): Html =>
    html`<ol>
      ${titles.map((one) => (one === target ? html`<li class="hit">${one} ✓</li>` : html`<li>${one}</li>`))}
    </ol>`;
  const own = lists.map(({ method, titles }) => {
    const look = lookOf(compared, method);
    return html`<div class="${look.className}"><strong>${swatch(look)}${look.name}</strong>${list(titles)}</div>`;
  });
  return html`<div class="card person">
    <h3>${user}</h3>
    <div class="columns">
      <div>
        <strong>History, oldest first</strong>
        <ol>
          ${history.map((one) => html`<li>${one}</li>`)}
        </ol>
        <strong class="after">Chose next</strong>${target}
      </div>
      ${own}
    </div>
  </div>`;
}
