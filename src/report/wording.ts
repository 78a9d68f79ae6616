import type { Interval } from '../evaluation/bootstrap';
import type { ComparedMethod, ComparedPair, Comparison } from '../runs/comparison';

/** The level of adjusted p-values under which a difference counts as shown. */
const LEVEL = 0.05;

/** How methods are written in tables and charts, by name. */
export function titlesOf({ methods }: Pick<Comparison, 'methods'>): (name: string) => string {
  const titles = new Map(methods.map(({ method, title }) => [method, title]));
  return (name) => titles.get(name) ?? name;
}

/** What a paired test shows of its first method. */
export type Outcome = 'ahead' | 'behind' | 'none';

/** A difference is shown only where the interval leaves out zero and the adjusted p-value is below 0.05. */
export function outcomeOf({
  ci95: [low, high],
  adjustedPValue,
}: Pick<ComparedPair, 'ci95' | 'adjustedPValue'>): Outcome {
  if (adjustedPValue >= LEVEL || (low <= 0 && high >= 0)) return 'none';
  return low > 0 ? 'ahead' : 'behind';
}

/** What a paired comparison shows, with its numbers. */
export function verdict(
  pair: ComparedPair,
  methods: readonly Pick<ComparedMethod, 'method' | 'title' | 'kind'>[],
): string {
  const of = (name: string): (typeof methods)[number] | undefined => methods.find(({ method }) => method === name);
  const [first, second] = [pair.a, pair.b].map((name) => of(name)?.title ?? name);
  const isTrained = (name: string): boolean => of(name)?.kind !== 'counts';
  const seeds = Math.min(
    ...(isTrained(pair.a) ? [pair.seedsA] : []),
    ...(isTrained(pair.b) ? [pair.seedsB] : []), // Infinity where both only count
  );
  const remark =
    seeds === 1
      ? '; one training seed, so this holds only for these trained models'
      : seeds === Infinity
        ? ''
        : `; ${seeds} training seeds averaged per user`;
  const numbers = `${differenceText(pair)}${remark}.`;
  const outcome = outcomeOf(pair);
  return outcome === 'none'
    ? `No difference shown between ${first} and ${second}: ${numbers}`
    : `${first} is ${outcome} ${outcome === 'ahead' ? 'of ' : ''}${second}: ${numbers}`;
}

/** The difference with metric, interval and p-values. */
export function differenceText({ metric, difference, ci95, pValue, adjustedPValue }: ComparedPair): string {
  return (
    `${signed(difference)} ${metric.toUpperCase()}, 95 % interval ${formatRange(ci95)}, p ${formatP(pValue)}, ` +
    `adjusted ${formatP(adjustedPValue)}`
  );
}

/** The test of two methods, seen from the first. */
export function pairOf(pairs: readonly ComparedPair[], first: string, second: string): ComparedPair | undefined {
  for (const pair of pairs) {
    if (pair.a === first && pair.b === second) return pair;
    if (pair.b !== first || pair.a !== second) continue;
    const { difference, ci95, meanA, meanB, seedsA, seedsB, ...rest } = pair;
    return {
      ...rest,
      a: first,
      b: second,
      difference: -difference,
      ci95: [-ci95[1], -ci95[0]],
      meanA: meanB,
      meanB: meanA,
      seedsA: seedsB,
      seedsB: seedsA,
    };
  }
  return undefined;
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

/** 'A', 'A and B', 'A, B and C'. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}
