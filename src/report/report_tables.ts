import { type Comparison, TABLE_METRICS } from '../runs/comparison';
import { adjustedColumn, budgetColumns, cellOf, type Column, COST_COLUMNS, LIST_COLUMNS } from './comparison_columns';
import { costNotes } from './comparison_table';
import { html, type Html, raw } from './html';
import { colorOf, titlesOf } from './method_style';
import { formatP, formatRange, outcomeOf, signed } from './wording';

/** Metrics with intervals, and the test of each method against the best. */
export function metricTable(comparison: Comparison): Html {
  const { methods } = comparison;
  const adjusted = adjustedColumn(comparison);
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
  return html`${methodTable(comparison, [...TABLE_METRICS.map((name) => name.toUpperCase()), adjusted.header], rows)}
    <p class="note after">
      Small: 95 % bootstrap intervals over users. Bold: the highest mean, which by itself shows no difference. Adjusted
      p: the paired test of NDCG@10 against the best method, corrected over all pairs by Holm's method.
    </p>`;
}

/** What training cost. */
export function costTable(comparison: Comparison): Html {
  return html`${columnTable(comparison, COST_COLUMNS)} ${costNotes(comparison).map((note) => html`<p class="note after">${note}</p>`)}`;
}

/** Validation at equal steps and at equal seconds; nothing where no method was validated. */
export function budgetTable(comparison: Comparison): Html {
  if (comparison.budgets === null) return raw('');
  return html`<h3 class="after">At equal steps and at equal seconds</h3>
    ${columnTable(comparison, budgetColumns(comparison))}
    <p class="note after">
      The best NDCG@10 on validation users within so many steps, and within so many seconds with those of the teachers; a
      dash where there was none by then. The budgets are those of the method that used least.
    </p>`;
}

/** How widely the lists spread. */
export function listTable(comparison: Comparison): Html {
  return html`${columnTable(comparison, LIST_COLUMNS)}
    <p class="note after">
      Of the first ten items of all lists. Coverage: the share of the catalogue that is in some list. Gini: 0 where all
      items are recommended equally often. Top 3 share: that of the three most recommended items. Popular 10 share: that of the ten most popular items of the training
      data.
    </p>`;
}

/** Every paired test. */
export function pairTable(comparison: Comparison): Html {
  const titleOf = titlesOf(comparison);
  const rows = comparison.pairs.map((pair) => {
    const outcome = outcomeOf(pair);
    const relation = outcome === 'none' ? 'no difference shown to' : outcome === 'ahead' ? 'ahead of' : 'behind';
    return html`<tr>
      <td>${titleOf(pair.a)} ${relation} ${titleOf(pair.b)}</td>
      <td>${signed(pair.difference)}</td>
      <td>${formatRange(pair.ci95)}</td>
      <td>${formatP(pair.pValue).replace('= ', '')}</td>
      <td>${formatP(pair.adjustedPValue).replace('= ', '')}</td>
    </tr>`;
  });
  return table(['Pair', 'NDCG@10', '95 % interval', 'p', 'adjusted p'], rows);
}

/** Each run with its seed and folder. */
export function runTable({ methods }: Comparison): Html {
  const rows = methods.flatMap(({ title, runs }) =>
    runs.map(
      ({ seed, run, manifest, metrics, cost }) =>
        html`<tr>
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
  return table(['Method', ...headers], rows);
}

/** The colour of a method, as a small square. */
export function swatch(method: string): Html {
  return html`<span class="swatch" style="background:${colorOf(method)}"></span>`;
}

function columnTable(comparison: Comparison, columns: readonly Column[]): Html {
  const rows = comparison.methods.map((one) => columns.map((column) => html`<td>${cellOf(column, one)}</td>`));
  return methodTable(
    comparison,
    columns.map(({ header }) => header),
    rows,
  );
}

/** @param rows the cells of each method, after its name. */
function methodTable({ methods }: Comparison, headers: readonly string[], rows: readonly (readonly Html[])[]): Html {
  return table(
    ['Method', ...headers],
    methods.map(
      ({ method, title }, i) =>
        html`<tr>
          <td>${swatch(method)}${title}</td>
          ${raw(rows[i].map(({ text }) => text).join(''))}
        </tr>`,
    ),
  );
}

function table(headers: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="card">
    <table>
      <thead>
        <tr>
          ${headers.map((header) => html`<th>${header}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
