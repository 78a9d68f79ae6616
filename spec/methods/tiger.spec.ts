import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { historyPrompt } from '../../src/generation/history_prompt';
import { trainingData } from '../../src/methods/training_data';
import type { TrainConfig, TrainConfigInput } from '../../src/methods/train_config';
import { loadPrepared } from '../../src/preparation/prepared_folder_node';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { readLog } from '../../src/runs/run_log';
import { runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunResult } from '../../src/runs/train_run';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { logSumExp, maxDifference } from '../support/reference';
import { smallConfig, writeSmallShop } from '../support/small_shop';

const tiger = { hiddenSize: 8, headDim: 4, intermediateSize: 16, numHiddenLayers: 1, numAttentionHeads: 2 };

describe('tiger @slow', () => {
  const folder = temporaryFolder();
  let data = '';
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });
  before(() => tf.setBackend('wasm'));

  const configOf = ({ methods, ...changes }: TrainConfigInput = {}): TrainConfig =>
    smallConfig({ ...changes, methods: { ...methods, tiger: { ...tiger, ...methods?.tiger } } });
  const train = (name: string, changes: TrainConfigInput = {}): Promise<TrainRunResult> =>
    trainRun({ data, out: join(folder.path, name), method: 'tiger', config: configOf(changes) });

  forEachBackend((backend) => {
    it('trains on every interaction, evaluates, recommends, and leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      const { run, manifest } = await train('run', { training: { epochs: 1, batchSize: 32 } });
      const { split } = trainingData(await loadPrepared(data));
      const interactions = split.train.reduce((sum, { length }) => sum + length, 0);
      expect(manifest).to.deep.include({ method: 'tiger', status: 'done', backend });
      expect(manifest.stepsPerEpoch).to.equal(Math.ceil(interactions / 32));
      const { users, invalidItems, protocol } = await evaluateRun({ run });
      expect({ users, invalidItems }).to.deep.equal({ users: 30, invalidItems: 0 });
      expect(protocol).to.include({ ranking: 'constrained beam search over the item trie', maxHistory: 6 });
      const valid = await evaluateRun({ run, split: 'valid', users: 10 });
      expect(manifest.validation?.best?.metrics['ndcg@10']).to.equal(valid['ndcg@10']); // the loaded model is the trained one
      const { items, dispose } = await loadRun(run);
      dispose();
      const list = await recommend({ run, history: [items[3].id, items[7].id], k: 4 });
      expect(list).to.have.length(4);
      expect(list.map(({ id }) => id)).to.not.include.members([items[3].id]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('scores an item by the log-probabilities of its semantic id, given the history', async () => {
    const { run } = await train('run', { training: { epochs: 1 } });
    const { tokenizer } = trainingData(await loadPrepared(data));
    const { items, languageModel, dispose } = await loadRun(run);
    if (languageModel === null) throw new Error('a language model');
    const [{ id, score }] = await recommend({ run, history: [items[3].id, items[7].id], k: 1 });
    const tokens = [...tokenizer.itemTokens[items.findIndex((item) => item.id === id)]];
    const prompt = [...historyPrompt(tokenizer, [3, 7])];
    const logits = tf.tidy(() => {
      const read = tf.tensor2d([prompt], undefined, 'int32');
      const written = tf.tensor2d([[0, ...tokens.slice(0, -1)]], undefined, 'int32');
      return ((languageModel.predict([read, written]) as tf.Tensor).arraySync() as number[][][])[0];
    });
    const expected = tokens.reduce((sum, token, t) => sum + logits[t][token] - logSumExp(logits[t]), 0);
    expect(score).to.be.closeTo(expected, 1e-4);
    dispose();
  });

  it('learns the interactions', async () => {
    const { run } = await train('run', { training: { epochs: 25, batchSize: 16, validationUsers: 0 } });
    const losses = (await readLog(runPaths(run).log)).flatMap((line) =>
      line.kind === 'step' ? [Number(line.loss)] : [],
    );
    const mean = (some: number[]): number => some.reduce((sum, loss) => sum + loss, 0) / some.length;
    expect(mean(losses.slice(-10))).to.be.below(0.75 * mean(losses.slice(0, 10)));
  });

  it('resumes with the weights of a run that was not interrupted', async () => {
    const whole = await train('whole');
    const controller = new AbortController();
    const cut = (signal?: AbortSignal): Promise<TrainRunResult> =>
      trainRun({
        data,
        out: join(folder.path, 'cut'),
        method: 'tiger',
        config: configOf(),
        resume: true,
        signal,
        callbacks: () => [{ onStep: ({ step }) => (step === 5 ? controller.abort() : undefined) }],
      });
    expect((await cut(controller.signal)).manifest).to.deep.include({ status: 'interrupted', steps: 5 });
    const { run } = await cut();
    expect(await weightsOf(run)).to.deep.equal(await weightsOf(whole.run));
  });

  it('is compared with other methods', async () => {
    const { methods } = await compareMethods({
      data,
      out: join(folder.path, 'compared'),
      methods: ['tiger', 'popularity'],
      config: configOf({ training: { epochs: 1 } }),
    });
    expect(methods.map(({ method, title, runs }) => [method, title, runs.length])).to.deep.equal([
      ['popularity', 'Popularity', 1],
      ['tiger', 'TIGER', 1],
    ]);
  });

  it('takes the settings of training that its section gives', async () => {
    const [usual, faster] = [
      await train('usual', { training: { epochs: 1 } }),
      await train('faster', {
        training: { epochs: 1 },
        methods: { tiger: { training: { learningRate: 0.02 } } },
      }),
    ];
    const [one, other] = [(await weightsOf(usual.run)).flat(), (await weightsOf(faster.run)).flat()];
    expect(maxDifference(one, other)).to.be.above(1e-3);
  });

  it('cannot be the reward of ILRec, since it does not score all items', async () => {
    const config = { methods: { ilrec: { reward: 'tiger', rewardWeight: 0.1 } } };
    expect(await messageOf(trainRun({ data, out: join(folder.path, 'run'), method: 'ilrec', config }))).to.match(
      /must be one of sft, sft-future, .*, got tiger\n {2}→ at methods\.ilrec\.reward/,
    );
  });
});

async function weightsOf(run: string): Promise<number[][]> {
  const { languageModel, dispose } = await loadRun(run);
  const values = languageModel?.getWeights().map((weight) => [...weight.dataSync()]) ?? [];
  dispose();
  return values;
}
