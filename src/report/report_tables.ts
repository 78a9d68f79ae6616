import { type ComparedPair, type Comparison, TABLE_METRICS } from '../runs/comparison';
import { type Compared, lookOf, otherOf } from './compared';
import { adjustedColumn, budgetColumns, cellOf, type Column, LIST_COLUMNS } from './comparison_columns';
import { costNotes } from './comparison_table';
import { html, type Html, raw } from './html';
import { swatch } from './look';
import { table } from './tables';
import { formatP, formatRange, outcomeOf, signed, titlesOf } from './wording';

/** Metrics with intervals, and the test of each method against the best. */
export function metricTable(compared: Compared): Html {
  const { methods, tests } = compared;
  const adjusted = adjustedColumn(tests);
  const best = Object.fromEntries(
    TABLE_METRICS.map((name) => [name, Math.max(...methods.map(({ mean }) => mean[name]))]),
  );
  const rows = methods.map((one) => {
    const cells = TABLE_METRICS.map(
      (name) =>
        html`<td>
          <span class="${one.mean[name] === best[name] ? 'best' : ''}">${one.mean[name].toFixed(4)}</span
          ><small>${one.ci95[name].map((bound) => bound.toFixed(4)).join(' – ')}</small>
        </td>`,
    );
    return [...cells, html`<td>${cellOf(adjusted, one)}</td>`];
  });
  const headers = [...TABLE_METRICS.map((name) => name.toUpperCase()), adjusted.header];
  return html`${methodTable(compared, 'Metrics', headers, rows)}
    <p class="note after">
      Small: 95 % bootstrap intervals over users. Bold: the highest mean, which by itself shows no difference. Adjusted
      p: the paired test of NDCG@10 ${tests.label}, corrected by Holm's method.
    </p>`;
}

/** What training cost. */
export function costTable(compared: Compared, columns: readonly Column[]): Html {
  return html`${columnTable(compared, 'Cost', columns)} ${costNotes(compared).map((note) => html`<p class="note after">${note}</p>`)}`;
}

/** Validation at equal steps and at equal seconds; nothing where no method was validated. */
export function budgetTable(compared: Compared): Html {
  if (compared.budgets === null) return raw('');
  return html`<h3 class="after">At equal steps and at equal seconds</h3>
    ${columnTable(compared, 'At equal steps and at equal seconds', budgetColumns(compared))}
    <p class="note after">
      The best NDCG@10 on validation users within so many steps, and within so many seconds with those of the teachers; a
      dash where there was none by then. The budgets are those of the method that used least. Steps are a method's own,
      without those of a run that it starts from. No test stands behind these numbers.
    </p>`;
}

/** How widely the lists spread. */
export function listTable(compared: Compared): Html {
  return html`${columnTable(compared, 'Lists', LIST_COLUMNS)}
    <p class="note after">
      Of the first ten items of all lists. Coverage: the share of the catalogue that is in some list. Gini: 0 where all
      items are recommended equally often. Top 3 share: that of the three most recommended items. Popular 10 share: that of the ten most popular items of the training
      data.
    </p>`;
}

/** Paired tests, each with what it shows. */
export function pairTable(compared: Pick<Comparison, 'methods'>, pairs: readonly ComparedPair[], label: string): Html {
  const titleOf = titlesOf(compared);
  const rows = pairs.map((pair) => {
    const [first, second] = [titleOf(pair.a), titleOf(pair.b)];
    return testRow(pair, `${first}, ${second}: no difference shown`, first, second);
  });
  return testCard(label, rows, 'ndcg@10');
}

/** Tests with the reference of the report, which is named where a difference is shown. */
export function testTable(compared: Compared, pairs: readonly ComparedPair[], label: string): Html {
  const rows = pairs.map((pair) => {
    const other = lookOf(compared, otherOf(compared.tests, pair));
    const [first, second] = [pair.a, pair.b].map((name) => lookOf(compared, name).name);
    return testRow(pair, `${other.name}: no difference shown`, first, second, other.className);
  });
  return testCard(label, rows, pairs[0].metric);
}

function testRow(pair: ComparedPair, nothing: string, first: string, second: string, className = ''): Html {
  const outcome = outcomeOf(pair);
  const found = { none: nothing, ahead: `${first} is ahead of ${second}`, behind: `${first} is behind ${second}` };
  return html`<tr class="${outcome} ${className}">
    <td>${found[outcome]}</td>
    <td>${signed(pair.difference)}</td>
    <td>${formatRange(pair.ci95)}</td>
    <td>${formatP(pair.pValue).replace('= ', '')}</td>
    <td>${formatP(pair.adjustedPValue).replace('= ', '')}</td>
  </tr>`;
}

function testCard(label: string, rows: readonly Html[], metric: string): Html {
  const headers = [label, metric.toUpperCase(), '95 % interval', 'p', 'adjusted p'];
  return html`<div class="card">${table(headers, rows, label)}</div>`;
}

/** Each run with its seed and folder. */
export function runTable({ methods, looks }: Compared): Html {
  const rows = methods.flatMap(({ title, runs }, i) =>
    runs.map(
      ({ seed, run, manifest, metrics, cost }) =>
        html`<tr class="${looks[i].className}">
          <td>${title}</td>
          <td>${seed}</td>
          <td>${manifest.steps}</td>
          <td>${manifest.validation?.bestStep ?? '–'}</td>
          <td>${manifest.parameters}</td>
          <td>${cost.seconds.toFixed(1)}</td>
          <td>${cost.needSeconds.toFixed(1)}</td>
          <td>${metrics['ndcg@10'].toFixed(4)}</td>
          <td>${run}</td>
        </tr>`,
    ),
  );
  const headers = ['seed', 'steps', 'best step', 'parameters', 'seconds', 'teachers s', 'NDCG@10', 'folder'];
  return html`<div class="card">${table(['', ...headers], rows, 'Runs')}</div>`;
}

function columnTable(compared: Compared, label: string, columns: readonly Column[]): Html {
  const rows = compared.methods.map((one) => columns.map((column) => html`<td>${cellOf(column, one)}</td>`));
  return methodTable(
    compared,
    label,
    columns.map(({ header }) => header),
    rows,
  );
}

/** @param rows the cells of each method, after its name. */
function methodTable(
  { looks }: Compared,
  label: string,
  headers: readonly string[],
  rows: readonly (readonly Html[])[],
): Html {
  const named = looks.map(
    (look, i) =>
      html`<tr class="${look.className}">
        <td>${swatch(look)}${look.name}</td>
        ${rows[i]}
      </tr>`,
  );
  return html`<div class="card">${table(['', ...headers], named, label)}</div>`;
}
