import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { NegativeReport } from '../../src/ilrec/ilrec';
import { itemEmbeddingOf } from '../../src/models/causal_item_scorer';
import { codesOfSemanticIds } from '../../src/tokenizers/codes_of_semantic_ids';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfig, TrainConfigInput } from '../../src/methods/train_config';
import { loadPrepared } from '../../src/preparation/prepared_folder_node';
import { compareMethods } from '../../src/runs/compare';
import { datasetOptions } from '../../src/recommender/dataset_options';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { readManifest } from '../../src/runs/manifest';
import { recommend } from '../../src/runs/recommend_run';
import { type LogLine, readLog } from '../../src/runs/run_log';
import { isRun, needFolder, runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { writeSmallShop } from '../support/small_shop';

/** Nothing of the style, so that its defaults hold. */
const small: TrainConfigInput = {
  model: { hiddenSize: 8 },
  training: { epochs: 2, maxHistory: 6, validationUsers: 10, checkpointEverySeconds: 0 },
};

describe('runs whose tokens are items', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users
  });

  async function run(
    method: MethodName,
    { name = method, ...options }: { name?: string } & Partial<TrainRunOptions> = {},
  ): Promise<TrainRunResult> {
    return await trainRun({ data, out: join(folder.path, name), method, config: small, ...options });
  }

  it('are the default, with the composed embedding, small batches and a reward of the same kind', async () => {
    const { run: out } = await run('ilrec');
    const config = await configOf(out);
    expect(config.items.style).to.equal('items');
    expect(config.training).to.deep.include({ batchSize: 16, learningRate: 0.002 });
    expect(config.methods.ilrec).to.deep.include({ reward: 'sft-future', rewardTargets: 'all', penaltyWeight: 0 });
    const reward = await loadRun(needFolder(out, 'reward'));
    expect([reward.manifest.method, reward.config.items.style]).to.deep.equal(['sft-future', 'items']);
    reward.dispose();
    const { validation } = await readManifest(out);
    expect(validation?.baselines).to.have.all.keys('popularity', 'markov', 'sft-future');

    const { languageModel, scorer, code, dispose } = await loadRun(out);
    if (languageModel === null) throw new Error('a language model');
    expect([scorer?.numItems, code?.trie.numItems]).to.deep.equal([40, 40]);
    const { semanticIds } = await loadPrepared(data);
    const levels = codesOfSemanticIds(semanticIds)[0].length;
    const { weights } = itemEmbeddingOf(languageModel, 'spec');
    expect(weights.filter(({ name }) => name.includes('table_'))).to.have.length(levels + 1); // and pairs of codes
    dispose();
  });

  it('log the reward, and none of the terms that are off', async () => {
    const { run: out } = await run('ilrec');
    for (const step of await stepsOf(out)) {
      expect(step).to.have.property('crr').that.is.above(0);
      expect(step).to.include({ cpd: 0, numNegatives: 0, penaltyMass: 0 });
    }
  });

  it('end with the same weights after an interruption', async () => {
    for (const items of [{}, { sampledItems: 3 }]) {
      const config = { ...small, items };
      const name = JSON.stringify(items);
      const whole = await run('ilrec', { name: `whole ${name}`, config });
      const controller = new AbortController();
      const first = await run('ilrec', {
        name,
        config,
        signal: controller.signal,
        callbacks: (label) => [
          { onStep: ({ step }) => (label === 'ilrec' && step === 3 ? controller.abort() : undefined) },
        ],
      });
      expect(first.manifest).to.deep.include({ status: 'interrupted', steps: 3, stepsPerEpoch: 4 });
      const { manifest } = await run('ilrec', { name, config, resume: true });
      expect(manifest).to.deep.include({ status: 'done', steps: 8 });
      expect(await weightsOf(first.run)).to.deep.equal(await weightsOf(whole.run));
      expect(manifest.validation).to.deep.equal(whole.manifest.validation);
    }
  });

  it('end with the same weights when the reward was interrupted', async () => {
    const whole = await run('ilrec', { name: 'whole' });
    const controller = new AbortController();
    const callbacks: TrainRunOptions['callbacks'] = (label) => [
      { onStep: () => (label === 'reward' ? controller.abort() : undefined) },
    ];
    const { manifest } = await run('ilrec', { signal: controller.signal, callbacks });
    expect(manifest.status).to.equal('interrupted');
    const { run: out } = await run('ilrec', { resume: true });
    expect(await weightsOf(out)).to.deep.equal(await weightsOf(whole.run));
  });

  it('resume with the config that they were begun with, and with the one that they keep', async () => {
    const controller = new AbortController();
    const { run: out } = await run('sft', {
      signal: controller.signal,
      callbacks: () => [{ onStep: () => controller.abort() }],
    });
    const kept = await configOf(out);
    expect(await messageOf(run('sft', { resume: true, config: { ...small, items: { style: 'ids' } } }))).to.match(
      /another config: model\.\w+ is .* there and .* here, .*items\.style is "items" there and "ids" here, .*training\./,
    );
    expect((await run('sft', { resume: true, config: kept })).manifest.status).to.equal('done');
    expect((await run('sft', { resume: true })).manifest.status).to.equal('done');
  });

  it('rank the whole catalogue, without items seen, and recommend', async () => {
    const tensorsBefore = tf.memory().numTensors;
    for (const method of ['sft', 'sft-future', 'ilrec'] as const) {
      const { run: out } = await run(method);
      const { users, protocol, invalidItems } = await evaluateRun({ run: out });
      expect([users, protocol.excludeSeen, protocol.beamWidth, invalidItems]).to.deep.equal([30, true, null, 0]);
      const { items, dispose } = await loadRun(out);
      dispose();
      const history = items.slice(0, 3).map(({ id }) => id);
      const list = await recommend({ run: out, history, k: 37 });
      expect(list.map(({ id }) => id)).to.have.members(items.slice(3).map(({ id }) => id));
      const again = await recommend({ run: out, history, k: 40, seen: 'allow' });
      expect(again.map(({ id }) => id)).to.include.members(history);
    }
    expect(tf.memory().numTensors).to.equal(tensorsBefore);
  });

  it('learn a number for items seen where people choose items again', async () => {
    const numbers = async (seen: 'allow' | 'exclude'): Promise<number | null> => {
      const { run: out } = await run('sft', { name: seen, seen });
      const { languageModel, dispose } = await loadRun(out);
      if (languageModel === null) throw new Error('a language model');
      const bias = itemEmbeddingOf(languageModel, 'spec').repeatBias?.dataSync()[0] ?? null;
      dispose();
      return bias;
    };
    expect(await numbers('exclude')).to.equal(null);
    expect(await numbers('allow')).to.be.below(0); // nobody in the shop does
  });

  it('are compared: sft, sft-future as the reward of ilrec, and ilrec', async () => {
    const trained: string[] = [];
    const options = {
      data,
      out: join(folder.path, 'compared'),
      config: { ...small, training: { ...small.training, epochs: 1 } },
      methods: ['ilrec', 'sft-future', 'sft', 'popularity'] as const,
      callbacks: (label: string) => [{ onTrainBegin: () => void trained.push(label) }],
    };
    const { methods, config } = await compareMethods(options);
    expect(trained).to.deep.equal(['sft', 'sft-future', 'ilrec, reward-2', 'ilrec']); // the second model is its own
    expect(methods.map(({ method }) => method)).to.deep.equal(['popularity', 'sft', 'sft-future', 'ilrec']);
    expect([config.items.style, config.training.batchSize]).to.deep.equal(['items', 16]);
    await compareMethods(options);
    expect(trained).to.have.length(4);
  });

  it('take the style of the runs that are compared already', async () => {
    const options = {
      data,
      out: join(folder.path, 'compared'),
      config: small,
      methods: ['popularity', 'sft'] as const,
    };
    const config: TrainConfigInput = { ...small, items: { style: 'ids' } };
    await trainRun({ data, out: join(options.out, 'sft-seed0'), method: 'sft', config });
    expect((await compareMethods(options)).config.items.style).to.equal('ids');
  });

  it('take semantic ids above 200,000 items, in config files of 0.1, and where a run has them', async () => {
    const prepared = await loadPrepared(data);
    const styleOf = (numItems: number): string | undefined =>
      datasetOptions({ ...prepared, itemIds: Array<string>(numItems).fill('') }, null).autoStyle;
    expect([40, 200_000, 200_001].map(styleOf)).to.deep.equal(['items', 'items', 'ids']);

    const { training, model } = small;
    const old = { model: { ...model, numHiddenLayers: 2 }, training, method: { reward: null } };
    const { run: out } = await run('ilrec', { name: 'old', config: old });
    const kept = await configOf(out);
    expect(kept.items.style).to.equal('ids');
    expect(kept.training).to.deep.include({ batchSize: 64, learningRate: 0.001 });
    expect(isRun(needFolder(out, 'reward'))).to.equal(false);
    const { methods, ...shared } = kept;
    await writeFile(runPaths(out).config, JSON.stringify({ ...shared, items: {}, method: methods.ilrec }));
    expect((await evaluateRun({ run: out })).protocol.beamWidth).to.equal(20);
    expect((await run('ilrec', { name: 'old', resume: true, config: old })).manifest.status).to.equal('done');
  });

  for (const style of ['items', 'ids', 'lc-rec'] as const)
    it(`log looks at the negatives where they are asked for: ${style}`, async () => {
      const ilrec = { penaltyWeight: 1, probeEvery: 2, reward: 'markov', rewardModels: 1, numNegativeLayers: 1 };
      const { run: out } = await run('ilrec', { config: { ...small, items: { style }, methods: { ilrec } } });
      const looks = (await stepsOf(out)).map(({ negatives }) => (negatives as NegativeReport | undefined) ?? null);
      expect(looks.map((look) => look !== null)).to.deep.equal(looks.map((_, step) => step % 2 === 0));
      for (const look of looks.flatMap((one) => one ?? [])) {
        expect(look.layers).to.have.length(1);
        const { numNegatives, ...shares } = look.ensemble;
        expect(numNegatives).to.be.above(0);
        for (const share of Object.values(shares)) expect(share).to.be.within(0, 1);
        if (style === 'items') expect([shares.validShare, look.byDepth.length]).to.deep.equal([1, 1]);
        else expect(look.byDepth.length).to.be.above(1);
      }
    });

  for (const style of ['ids', 'lc-rec', 'bigrec'] as const)
    it(`are not needed for next items as targets: ${style}`, async () => {
      const config: TrainRunOptions['config'] = { ...small, items: { style } };
      const { run: ahead } = await run('sft-future', { name: 'ahead', config });
      const { run: plain } = await run('sft', { name: 'plain', config });
      const [first, other] = [await stepsOf(ahead), await stepsOf(plain)];
      expect(first[0].crossEntropy).to.equal(other[0].crossEntropy); // the same batch and weights
      expect(first[0].loss).not.to.equal(other[0].loss);
      const ilrec = { futureTargets: { weight: 0.5, numItems: 5, decay: 0.5 }, reward: 'markov', numNegativeLayers: 1 };
      const { run: own } = await run('ilrec', { name: 'own', config: { ...config, methods: { ilrec } } });
      for (const { loss } of [...first, ...(await stepsOf(own))]) expect(loss).to.be.within(0, 20);
    });

  it('refuse a reward that writes tokens of other things', async () => {
    const { run: other } = await run('sft', { name: 'other', config: { ...small, items: { style: 'ids' } } });
    const config = { ...small, methods: { ilrec: { rewardRun: other } } };
    expect(await messageOf(run('ilrec', { config }))).to.equal(
      `trainRun: rewardRun must score items, got sft of style ids at ${other}`,
    );
    const { run: same } = await run('sft', { name: 'same' });
    const { manifest } = await run('ilrec', {
      config: { ...small, methods: { ilrec: { rewardRun: same, rewardModels: 1 } } },
    });
    expect(manifest.validation?.baselines).to.have.all.keys('popularity', 'markov', 'sft');
  });

  it('refuse a head that is not tied', async () => {
    const config = { ...small, model: { ...small.model, tieWordEmbeddings: false } };
    expect(await messageOf(run('sft', { config }))).to.equal(
      'causalLM: tieWordEmbeddings must be true with items, got false; leave it out',
    );
  });
});

async function configOf(out: string): Promise<TrainConfig> {
  return JSON.parse(await readFile(runPaths(out).config, 'utf8')) as TrainConfig;
}

async function stepsOf(out: string): Promise<Extract<LogLine, { kind: 'step' }>[]> {
  return (await readLog(runPaths(out).log)).filter((line) => line.kind === 'step');
}

async function weightsOf(out: string): Promise<number[]> {
  const { languageModel, dispose } = await loadRun(out);
  const values = languageModel?.getWeights().flatMap((weight) => Array.from(weight.dataSync())) ?? [];
  dispose();
  return values;
}
