/** Cases whose value lies in a range. */
export interface Slice {
  /** Smallest and largest value of the cases in it. */
  readonly low: number;
  readonly high: number;
  /** Positions of the cases, ascending. */
  readonly cases: readonly number[];
}

/**
 * Cuts cases into up to four slices at the quartiles of a reference: a value at a quartile belongs to the lower slice.
 * Equal values are never parted, so there are fewer slices where many are equal, and none without a case.
 *
 * @param values one whole number per case, [cases].
 * @param reference numbers whose quartiles cut, at least one. Default: the values.
 */
export function quartileSlices(values: ArrayLike<number>, reference: ArrayLike<number> = values): Slice[] {
  const sorted = Float64Array.from(reference).sort();
  const quartiles = [1, 2, 3].map((quarter) => sorted[Math.ceil((quarter * sorted.length) / 4) - 1]);
  const slices: { low: number; high: number; cases: number[] }[] = Array.from({ length: 4 }, () => ({
    low: Infinity,
    high: -Infinity,
    cases: [],
  }));
  Array.from(values).forEach((value, i) => {
    const slice = slices[quartiles.filter((quartile) => value > quartile).length];
    slice.low = Math.min(slice.low, value);
    slice.high = Math.max(slice.high, value);
    slice.cases.push(i);
  });
  return slices.filter(({ cases }) => cases.length > 0);
}
