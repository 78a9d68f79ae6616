import type { ComparedMethod, Comparison } from '../runs/comparison';

/** How methods are written in tables and charts, by name. */
export function titlesOf({ methods }: Pick<Comparison, 'methods'>): (name: string) => string {
  const titles = new Map(methods.map(({ method, title }) => [method, title]));
  return (name) => titles.get(name) ?? name;
}

/** The colour of a method, as a custom property of `methodColors`. */
export function colorOf(name: string): string {
  return `var(--method-${name})`;
}

/**
 * The colour of a line of a method's own chart: the first in the method's colour, the others in those of the report.
 */
export function lineColor(name: string, line: number): string {
  return line === 0 ? colorOf(name) : `var(--line-${Math.min(line, 3)})`;
}

/** Custom properties with the methods' colours under a selector, on light and on dark paper. */
export function methodColors(methods: readonly Pick<ComparedMethod, 'method' | 'color'>[], selector: string): string {
  const properties = (paper: 'light' | 'dark'): string =>
    methods.map(({ method, color }) => `--method-${method}: ${color[paper]};`).join(' ');
  return [
    `${selector} { ${properties('light')} }`,
    `@media (prefers-color-scheme: dark) { ${selector} { ${properties('dark')} } }`,
  ].join('\n');
}
