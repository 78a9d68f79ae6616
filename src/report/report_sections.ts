import { grid } from './chart_card';
import { type Compared, lookOf } from './compared';
import { differenceChart, metricChart, ndcgChart, secondsChart, tradeOffChart } from './comparison_charts';
import { type Column } from './comparison_columns';
import { protocolLines } from './comparison_table';
import { html, type Html, raw } from './html';
import { details } from './page';
import { budgetTable, costTable, listTable, metricTable, runTable, testTable } from './report_tables';

/** Metrics, the tests of the report as bars and as a table, and what else there is of tests. */
export function resultSection(compared: Compared, allTests: Html = raw('')): Html {
  const { tests } = compared;
  const { name } = lookOf(compared, tests.reference);
  if (tests.pairs.length === 0)
    return html`<h2>Result</h2>
      ${metricTable(compared)} ${grid([metricChart(compared, 'ndcg@10')])}`;
  return html`<h2>Result</h2>
    ${metricTable(compared)} ${grid([metricChart(compared, 'ndcg@10'), differenceChart(compared)])}
    <h3 class="after">Paired tests with ${name}</h3>
    ${testTable(compared, tests.pairs, `Tests with ${name}`)}
    <p class="note after">${seedsNote(compared)}</p>
    ${allTests}`;
}

/** What a test does not tell, once for all of them. */
function seedsNote({ seeds }: Compared): string {
  const over = 'Intervals and p-values are over users, not over trainings.';
  return seeds.length === 1
    ? `${over} One training seed: what they show holds for these trained models.`
    : `${over} ${seeds.length} training seeds are averaged per user.`;
}

/** What the training cost, quality against seconds, the validations, and equal budgets. */
export function costSection(compared: Compared, columns: readonly Column[]): Html {
  const charts = [tradeOffChart(compared), ndcgChart(compared), secondsChart(compared)].flatMap((chart) => chart ?? []);
  return html`<h2>Cost</h2>
    ${costTable(compared, columns)} ${grid(charts)} ${budgetTable(compared)}`;
}

/** How widely the lists spread. */
export function listSection(compared: Compared): Html {
  return html`<h2>Lists</h2>
    ${listTable(compared)}`;
}

/** How it was measured, with the config and the runs behind a click. */
export function protocolSection(compared: Compared, config: string): Html {
  return html`<h2>Protocol</h2>
    ${protocolLines(compared).map((line) => html`<p>${line}</p>`)}
    ${details('Configuration', html`<pre tabindex="0">${config}</pre>`)} ${details('Runs', runTable(compared))}`;
}
