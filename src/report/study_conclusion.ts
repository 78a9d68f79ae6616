import type { Study } from '../runs/study';
import type { ComparedPair } from '../runs/comparison';
import type { Conclusion } from './conclusion';
import { pairsOf } from './studied';
import { formatP, formatRange, listed, outcomeOf, signed } from './wording';

/**
 * Says in words which arms differ from the first one and which are not shown to. An arm is ahead or behind only where
 * its interval leaves out 0 and its p-value, corrected by Holm's method over all arms, is below 0.05.
 */
export function concludeFromStudy(study: Study): Conclusion {
  const { arms, split, seeds, skipped } = study;
  const [{ name: first }] = arms;
  const pairs = pairsOf(study, 'ndcg@10');
  if (pairs.length === 0) return { shown: [`${first} is the only arm, so nothing is compared.`], notShown: [] };
  const of = (outcome: ReturnType<typeof outcomeOf>, among = pairs): ComparedPair[] =>
    among.filter((pair) => outcomeOf(pair) === outcome);
  const shown = [
    countText(of('ahead').length, of('behind').length, pairs.length, first),
    ...of('ahead').map((pair) => `${pair.a} is ahead of ${first}: ${numbers(pair)}.`),
    ...of('behind').map((pair) => `${pair.a} is behind ${first}: ${numbers(pair)}.`),
  ];
  const hits = pairsOf(study, 'hr@10').filter((pair) => outcomeOf(pair) !== 'none');
  if (hits.length > 0)
    shown.push(
      `In HR@10, tested apart: ${listed(hits.map((pair) => `${pair.a} is ${outcomeOf(pair)} (${signed(pair.difference)})`))}.`,
    );
  const open = of('none').map(({ a }) => a);
  const notShown = [
    ...(open.length === 0 ? [] : [`A difference in NDCG@10 between ${first} and ${listed(open)}.`]),
    seeds.length === 1
      ? 'What another training would give: each arm was trained with one seed, and intervals are over users alone.'
      : `What other trainings would give: ${seeds.length} seeds are averaged per user, and intervals are over users alone.`,
    ...(split === 'valid' && of('ahead').length > 0
      ? [
          'How large a difference is on other users: the best of several arms looks better on the users it is chosen on.',
        ]
      : []),
    ...skipped.map(({ name, reason }) => `Anything of ${name}, which was left out: ${reason}.`),
  ];
  return { shown, notShown };
}

/** How many of the other arms the first is measured to be below or above. */
function countText(ahead: number, behind: number, total: number, first: string): string {
  if (ahead + behind === 0)
    return `In NDCG@10, no difference is shown between ${first} and ${total === 1 ? 'the other arm' : `any of the ${total} other arms`}.`;
  return `Of ${total} other ${total === 1 ? 'arm' : 'arms'}, ${ahead === 0 ? 'none' : ahead} ${ahead < 2 ? 'is' : 'are'} shown to be ahead of ${first} in NDCG@10, and ${behind === 0 ? 'none' : behind} to be behind.`;
}

function numbers({ difference, ci95, adjustedPValue }: ComparedPair): string {
  return `${signed(difference)}, 95 % interval ${formatRange(ci95)}, adjusted p ${formatP(adjustedPValue)}`;
}
