import * as tf from '@tensorflow/tfjs-core';
import { ilrecObjective, type IlrecObjectiveOptions, type IlrecTerms, streamingObjective } from '../losses';
import type { Reward } from '../losses/reward';
import { UnnamedError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';
import { canStream, rewardEntries } from '../rewards/reward_entries';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { isStreamed } from '../vocabulary/vocabulary_tiles';
import type { Coefficient, FullIlrecOptions } from './ilrec_options';
import type { TokenRestriction } from '../rewards/valid_items';
import { rewardContext, type TappedBatch } from '../tapped/tapped_batch';

/**
 * ILRec's terms of one batch: over all logits of the response positions, or, for a large vocabulary, over the head read
 * tile by tile.
 *
 * @throws UnnamedError when a label or an item token is not a token of the model.
 */
export function ilrecTerms(batch: TappedBatch, options: FullIlrecOptions, coefficients: StepCoefficients): IlrecTerms {
  const { penaltyWeight, distillationWeight, rewardWeight } = coefficients;
  const usesLayers = batch.numLayers > 0 && (penaltyWeight !== 0 || distillationWeight !== 0 || rewardWeight !== 0);
  const hiddenStates = usesLayers ? batch.hiddenStates() : null; // [S * P, D]
  const given: Given = {
    hiddenStates: hiddenStates !== null && distillationWeight === 0 ? stopGradient(hiddenStates) : hiddenStates, // CPD alone trains there
    coefficients,
    reward: rewardWeight === 0 ? null : (options.reward ?? null),
    restrictTo: options.restrictTo ?? null,
  };
  const { head } = batch;
  const { restrictTo } = given;
  const isWhole = given.reward !== null && options.rewardTargets === 'all'; // needs all logits
  const numRows = batch.positions.length * (usesLayers ? 1 + batch.numLayers : 1);
  const streams =
    restrictTo === null &&
    !isWhole &&
    head !== null &&
    isStreamed(vocabSizeOf(head), numRows) &&
    (given.reward === null || canStream(given.reward));
  return streams ? streamedTerms(batch, head, given) : denseTerms(batch, given);
}

/** The coefficients of one step. */
export type StepCoefficients = Omit<IlrecObjectiveOptions, 'itemTokens'>;

/** @param step training steps done. */
export function coefficientsAt(step: number, options: FullIlrecOptions): StepCoefficients {
  const { penalty, thresholdScale, thresholdReference, rewardTargets, distillationTokens } = options;
  const current = (coefficient: Coefficient): number =>
    typeof coefficient === 'number' ? coefficient : coefficient(step);
  return {
    penaltyWeight: current(options.penaltyWeight),
    penalty,
    thresholdScale,
    thresholdReference,
    distillationWeight: current(options.distillationWeight),
    rewardWeight: current(options.rewardWeight),
    rewardTargets,
    distillationTokens,
  };
}

interface Given {
  /** [S * P, D]; null where no term uses them. */
  readonly hiddenStates: tf.Tensor2D | null;
  readonly coefficients: IlrecObjectiveOptions;
  /** null where mu is 0. */
  readonly reward: Reward | null;
  /** Of the softmax of every layer; null for the whole vocabulary. */
  readonly restrictTo: TokenRestriction | null;
}

/** Makes all logits, [(1 + S) * P, V]. */
function denseTerms(batch: TappedBatch, { hiddenStates, coefficients, reward, restrictTo }: Given): IlrecTerms {
  const allLogits = batch.finalLogits(); // [P, V]
  const [numPositions, vocabSize] = allLogits.shape;
  const added = restrictTo?.(rewardContext(batch, vocabSize)) ?? null; // [P, V]
  const restricted = (logits: tf.Tensor2D, times = 1): tf.Tensor2D =>
    added === null ? logits : tf.add(logits, times === 1 ? added : tf.tile(added, [times, 1]));
  const finalLogits = restricted(allLogits);
  checkDistillationTokens(coefficients.distillationTokens, vocabSize);
  const intermediateLogits =
    hiddenStates === null ? null : restricted(batch.earlyExitLogits(hiddenStates), batch.numLayers); // [S * P, V]
  const ensembleLogits =
    intermediateLogits === null
      ? null
      : tf.mean<tf.Tensor2D>(
          tf.reshape(stopGradient(intermediateLogits), [batch.numLayers, numPositions, vocabSize]),
          0,
        ); // [P, V]
  const masses = reward === null ? null : reward(rewardContext(batch, vocabSize)); // [P, V]
  return ilrecObjective(
    {
      finalLogits,
      ensembleLogits,
      intermediateLogits: coefficients.distillationWeight === 0 ? null : intermediateLogits,
      labels: batch.labels,
      reward: masses,
    },
    coefficients,
  );
}

/** Never makes logits: reads the head tile by tile. */
function streamedTerms(
  batch: TappedBatch,
  head: VocabularyProjection,
  { hiddenStates, coefficients, reward }: Given,
): IlrecTerms {
  const vocabSize = vocabSizeOf(head);
  checkDistillationTokens(coefficients.distillationTokens, vocabSize);
  const entries = reward === null ? null : rewardEntries(reward, rewardContext(batch, vocabSize));
  return streamingObjective(
    {
      finalHidden: batch.finalHidden(),
      intermediateHidden: hiddenStates === null ? null : batch.earlyExitHidden(hiddenStates), // [S * P, D]
      head,
      labels: batch.labelIds,
      reward: entries,
    },
    coefficients,
  );
}

/** @throws UnnamedError when a token of the slice is not in the vocabulary. */
export function checkDistillationTokens(tokens: ArrayLike<number> | undefined, vocabSize: number): void {
  const wrong = Array.from(tokens ?? []).find((token) => !(token >= 0 && token < vocabSize));
  if (wrong !== undefined) {
    throw new UnnamedError(
      `distillationTokens must be tokens below the ${vocabSize} of the model's vocabulary, got ${wrong}`,
    );
  }
}
