import type { Interval } from '../evaluation/bootstrap';
import type { ComparedPair } from '../runs/comparison';

/** What a paired comparison shows: only an interval that leaves out zero shows a difference. */
export function verdict(
  { a, b, metric, difference, ci95, pValue, seedsA }: ComparedPair,
  titleOf: (name: string) => string,
): string {
  const [first, second] = [titleOf(a), titleOf(b)];
  const [low, high] = ci95;
  const numbers = `${signed(difference)} ${metric.toUpperCase()}, 95 % interval ${formatRange(ci95)}, p ${formatP(pValue)}`;
  const seeds =
    seedsA === 1
      ? '; one training seed, so this holds only for these two trained models'
      : `; ${seedsA} training seeds averaged per user`;
  if (low > 0) return `${first} is ahead of ${second}: ${numbers}${seeds}.`;
  if (high < 0) return `${first} is behind ${second}: ${numbers}${seeds}.`;
  return `No difference shown between ${first} and ${second}: ${numbers}${seeds}.`;
}

/** Four decimals with a sign; a true minus. */
export function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}

export function formatRange([low, high]: Interval): string {
  return `[${signed(low)}, ${signed(high)}]`;
}

/** '= 0.032', or '< 0.001'. */
export function formatP(pValue: number): string {
  return pValue < 0.001 ? '< 0.001' : `= ${pValue.toFixed(3)}`;
}
