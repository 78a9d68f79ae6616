import { IlrecError } from '../errors';
import type { Reward } from '../losses/reward';
import { meanScorer } from '../models/mean_scorer';
import { itemReward } from '../rewards/item_reward';
import { trieReward } from '../rewards/trie_reward';
import type { ObjectiveContext } from './language_model';
import type { AskedModel, Need } from './method';

/** A section with a reward that other models give. */
export interface RewardSection {
  /** The method behind it; null for none. */
  readonly reward: string | null;
  /** A finished run to take instead. */
  readonly rewardRun?: string;
  readonly rewardTemperature: number;
  /** Items as tokens: how many of the reward's best items keep their mass. */
  readonly rewardTopK: number;
}

/** Seeds of several reward models, far from those of runs that are compared. */
const REWARD_SEEDS_APART = 1000;

/** What the reward says of each history of the training part, so that a run that is resumed need not ask again. */
const REWARD_FILE = 'reward.safetensors';

/** The need for the i-th reward model. Only the first can be a finished run, which the field `rewardRun` names. */
export function rewardNeed(method: string, i = 0): Need {
  return {
    role: i === 0 ? 'reward' : `reward-${i + 1}`,
    method,
    kinds: ['counts', 'item-scorer', 'language-model'],
    scoresItems: true,
    methodField: 'reward',
    runField: i === 0 ? 'rewardRun' : null,
    seedOffset: i * REWARD_SEEDS_APART,
  };
}

/**
 * What other models find likely, over the trie's tokens or, for a model of item tokens, over items.
 *
 * @param name the method that takes the reward, for the error.
 * @throws IlrecError when a model scores no items.
 */
export async function rewardOfModels(
  name: string,
  { section, code: { trie, historyOf }, batches, files, itemSoftmax }: ObjectiveContext<RewardSection>,
  models: readonly AskedModel[],
): Promise<Reward> {
  const scorers = models.flatMap(({ scorer }) => scorer ?? []);
  if (scorers.length < models.length)
    throw new IlrecError(
      `trainRun: methods.${name}.reward must be a method that scores items, got ${section.rewardRun ?? section.reward}; ` +
        'train one with `ilrec train --method sasrec`',
    );
  const scorer = scorers.length === 1 ? scorers[0] : meanScorer(scorers);
  const temperature = section.rewardTemperature;
  if (itemSoftmax === undefined) return trieReward({ scorer, trie, temperature, historyOf });
  const excludeSeen = itemSoftmax.seen === 'exclude';
  const reward = itemReward({ scorer, topK: section.rewardTopK, excludeSeen, temperature });
  const kept = await files.readTensors(REWARD_FILE); // of a run that is resumed
  const [items, masses] = ['items', 'masses'].map((tensor) => kept?.get(tensor));
  if (items !== undefined && masses !== undefined) {
    const table = { topK: items.shape[1], items: items.data as Int32Array, masses: masses.data as Float32Array };
    await reward.prepare(batches.batchesOf(0), table);
    return reward;
  }
  await reward.prepare(batches.batchesOf(0));
  const table = reward.table();
  const shape = [table.items.length / table.topK, table.topK];
  await files.writeTensors(
    REWARD_FILE,
    new Map([
      ['items', { shape, data: table.items }],
      ['masses', { shape, data: table.masses }],
    ]),
  );
  return reward;
}
