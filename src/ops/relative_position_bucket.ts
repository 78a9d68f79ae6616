/** How distances share buckets. */
export interface RelativePositionOptions {
  /** Whether keys after the query have buckets of their own: half of all. */
  readonly bidirectional: boolean;
  /** Number of buckets. */
  readonly numBuckets: number;
  /** Distance from which all keys share a bucket. */
  readonly maxDistance: number;
}

/**
 * The bucket of a relative position (Raffel et al., arXiv 1910.10683, section 2.1): near positions have one each, the
 * others share them in logarithmic steps.
 *
 * ```
 * n = |position| on either side, or the distance back;   N buckets of the side, e = floor(N / 2) of them exact
 * bucket = n                                               for n < e
 *        = min(N - 1, e + floor((N - e) ln(n / e) / ln(maxDistance / e)))   otherwise
 * ```
 * @param position of the key, minus that of the query.
 * @returns integer in [0, numBuckets). Bidirectional, keys after the query are in the upper half.
 */
export function relativePositionBucket(
  position: number,
  { bidirectional, numBuckets, maxDistance }: RelativePositionOptions,
): number {
  const ofSide = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
  const first = bidirectional && position > 0 ? ofSide : 0;
  const distance = bidirectional ? Math.abs(position) : Math.max(0, -position);
  const exact = Math.floor(ofSide / 2);
  if (distance < exact) return first + distance;
  const steps = Math.floor(((ofSide - exact) * Math.log(distance / exact)) / Math.log(maxDistance / exact));
  return first + Math.min(ofSide - 1, exact + steps);
}
