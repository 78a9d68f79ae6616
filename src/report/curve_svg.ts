import type { Comparison } from '../runs/comparison';
import { ndcgChart } from './comparison_charts';

/** Colours of the curve outside of the report, on light and on dark. */
const STYLE = `<style>
svg { --ink-soft: #5c6370; --ilrec: #1f5fd0; --sft: #c25e00; --sasrec: #1b8060; --markov: #7d55b5; --popularity: #7b7f88; }
@media (prefers-color-scheme: dark) { svg { --ink-soft: #a0a6b1; --ilrec: #7fb0ff; --sft: #f2a65a; --sasrec: #5fcaa4; --markov: #bb9cec; --popularity: #9aa0aa; } }
</style>`;

/** The validation curve as an SVG file that stands alone, for a README; it follows the reader's light or dark scheme. */
export function curveSvg(comparison: Comparison): string {
  return ndcgChart(comparison).svg.replace(/^(<svg[^>]*>)/, `$1${STYLE}`) + '\n';
}
