import type { Penalty } from '../cross_layer_preference';

/** s(z) and its slope ds / dz. */
export const STRENGTHS: Readonly<Record<Penalty, (z: number) => readonly [strength: number, slope: number]>> = {
  scale: (z) => [Math.abs(z), Math.sign(z)],
  paper: (z) => [z, 1],
  additive: () => [1, 0],
};

/** What the negatives of one row make of its cross-entropy. */
export interface PenalisedRow {
  /** |N_t|. */
  readonly numNegatives: number;
  /** Sum of p^L over N_t. */
  readonly mass: number;
  /** Sum of p~ over N_t. */
  readonly ensembleMass: number;
  /** lse(z') - lse(z): 0 where nothing is raised. */
  readonly logTotal: number;
}

/** A row without negatives. */
export const UNPENALISED: PenalisedRow = { numNegatives: 0, mass: 0, ensembleMass: 0, logTotal: 0 };
