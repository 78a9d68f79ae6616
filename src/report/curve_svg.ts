import type { Comparison } from '../runs/comparison';
import { ndcgChart } from './comparison_charts';
import { comparedOf } from './compared';
import { colorRules } from './look';

/** Colours of the curve's text outside of the report, on light and on dark. */
const TEXT_COLORS = `svg { --ink-soft: #5c6370; }
@media (prefers-color-scheme: dark) { svg { --ink-soft: #a0a6b1; } }`;

/**
 * The validation curve as an SVG file that stands alone, for a README; it follows the reader's light or dark scheme.
 */
export function curveSvg(comparison: Comparison): string {
  const style = `<style>\n${TEXT_COLORS}\n${colorRules(comparison.methods, 'svg')}\n</style>`;
  return (
    ndcgChart(comparedOf(comparison))
      .draw('wide')
      .replace(/^(<svg[^>]*>)/, `$1${style}`) + '\n'
  );
}
