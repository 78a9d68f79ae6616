import { formatInterval } from '../evaluation/protocol';
import { type ComparedMethod, type ComparedPair, type Comparison, COST_REFERENCE } from '../runs/comparison';
import { differenceText, listed, outcomeOf, pairOf, titlesOf } from './wording';

/** The method that readers ask about first. */
const SUBJECT = 'ilrec';

/** The method with the highest mean NDCG@10; of equal ones the first of the table. */
export function bestMethod({ methods }: Pick<Comparison, 'methods'>): ComparedMethod {
  return methods.reduce((best, method) => (method.mean['ndcg@10'] > best.mean['ndcg@10'] ? method : best));
}

/** The tests of the best method against each other one, those highest in the table last. */
export function bestPairs(comparison: Comparison): ComparedPair[] {
  const best = bestMethod(comparison).method;
  return [...comparison.methods].reverse().flatMap(({ method }) => pairOf(comparison.pairs, best, method) ?? []);
}

/** What the comparison shows and does not show, as sentences. */
export interface Conclusion {
  readonly shown: readonly string[];
  readonly notShown: readonly string[];
}

/** Says in words which method is best, by how much, at what cost, and what the numbers do not support. */
export function concludeFrom(comparison: Comparison): Conclusion {
  const { methods, pairs, protocols } = comparison;
  const titleOf = titlesOf(comparison);
  const best = bestMethod(comparison);
  const against = bestPairs(comparison).sort((a, b) => b.meanB - a.meanB);
  const value = formatInterval(best.mean['ndcg@10'], best.ci95['ndcg@10']);
  const shown = [`${best.title} has the highest NDCG@10 of the ${protocols[best.method].split} split: ${value}.`];
  const notShown: string[] = [];
  const [next, ...others] = against;
  if (next !== undefined) {
    const text = `${titleOf(next.b)}, the next best: ${differenceText(next)}`;
    if (outcomeOf(next) === 'ahead') shown.push(`It is ahead of ${text}.`);
    else notShown.push(`That ${best.title} is ahead of ${text}.`);
    const titles = (ahead: boolean): string[] =>
      others.filter((pair) => (outcomeOf(pair) === 'ahead') === ahead).map(({ b }) => titleOf(b));
    const too = outcomeOf(next) === 'ahead' ? ', too' : '';
    if (titles(true).length > 0) shown.push(`It is ahead of ${listed(titles(true))}${too}.`);
    if (titles(false).length > 0) notShown.push(`That ${best.title} is ahead of ${listed(titles(false))}.`);
    addSubject(comparison, best.method, shown, notShown);
    const differing = pairs.filter((pair) => outcomeOf(pair) !== 'none').length;
    if (pairs.length > 1)
      shown.push(
        `${differing} of ${pairs.length} pairs of methods differ. Adjusted p-values are corrected over all ` +
          `${pairs.length} pairs by Holm's method.`,
      );
  }
  shown.push(...costLines(comparison, best));
  const trained = methods.filter(({ kind }) => kind !== 'counts');
  const fewest = Math.min(...trained.map(({ runs }) => runs.length));
  if (trained.length > 0)
    notShown.push(
      fewest === 1
        ? 'What another training would give: a method was trained with one seed, and intervals are over users alone.'
        : `What other trainings would give: ${fewest} seeds are averaged per user, and intervals are over users alone.`,
    );
  return { shown, notShown };
}

/** What the package is named after against plain fine-tuning, where neither is the best method. */
function addSubject({ methods, pairs }: Comparison, best: string, shown: string[], notShown: string[]): void {
  const pair = pairOf(pairs, SUBJECT, COST_REFERENCE);
  if (pair === undefined || best === SUBJECT || best === COST_REFERENCE) return;
  const [subject, other] = [SUBJECT, COST_REFERENCE].map(titlesOf({ methods }));
  const outcome = outcomeOf(pair);
  if (outcome === 'none') notShown.push(`A difference between ${subject} and ${other}: ${differenceText(pair)}.`);
  else shown.push(`${subject} is ${outcome} ${outcome === 'ahead' ? 'of ' : ''}${other}: ${differenceText(pair)}.`);
}

function costLines({ budgets, methods }: Comparison, { title, cost, method }: ComparedMethod): string[] {
  const lines: string[] = [];
  if (method !== COST_REFERENCE && cost.epochOverSft !== null && cost.epochWithNeedsOverSft !== null) {
    const teachers = cost.needSeconds === 0 ? '' : `, ${cost.epochWithNeedsOverSft.toFixed(2)} with its teachers`;
    lines.push(`An epoch of ${title} takes ${cost.epochOverSft.toFixed(2)} times the seconds of SFT's${teachers}.`);
  }
  if (budgets === null || budgets.methods.length < 2) return lines;
  const titleOf = titlesOf({ methods });
  const highest = (at: 'atSteps' | 'atSeconds'): string => {
    const [first] = budgets.methods
      .flatMap((one) => (one[at] === null ? [] : [{ name: titleOf(one.method), value: one[at] }]))
      .sort((a, b) => b.value - a.value);
    return `${first.name} (${first.value.toFixed(4)})`;
  };
  lines.push(
    `Highest on validation users, without a test: after ${budgets.steps} steps each ${highest('atSteps')}, after ` +
      `${budgets.seconds.toFixed(0)} s each with the seconds of teachers ${highest('atSeconds')}.`,
  );
  return lines;
}
