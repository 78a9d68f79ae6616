import * as tf from '@tensorflow/tfjs-core';
import { dpoLoss } from '../../losses';
import { itemHeadOf, itemSoftmaxTerms } from '../../tapped/item_softmax';
import { preferenceTerms, PREFERENCE_METRICS } from '../../tapped/preference_method';
import type { PreferencePairs } from '../../tapped/preference_pairs';
import { responseCrossEntropy } from '../../tapped/sft';
import type { TappedBatch } from '../../tapped/tapped_batch';
import { tappedMethod } from '../../tapped/tapped_method';
import type { Batch, Batches } from '../../training/batches';
import type { TrainingMethod } from '../../training/train_model';
import { restrictionOf, type RestrictedSection } from '../item_model';
import type { BatchesContext, ObjectiveContext } from '../language_model';
import { keptPairs } from './kept_pairs';
import { PairBatches, rowBatches } from './pair_batches';
import { listedRejected } from './rejected';

/** A section of self-play. */
export interface SelfPlaySection extends RestrictedSection {
  readonly beta: number;
}

/** Epochs of a round: one of SFT, then one of DPO. */
export const EPOCHS_PER_ROUND = 2;

/** Whether an epoch is one of DPO. */
function isOfPairs(epoch: number): boolean {
  return epoch % EPOCHS_PER_ROUND === 1;
}

/** The batches of self-play: chosen items in the epochs of SFT, pairs in those of DPO. */
export class SelfPlayBatches implements Batches {
  readonly stepsPerEpoch: number;

  private constructor(
    private readonly chosen: Batches,
    readonly pairs: PairBatches,
  ) {
    this.stepsPerEpoch = pairs.stepsPerEpoch;
  }

  batchesOf(epoch: number, startStep?: number): Generator<Batch, void, undefined> {
    return (isOfPairs(epoch) ? this.pairs : this.chosen).batchesOf(epoch, startStep);
  }

  static of(context: BatchesContext<unknown>): SelfPlayBatches {
    if (context.itemSoftmax !== undefined)
      return new SelfPlayBatches(context.batches, PairBatches.overItems(context, null)); // a pass serves both
    const pairs = PairBatches.overTokens(context, null, 1);
    const { examples } = pairs;
    if (examples === null) throw new Error('SelfPlayBatches.of: the batches must have rows of responses');
    const groupsPerBatch = Math.ceil(examples.chosen.length / pairs.stepsPerEpoch);
    return new SelfPlayBatches(rowBatches(context, examples, new Int32Array(0), groupsPerBatch), pairs);
  }
}

/**
 * Makes the training method of self-play: before each epoch of DPO, the model as it is then becomes the reference, and
 * its own best item other than the chosen one is rejected. Both are kept in the run folder, by round, so that a run that
 * is resumed in the middle of an epoch goes on with the same pairs.
 */
export function selfPlay(context: ObjectiveContext<SelfPlaySection>, batches: SelfPlayBatches): TrainingMethod {
  const { section, model, lists } = context;
  let pairs: PreferencePairs | null = null; // null in an epoch of SFT
  const method = tappedMethod({
    name: 'sprec',
    inputIds: true,
    metrics: ['crossEntropy', ...PREFERENCE_METRICS],
    loss: (batch) => {
      const zero = tf.scalar(0);
      if (pairs === null) {
        const total = crossEntropyOf(context, batch);
        return { total, crossEntropy: total, rewardAccuracy: zero, rewardMargin: zero };
      }
      const { beta } = section;
      const terms = preferenceTerms(pairs.groupsOf(batch), beta, ({ policy, reference }) =>
        dpoLoss(policy, reference, { beta }),
      );
      return { ...terms, crossEntropy: zero };
    },
  });
  const beginEpoch = async (epoch: number): Promise<void> => {
    pairs = null;
    if (!isOfPairs(epoch)) return;
    method.detach(); // the taps that read the reference are on the same model
    const round = (epoch - 1) / EPOCHS_PER_ROUND + 1;
    pairs = await keptPairs(context, {
      file: `pairs-${round}.safetensors`,
      batches: batches.pairs,
      reference: model,
      rejected: listedRejected(context, lists, 1),
    });
    await method.callback.onTrainBegin();
  };
  return Object.assign(method, { beginEpoch });
}

/** The loss of SFT. */
function crossEntropyOf(context: ObjectiveContext<SelfPlaySection>, batch: TappedBatch): tf.Tensor {
  const { itemSoftmax } = context;
  return itemSoftmax === undefined
    ? responseCrossEntropy(batch, restrictionOf(context).restrictTo)
    : itemSoftmaxTerms(batch, itemHeadOf(batch), itemSoftmax, { future: null, reward: null }).total;
}
