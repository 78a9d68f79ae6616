import * as tf from '@tensorflow/tfjs-core';
import { calledAs } from '../errors';
import { type IlrecOptions, readsLayers, withDefaults } from './ilrec_options';
import { futureTerm } from '../tapped/future_term';
import { futureReader, isOverItems } from '../tapped/item_softmax';
import type { LastStep } from '../tapped/last_step';
import { createTappedMethod, type TappedMethod } from '../tapped/tapped_method';
import { ilrecItemTerms } from './item_terms';
import { negativeProbe, type NegativeReport } from './negative_probe';
import { coefficientsAt, ilrecTerms } from './terms';

export type { Coefficient, IlrecOptions } from './ilrec_options';
export type { LayerNegatives, NegativeProbeOptions, NegativeReport } from './negative_probe';
export type { StudiedNegatives } from './studied_negatives';
export type { IlrecMetric } from '../tapped/last_step';

/** Names of the metrics, in order. */
export const METRIC_NAMES = ['crossEntropy', 'cpo', 'cpd', 'crr', 'numNegatives', 'penaltyMass'] as const;

/** The numbers of the last step, read from the device. */
export type IlrecDiagnostics = Record<(typeof METRIC_NAMES)[number], number> & {
  /** KL of the final layer to each intermediate layer, shallow to deep, [S]; empty when lambda is 0. */
  readonly klPerLayer: readonly number[];
  /** What the look at the negatives found in this step; null where there was none. */
  readonly negatives: NegativeReport | null;
};

/** What `ilrec()` gives to `compile` and `fit`. Its metrics are `METRIC_NAMES`. */
export interface IlrecMethod extends TappedMethod {
  /** The terms of the last step; null before the first. */
  diagnostics(): Promise<IlrecDiagnostics | null>;
}

/**
 * Makes the method ILRec (arXiv 2602.17410): it trains a tfjs causal language model as a recommender, with self-hard
 * negatives from the model's own intermediate layers.
 *
 * ```
 * L = L_CPO + lambda * L_CPD + mu * L_CRR
 * ```
 * Works with any `tf.LayersModel` from token ids [B, T] to logits [B, T, V] with two or more blocks. Its blocks, final
 * norm and head are found in its graph, or named with the option `taps`. In training the head makes no logits for all
 * positions, only what the loss needs of the response positions.
 *
 * @param options see `IlrecOptions`; each has a default.
 * @returns what `compile` and `fit` take.
 * @throws IlrecError on an option out of range, or one that does not exist.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { batchDataset, causalLM, createBatches, ilrec } from 'tfjs-ilrec';
 *
 * // Three items of two tokens each; 0 is padding, 1 begins a sequence.
 * const itemTokens = [[3, 6], [4, 6], [5, 7]];
 * const batches = createBatches({ sequences: [[0, 1, 2], [2, 0, 1]], itemTokens });
 * const model = causalLM({ vocabSize: 8, hiddenSize: 8, numHiddenLayers: 3, numAttentionHeads: 2 });
 * const method = ilrec({ numNegativeLayers: 2, penaltyWeight: 0.1 });
 * model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
 * const { history } = await model.fitDataset(batchDataset(batches), { epochs: 2, verbose: 0, callbacks: [method.callback] });
 * console.log(Object.keys(history).join()); // loss,crossEntropy,cpo,cpd,crr,numNegatives,penaltyMass
 * console.log(Number(history.loss[1]) < Number(history.loss[0])); // true
 * ```
 */
export function ilrec(options: IlrecOptions = {}): IlrecMethod {
  return calledAs('ilrec', () => {
    const full = withDefaults(options);
    const { numNegativeLayers, reward, restrictTo, itemSoftmax, futureTargets, probe, ignoreIndex, taps } = full;
    const overItems = isOverItems(itemSoftmax, futureTargets ?? null);
    const reader = futureReader(futureTargets ?? null);
    const look = probe === undefined ? null : negativeProbe(probe, itemSoftmax?.seen === 'exclude', restrictTo ?? null);
    const { every = 100 } = probe ?? {};
    let report: NegativeReport | null = null;
    const { method, last } = createTappedMethod({
      name: 'ilrec',
      numLayers: readsLayers(full) ? numNegativeLayers : 0,
      inputIdsReader:
        reward !== undefined
          ? 'the reward'
          : overItems || restrictTo !== undefined || reader !== null
            ? 'the softmax over items'
            : probe !== undefined
              ? 'the probe'
              : null,
      metrics: METRIC_NAMES,
      ignoreIndex,
      taps,
      loss(batch) {
        const coefficients = coefficientsAt(batch.step, full);
        report = look !== null && batch.training && batch.step % every === 0 ? look(batch, coefficients) : null;
        if (overItems) return ilrecItemTerms(batch, full, coefficients);
        const terms = ilrecTerms(batch, full, coefficients, reader);
        if (futureTargets === undefined || futureTargets.weight === 0 || reader === null) return terms;
        return { ...terms, total: tf.add(terms.total, futureTerm(batch, futureTargets.weight, reader)) };
      },
    });
    return Object.assign(method, { diagnostics: () => diagnosticsOf(last, () => report) });
  });
}

async function diagnosticsOf(last: LastStep, report: () => NegativeReport | null): Promise<IlrecDiagnostics | null> {
  const terms = await last.read();
  if (terms === null) return null;
  const metrics = METRIC_NAMES.map((name) => [name, terms[name][0]] as const);
  return {
    ...(Object.fromEntries(metrics) as Record<(typeof METRIC_NAMES)[number], number>),
    klPerLayer: Array.from(terms.klPerLayer ?? []), // none for a batch without response positions
    negatives: report(),
  };
}
