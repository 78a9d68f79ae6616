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
import type { FutureTokensReader } from '../rewards/future_tokens';
import { rewardContext, type TappedBatch } from '../tapped/tapped_batch';
import { ensembleOf, negativesAt, sparedOf, type StudiedNegatives } from './studied_negatives';

/**
 * ILRec's terms of one batch: over all logits of the response positions, or, for a large vocabulary, over the head read
 * tile by tile.
 *
 * @throws UnnamedError when a label or an item token is not a token of the model.
 */
export function ilrecTerms(
  batch: TappedBatch,
  options: FullIlrecOptions,
  coefficients: StepCoefficients,
  reader: FutureTokensReader | null = null,
): IlrecTerms {
  const { penaltyWeight, distillationWeight, rewardWeight, deepSupervisionWeight = 0 } = coefficients;
  const { negatives } = options;
  const trainsLayers = distillationWeight !== 0 || deepSupervisionWeight !== 0;
  const usesNegatives = penaltyWeight !== 0 || rewardWeight !== 0;
  const usesLayers = batch.numLayers > 0 && (trainsLayers || (usesNegatives && negatives?.source !== 'final'));
  const hiddenStates = usesLayers ? batch.hiddenStates() : null; // [S * P, D]
  const usesReward = rewardWeight !== 0 || negatives?.spare?.includes('reward') === true;
  const given: Given = {
    hiddenStates: hiddenStates !== null && !trainsLayers ? stopGradient(hiddenStates) : hiddenStates,
    trainsLayers,
    coefficients,
    reward: usesReward ? (options.reward ?? null) : null,
    restrictTo: options.restrictTo ?? null,
    negatives,
    reader,
  };
  const { head } = batch;
  const { restrictTo } = given;
  const isWhole = given.reward !== null && options.rewardTargets === 'all'; // needs all logits
  const numRows = batch.positions.length * (usesLayers ? 1 + batch.numLayers : 1);
  const streams =
    restrictTo === null &&
    negatives === undefined &&
    deepSupervisionWeight === 0 &&
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
  const { negatives, deepSupervisionWeight } = options;
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
    deepSupervisionWeight,
    negatives: negativesAt(step, negatives),
  };
}

interface Given {
  /** [S * P, D]; null where no term uses them. */
  readonly hiddenStates: tf.Tensor2D | null;
  /** Whether a term trains the intermediate layers. */
  readonly trainsLayers: boolean;
  readonly coefficients: IlrecObjectiveOptions;
  /** null where no term uses it. */
  readonly reward: Reward | null;
  /** Of the softmax of every layer; null for the whole vocabulary. */
  readonly restrictTo: TokenRestriction | null;
  readonly negatives?: StudiedNegatives;
  /** Reads the next tokens; null where they are not known. */
  readonly reader: FutureTokensReader | null;
}

/** Makes all logits, [(1 + S) * P, V]. */
function denseTerms(batch: TappedBatch, given: Given): IlrecTerms {
  const { hiddenStates, trainsLayers, coefficients, reward, restrictTo, negatives, reader } = given;
  const allLogits = batch.finalLogits(); // [P, V]
  const [numPositions, vocabSize] = allLogits.shape;
  const added = restrictTo?.(rewardContext(batch, vocabSize)) ?? null; // [P, V]
  const restricted = (logits: tf.Tensor2D, times = 1): tf.Tensor2D =>
    added === null ? logits : tf.add(logits, times === 1 ? added : tf.tile(added, [times, 1]));
  const finalLogits = restricted(allLogits);
  checkDistillationTokens(coefficients.distillationTokens, vocabSize);
  const intermediateLogits =
    hiddenStates === null ? null : restricted(batch.earlyExitLogits(hiddenStates), batch.numLayers); // [S * P, V]
  const masses = reward === null ? null : reward(rewardContext(batch, vocabSize)); // [P, V]
  return ilrecObjective(
    {
      finalLogits,
      ensembleLogits: ensembleOf(finalLogits, intermediateLogits, negatives),
      intermediateLogits: trainsLayers ? intermediateLogits : null,
      labels: batch.labels,
      reward: coefficients.rewardWeight === 0 ? null : masses,
      spared: sparedOf(batch.labels, negatives, masses, () => nextTokens(batch, reader, [numPositions, vocabSize])),
      allowed: added === null ? null : (tf.cast(tf.greater(added, -1), 'float32') as tf.Tensor2D),
    },
    coefficients,
  );
}

/** Mass of the tokens of the user's next items, [P, V]. */
function nextTokens(batch: TappedBatch, reader: FutureTokensReader | null, shape: [number, number]): tf.Tensor2D {
  const { inputIds, allLabels: labels, batchSize, sequenceLength, positions } = batch;
  const found = reader?.({ inputIds, labels, batchSize, sequenceLength, positions });
  const values = new Float32Array(shape[0] * shape[1]);
  found?.rows.forEach((row, i) => (values[row * shape[1] + found.tokens[i]] = found.masses[i]));
  return tf.tensor2d(values, shape);
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
