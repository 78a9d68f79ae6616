import { html, type Html, raw } from './html';
import { type Look, swatch } from './look';
import type { Form } from './svg';
import { table } from './tables';

/** A chart with what stands above and below it. */
export interface Chart {
  readonly title: string;
  readonly note: string;
  /** The chart as SVG, for a place that is wide or narrow. */
  readonly draw: (form: Form) => string;
  /** The same numbers in words, for those who cannot point at a mark; the first column is a name. */
  readonly values: { readonly headers: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** Which shape is whose, below the narrow form, which has no room for names. */
  readonly legend?: readonly Look[];
  /** The method that all of it is about. */
  readonly className?: string;
}

/** A chart on the page, with its values as a table behind a click. */
export function card({ title, note, draw, values, legend = [], className = '' }: Chart): Html {
  return html`<figure class="card ${className}">
    <figcaption><h3>${title}</h3></figcaption>
    <div class="wide">${raw(draw('wide'))}</div>
    <div class="narrow">
      ${raw(draw('narrow'))}
      ${legend.length === 0 ? raw('') : legendOf(legend)}
    </div>
    <p class="note">${note}</p>
    <details>
      <summary>Values</summary>
      ${table(
        values.headers,
        values.rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`),
        `Values of ${title}`,
      )}
    </details>
  </figure>`;
}

/** A heading with charts below it; nothing where there is no chart. */
export function chartSection(title: string, charts: readonly Chart[]): Html {
  return charts.length === 0
    ? raw('')
    : html`<h2>${title}</h2>
        ${grid(charts)}`;
}

/** Charts beside one another. */
export function grid(charts: readonly Chart[]): Html {
  return html`<div class="grid">${charts.map(card)}</div>`;
}

function legendOf(looks: readonly Look[]): Html {
  return html`<p class="note">
    ${looks.map((look) => html`<span class="key ${look.className}">${swatch(look)}${look.name}</span>`)}
  </p>`;
}
