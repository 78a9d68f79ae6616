import { findMethod } from '../methods/registry';
import type { ComparedMethod, ComparedPair } from '../runs/comparison';
import type { Study, StudyMetric } from '../runs/study';
import type { Compared } from './compared';
import { looksOf, PALETTE } from './look';

/** A study as what tables and charts are made of: its arms in place of methods, each tested against the first. */
export function comparedOfStudy(study: Study): Compared {
  const methods = study.arms.map((arm, i): ComparedMethod => {
    const { kind, diagnostics } = findMethod(arm.method, [], 'studyReport');
    const { name, runs, mean, ci95, invalidItems, lists } = arm;
    const cost = { ...arm.cost, epochOverSft: null, epochWithNeedsOverSft: null };
    const color = PALETTE[i % PALETTE.length];
    return { method: name, title: name, color, kind, diagnostics, runs, mean, ci95, invalidItems, lists, cost };
  });
  const { data, users, rows, backend, seeds, protocols, slices, budgets, secondsOf, seconds } = study;
  return {
    ...{ data, users, rows, backend, seeds, protocols, slices, budgets, secondsOf, seconds },
    methods,
    looks: looksOf(methods),
    tests: { reference: study.arms[0].name, label: 'to first', pairs: pairsOf(study, 'ndcg@10') },
  };
}

/** The tests of the arms against the first, as pairs. */
export function pairsOf({ arms }: Pick<Study, 'arms'>, metric: StudyMetric): ComparedPair[] {
  const [{ name: b }] = arms;
  return arms.flatMap(({ name, differences }) =>
    differences === null ? [] : [{ a: name, b, ...differences[metric] }],
  );
}
