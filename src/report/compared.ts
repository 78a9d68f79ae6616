import type { ComparedMethod, ComparedPair, Comparison } from '../runs/comparison';
import { bestMethod, bestPairs } from './conclusion';
import { type Look, looksOf } from './look';

/** The paired tests that a report is about, all of them with one method. */
export interface Tests {
  /** The method that every test has on one side. */
  readonly reference: string;
  /** What the others are called beside it: 'to best' in the head of a column. */
  readonly label: string;
  /** In the order of the tables; the difference is the first method minus the second. */
  readonly pairs: readonly ComparedPair[];
}

/** What tables and charts are made of: the methods of a comparison, or the arms of a study. */
export interface Compared extends Omit<Comparison, 'config' | 'pairs'> {
  readonly tests: Tests;
  /** The look of each method, in their order. */
  readonly looks: readonly Look[];
}

/** A comparison, with the tests of the best method against each other one. */
export function comparedOf(comparison: Comparison): Compared {
  const pairs = bestPairs(comparison).reverse();
  return {
    ...comparison,
    tests: { reference: bestMethod(comparison).method, label: 'to best', pairs },
    looks: looksOf(comparison.methods),
  };
}

/** The look of a method. */
export function lookOf({ methods, looks }: Pick<Compared, 'methods' | 'looks'>, name: string): Look {
  return looks[methods.findIndex(({ method }) => method === name)];
}

/** Methods that are trained, with their looks. */
export function trained({ methods, looks }: Compared): { method: ComparedMethod; look: Look }[] {
  return methods
    .map((method, i) => ({ method, look: looks[i] }))
    .filter(({ method }) => method.runs.some(({ log }) => log.length > 0));
}

/** The method of a test that is not the reference. */
export function otherOf({ reference }: Tests, { a, b }: ComparedPair): string {
  return a === reference ? b : a;
}
