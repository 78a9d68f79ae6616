import { logSumExp, mean, type Rows } from './reference';

/** MSL, dense, in float64: the mean over the rows with more than one allowed token. */
export function maskedSoftmaxOf(logits: Rows, labels: ArrayLike<number>, allowed: Rows, temperature: number): number {
  const each = logits.flatMap((row, p) => {
    const open = row.filter((_, v) => allowed[p][v] === 1).map((value) => value / temperature);
    return open.length > 1 ? [logSumExp(open) - row[labels[p]] / temperature] : [];
  });
  return mean(each);
}

/** TCA4Rec, dense, in float64. @param allowed null for the whole vocabulary. */
export function alignmentOf(
  logits: Rows,
  labels: ArrayLike<number>,
  reward: Rows,
  { weight, temperature, allowed }: { weight: number; temperature: number; allowed: Rows | null },
): number {
  const each = logits.flatMap((row, p) => {
    const open = row.map((_, v) => v).filter((v) => allowed === null || allowed[p][v] === 1);
    if (allowed !== null && open.length < 2) return [];
    const hasMass = reward[p].some((mass) => mass > 0);
    const shareOf = (v: number): number =>
      hasMass ? (1 - weight) * Number(v === labels[p]) + weight * reward[p][v] : Number(v === labels[p]);
    const z = open.map((v) => row[v] / temperature);
    const targets = open.flatMap((v, i) => (shareOf(v) > 0 ? [z[i] + Math.log(shareOf(v))] : []));
    return [logSumExp(z) - logSumExp(targets)];
  });
  return mean(each);
}

/** The temperature that a batch asks for, in float64, before its limits. */
export function temperatureOf(
  logits: Rows,
  labels: ArrayLike<number>,
  allowed: Rows,
  numFirstTokens: number,
  labelProbability: number,
): number {
  const rows = logits
    .map((row, p) => ({ open: row.filter((_, v) => allowed[p][v] === 1), label: row[labels[p]] }))
    .filter(({ open }) => open.length === numFirstTokens);
  const all = rows.flatMap(({ open }) => open);
  const center = mean(all);
  const variance = all.reduce((sum, value) => sum + (value - center) ** 2, 0) / (all.length - 1);
  const difference = mean(rows.map(({ label }) => label)) - center;
  const target = Math.log(labelProbability * numFirstTokens);
  return (difference + Math.sqrt(Math.max(0, difference ** 2 - 2 * target * variance))) / (2 * target);
}
