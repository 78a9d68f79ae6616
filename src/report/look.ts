import type { SymbolType } from '@observablehq/plot';
import { html, type Html, raw } from './html';

/** How a method, or an arm of a study, is told from the others in every table and chart: by colour and by shape. */
export interface Look {
  readonly name: string;
  /** A custom property of `colorRules`. */
  readonly color: string;
  readonly symbol: SymbolType;
  /** Whether the shape is drawn by its outline alone. */
  readonly isHollow: boolean;
  /** The class of all that belongs to it, so that the reader can hide it. */
  readonly className: string;
}

/** What a look is made of. */
interface Seen {
  readonly title: string;
  readonly color: { readonly light: string; readonly dark: string };
}

const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'wye', 'hexagon'] as const;

/** The same shapes around (6, 6), for tables: an SVG path each. */
const PATHS: Record<(typeof SYMBOLS)[number], string> = {
  circle: 'M1.5 6a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z',
  square: 'M2 2h8v8h-8z',
  triangle: 'M6 1l5 9h-10z',
  diamond: 'M6 0.5l3.6 5.5l-3.6 5.5l-3.6 -5.5z',
  star: 'M6 0.5l1.3 3.8h4l-3.2 2.4l1.2 3.9l-3.3 -2.4l-3.3 2.4l1.2 -3.9l-3.2 -2.4h4z',
  cross: 'M4.2 1h3.6v3.2h3.2v3.6h-3.2v3.2h-3.6v-3.2h-3.2v-3.6h3.2z',
  wye: 'M4.5 6.5l-3.5 -2l1.5 -2.6l3.5 2l3.5 -2l1.5 2.6l-3.5 2v4.5h-3z',
  hexagon: 'M6 0.8l4.6 2.6v5.2l-4.6 2.6l-4.6 -2.6v-5.2z',
};

/** The look of each, in their order; 16 differ in shape alone. */
export function looksOf(seen: readonly Seen[]): Look[] {
  return seen.map(({ title }, i) => ({
    name: title,
    color: `var(--m${i})`,
    symbol: SYMBOLS[i % SYMBOLS.length],
    isHollow: Math.floor(i / SYMBOLS.length) % 2 === 1,
    className: `m${i}`,
  }));
}

/** Custom properties with the colours under a selector, on light and on dark paper. */
export function colorRules(seen: readonly Seen[], selector: string): string {
  const properties = (paper: 'light' | 'dark'): string =>
    seen.map(({ color }, i) => `--m${i}: ${color[paper]};`).join(' ');
  return [
    `${selector} { ${properties('light')} }`,
    `@media (prefers-color-scheme: dark) { ${selector} { ${properties('dark')} } }`,
  ].join('\n');
}

/** Rules that hide what the reader has unchecked in the `filter`. */
export function filterRules(looks: readonly Look[]): string {
  return looks
    .map(({ className }) => `body:has(#show-${className}:not(:checked)) .${className} { display: none; }`)
    .join('\n');
}

/** Boxes to hide methods in all tables and charts, without a script; also the legend of the page. */
export function filter(looks: readonly Look[]): Html {
  return html`<fieldset class="filter">
    <legend>Show in tables and charts</legend>
    ${looks.map(
      (look) =>
        html`<label><input type="checkbox" id="show-${look.className}" checked />${swatch(look)}${look.name}</label>`,
    )}
  </fieldset>`;
}

/** The shape of a look in its colour. */
export function swatch({ color, symbol, isHollow }: Look): Html {
  const path = PATHS[symbol as (typeof SYMBOLS)[number]];
  const paint = isHollow ? `fill="none" stroke="${color}" stroke-width="1.6"` : `fill="${color}"`;
  return raw(
    `<svg class="swatch" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true"><path d="${path}" ${paint}/></svg>`,
  );
}

/** Options of Plot's dot in the shape of a look. */
export function dotOf({ color, symbol, isHollow, className }: Look): {
  symbol: SymbolType;
  fill: string;
  stroke: string;
  className: string;
} {
  return { symbol, className, fill: isHollow ? 'var(--card, transparent)' : color, stroke: color };
}

/** Colours of arms, which have none of their own; far apart in hue and in lightness. */
export const PALETTE: readonly Seen['color'][] = [
  { light: '#4b5160', dark: '#c3c7d0' },
  { light: '#1f5fd0', dark: '#7fb0ff' },
  { light: '#c25e00', dark: '#f2a65a' },
  { light: '#1b8060', dark: '#5fcaa4' },
  { light: '#a3266b', dark: '#f08cc0' },
  { light: '#7a5c00', dark: '#d9b84a' },
  { light: '#6b46c1', dark: '#b79cf5' },
  { light: '#0e7490', dark: '#56c5de' },
  { light: '#b3372f', dark: '#f0857c' },
  { light: '#52761b', dark: '#a5cf63' },
];
