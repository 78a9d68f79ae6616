import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** The two forms of a chart, in pixels: beside another one, and on a phone. */
export const WIDTHS = { wide: 520, narrow: 316 } as const;
export type Form = keyof typeof WIDTHS;

/** An object: linkedom takes no style as text. */
const CHART_STYLE = {
  background: 'none',
  'font-family': 'system-ui, sans-serif',
  'font-size': '11px',
  color: 'var(--ink-soft, currentColor)',
  overflow: 'visible',
} as unknown as Partial<CSSStyleDeclaration>;

/** An axis of numbers without ticks' lines, named in the middle. */
export const PLAIN_AXIS = { labelAnchor: 'center', labelArrow: 'none', ticks: 5, tickSize: 0 } as const;

/** Draws a chart as one SVG element that says its title to those who cannot see it. */
export function plotToSvg(title: string, form: Form, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    width: WIDTHS[form],
    style: CHART_STYLE,
    ...options,
    document: document as unknown as Document,
  });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const text = (svg as unknown as { outerHTML: string }).outerHTML;
  return text
    .replace(/<style>[^]*?<\/style>/, '')
    .replace(GEOMETRY, (attribute) => attribute.replace(/(\.\d)\d+/g, '$1'));
}

/** Attributes whose numbers are pixels, of which one decimal is plenty. */
const GEOMETRY = / (?:d|x|y|x1|x2|y1|y2|cx|cy|width|height|transform)="[^"]*"/g;

/** Four decimals, or four digits of small numbers. */
export function rounded(value: number): string {
  return value !== 0 && Math.abs(value) < 0.01 ? value.toPrecision(4) : value.toFixed(4);
}
