import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { loadPrepared } from '../../src/preparation/prepared_folder_node';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { readLog } from '../../src/runs/run_log';
import { runPaths } from '../../src/runs/run_paths';
import { trainRun } from '../../src/runs/train_run';
import '../support/backends';
import { configKeys } from '../support/config_keys';
import { writeSmallShop } from '../support/small_shop';

type Json = { readonly [key: string]: unknown };

/** A run that a key is tried on. */
interface Base {
  readonly method: MethodName;
  readonly config: Json;
}

const training = { epochs: 2, batchSize: 16, learningRate: 0.01, maxHistory: 6, validationUsers: 10 };
const model = { hiddenSize: 8, numHiddenLayers: 3, numAttentionHeads: 2, hiddenDropout: 0.1, embeddingDropout: 0 };
const evaluation = { beamWidth: 5 };
const ilrec = { numNegativeLayers: 2, reward: 'markov' };
const ids = { style: 'ids' };
const LANGUAGE: Base = { method: 'ilrec', config: { model, items: ids, training, evaluation, methods: { ilrec } } };
/** Items as tokens; the reward of all items, without the terms that read other layers. */
const ITEMS: Base = {
  method: 'ilrec',
  config: {
    model,
    items: { style: 'items' },
    training,
    evaluation: { ...evaluation, seen: 'exclude' },
    methods: { ilrec: { reward: 'markov' } },
  },
};
const REWARDED: Base = {
  method: 'ilrec',
  config: {
    ...ITEMS.config,
    methods: { ilrec: { reward: 'sasrec', rewardModels: 1 }, sasrec: { hiddenSize: 8, numHiddenLayers: 1 } },
  },
};
const withFuture = { futureTargets: { weight: 0.5 } };
const ITEMS_SFT: Base = { method: 'sft', config: { ...ITEMS.config, methods: { sft: withFuture } } };
const ITEMS_SFT_FUTURE: Base = { method: 'sft-future', config: { ...ITEMS.config, methods: {} } };
const IDS_SFT: Base = { ...LANGUAGE, method: 'sft' };
const IDS_SFT_FUTURE: Base = { ...LANGUAGE, method: 'sft-future' };
const IDS_MSL: Base = { ...LANGUAGE, method: 'msl' };
const TCA4REC: Base = { ...LANGUAGE, method: 'tca4rec', config: withReward(LANGUAGE.config) };
const ITEMS_TCA4REC: Base = { ...ITEMS, method: 'tca4rec', config: withReward(ITEMS.config) };
const fusedWith = (fusion: Json): Base => ({
  ...IDS_SFT,
  config: { ...IDS_SFT.config, evaluation: { ...evaluation, fusion } },
});
const FUSED = fusedWith({ method: 'markov', kind: 'd3', weight: 0.5 });
const FUSED_WITH_RUN = fusedWith({ run: 'PLACE/markov', weight: 0 });
const OPEN: Base = {
  method: 'ilrec',
  config: { ...LANGUAGE.config, training: { ...training, epochs: undefined, evaluateEvery: 1, patience: 1 } },
};
const SASREC: Base = {
  method: 'sasrec',
  config: { training, methods: { sasrec: { hiddenSize: 8, numHiddenLayers: 1 } } },
};
const TIGER: Base = {
  method: 'tiger',
  config: {
    training,
    evaluation,
    methods: {
      tiger: { hiddenSize: 8, headDim: 4, intermediateSize: 16, numHiddenLayers: 1, numAttentionHeads: 2 },
    },
  },
};
const GRU4REC: Base = {
  method: 'gru4rec',
  config: { training, methods: { gru4rec: { embeddingSize: 8, hiddenSize: 6 } } },
};
const CASER: Base = {
  method: 'caser',
  config: { training, methods: { caser: { hiddenSize: 8, windowSize: 3 } } },
};
const shortTraining = { ...training, epochs: 1, batchSize: 32 };
const items = { style: 'lc-rec', vocabSize: 300, maxPromptTokens: 90, maxTitleTokens: 8 };
const TEXT: Base = { method: 'sft', config: { model, items, evaluation, training: shortTraining } };
const lora = { rank: 2, targets: ['q_proj', 'v_proj'], trainModules: [] };
const backbone = { pretrained: 'spec/golden/checkpoints/smollm2', lora };
const ADAPTED: Base = { method: 'sft', config: { items, evaluation, backbone, training: shortTraining } };
const FLAT: Base = {
  method: 'sft',
  config: { model, items: ids, evaluation, training: { ...training, epochs: 4, learningRate: 1e-12, patience: null } },
};

/** A method that continues a run of SFT; at SFT's learning rate, so that a short run differs from others. */
const continued = (method: MethodName, config: Json, start: string, section: Json = {}): Base => ({
  method,
  config: { ...config, methods: { [method]: { startRun: `PLACE/${start}`, learningRateRatio: 1, ...section } } },
});

type Changes = Readonly<Record<string, readonly [Base, unknown]>>;

/** The keys of every method that starts from another run. */
function startKeys(method: MethodName, base: Base): Changes {
  const own: Base = { method, config: { ...base.config, methods: { [method]: { learningRateRatio: 1 } } } };
  return {
    [`methods.${method}.start`]: [own, 'sft-future'],
    [`methods.${method}.startRun`]: [base, 'PLACE/sft-other'],
    [`methods.${method}.learningRateRatio`]: [base, 0.5],
    [`methods.${method}.dropout`]: [base, true],
  };
}

function epochsRatioKey(method: MethodName): Changes {
  const open = { ...ITEMS.config, training: { ...training, epochs: undefined, evaluateEvery: 1, patience: 1 } };
  return { [`methods.${method}.epochsRatio`]: [continued(method, open, 'sft-items'), 0.05] };
}

/** The keys of every method that trains on pairs. */
function pairKeys(method: MethodName): Changes {
  const items = continued(method, ITEMS.config, 'sft-items');
  const scored = continued(method, ITEMS.config, 'sft-items', { negatives: 'model', negativesMethod: 'markov' });
  return {
    [`methods.${method}.beta`]: [items, 0.4],
    ...startKeys(method, items),
    ...epochsRatioKey(method),
    [`methods.${method}.negatives`]: [items, 'popularity'],
    [`methods.${method}.numNegatives`]: [items, 2],
    [`methods.${method}.negativesMethod`]: [scored, 'popularity'],
    [`methods.${method}.negativesRun`]: [scored, 'PLACE/popularity'],
    [`methods.${method}.pairs`]: [items, 'PLACE/pairs.jsonl'],
    [`methods.${method}.restrictTo`]: [continued(method, LANGUAGE.config, 'sft'), 'validItems'],
  };
}

const ROSEPO = continued('rosepo', ITEMS.config, 'sft-items', { oracle: 'markov' });
const SPREC = continued('sprec', ITEMS.config, 'sft-items', { rounds: 2 });
const GRPO = continued('grpo', ITEMS.config, 'sft-items');

/** With the settings of tca4rec alone. */
function withReward(config: Json): Json {
  return { ...config, methods: { tca4rec: { reward: 'markov', collaborativeWeight: 0.3 } } };
}

/** Another value for each key, and the run that must notice it; `PLACE` stands for what the spec has prepared. */
const CHANGES: Changes = {
  seed: [LANGUAGE, 1],
  'model.hiddenSize': [LANGUAGE, 16],
  'model.intermediateSize': [LANGUAGE, 12],
  'model.numHiddenLayers': [LANGUAGE, 4],
  'model.numAttentionHeads': [LANGUAGE, 4],
  'model.numKeyValueHeads': [LANGUAGE, 1],
  'model.headDim': [LANGUAGE, 6],
  'model.ropeTheta': [LANGUAGE, 50],
  'model.rmsNormEps': [LANGUAGE, 0.1],
  'model.tieWordEmbeddings': [LANGUAGE, false],
  'model.attentionDropout': [LANGUAGE, 0.2],
  'model.hiddenDropout': [LANGUAGE, 0],
  'model.embeddingDropout': [LANGUAGE, 0.2],
  'model.initializerRange': [LANGUAGE, 0.1],
  'items.style': [TEXT, 'bigrec'],
  'items.codes': [ITEMS, 'none'],
  'items.nodeDepths': [ITEMS, [2, 3]],
  'items.sampledItems': [ITEMS, 3], // of 40; the default of 1500 scores all
  'items.prompts': [TEXT, 'PLACE/prompts.json'],
  'items.maxPromptTokens': [TEXT, 82],
  'items.maxTitleTokens': [TEXT, 5],
  'items.newRows': [ADAPTED, 'level'],
  'items.vocabSize': [TEXT, 330],
  'backbone.pretrained': [ADAPTED, 'spec/golden/checkpoints/llama3'],
  'backbone.lora.rank': [ADAPTED, 3],
  'backbone.lora.alpha': [ADAPTED, 64],
  'backbone.lora.dropout': [ADAPTED, 0.5],
  'backbone.lora.rsLora': [ADAPTED, true],
  'backbone.lora.targets': [ADAPTED, ['q_proj']],
  'backbone.lora.trainModules': [ADAPTED, ['embed_tokens']],
  'training.epochs': [LANGUAGE, 1],
  'training.batchSize': [LANGUAGE, 8],
  'training.gradientAccumulation': [LANGUAGE, 2],
  'training.learningRate': [LANGUAGE, 0.02],
  'training.schedule': [LANGUAGE, 'linear'],
  'training.warmupRatio': [LANGUAGE, 0.5],
  'training.learningRateFloor': [LANGUAGE, 0.5],
  'training.beta1': [LANGUAGE, 0.5],
  'training.beta2': [LANGUAGE, 0.5],
  'training.weightDecay': [LANGUAGE, 0.9],
  'training.clipNorm': [LANGUAGE, 0.001],
  'training.batching': [LANGUAGE, 'single'],
  'training.maxHistory': [LANGUAGE, 3],
  'training.trainFirstItem': [LANGUAGE, false],
  'training.validationUsers': [LANGUAGE, 7],
  'training.patience': [FLAT, 1],
  'training.evaluateEvery': [LANGUAGE, 2],
  'training.initialWeights': [LANGUAGE, 'PLACE/sft'],
  'evaluation.beamWidth': [LANGUAGE, 40], // the base's 5 are widened to 10
  'evaluation.renormalize': [LANGUAGE, true],
  'evaluation.fusion.method': [FUSED, 'popularity'],
  'evaluation.fusion.run': [FUSED_WITH_RUN, 'PLACE/popularity'],
  'evaluation.fusion.kind': [FUSED, 'scores'],
  'evaluation.fusion.weight': [FUSED, 1],
  'evaluation.layerContrast': [ITEMS, 5],
  'evaluation.seen': [LANGUAGE, 'allow'], // the shop has no repeats, so the default becomes exclude
  'evaluation.excludeSeen': [LANGUAGE, false],
  'methods.ilrec.numNegativeLayers': [LANGUAGE, 1],
  'methods.ilrec.negativeLayers': [LANGUAGE, [2]],
  'methods.ilrec.penaltyWeight': [LANGUAGE, 1],
  'methods.ilrec.penalty': [LANGUAGE, 'additive'],
  'methods.ilrec.thresholdScale': [LANGUAGE, 1.1],
  'methods.ilrec.thresholdReference': [LANGUAGE, 'ensemble'],
  'methods.ilrec.negatives.source': [LANGUAGE, 'final'],
  'methods.ilrec.negatives.maxCount': [LANGUAGE, 1],
  'methods.ilrec.negatives.exponent': [LANGUAGE, 0],
  'methods.ilrec.negatives.spare': [LANGUAGE, ['future', 'reward']],
  'methods.ilrec.deepSupervisionWeight': [LANGUAGE, 0.5],
  'methods.ilrec.distillationWeight': [LANGUAGE, 0.5],
  'methods.ilrec.distillItemTokens': [LANGUAGE, true],
  'methods.ilrec.rewardWeight': [LANGUAGE, 0.5],
  'methods.ilrec.reward': [LANGUAGE, 'popularity'],
  'methods.ilrec.rewardRun': [LANGUAGE, 'PLACE/popularity'],
  'methods.ilrec.rewardTemperature': [LANGUAGE, 2],
  'methods.ilrec.weightWarmupRatio': [LANGUAGE, 0.5],
  'methods.ilrec.restrictTo': [LANGUAGE, 'validItems'],
  'methods.sft.restrictTo': [IDS_SFT, 'validItems'],
  'methods.sft-future.restrictTo': [IDS_SFT_FUTURE, 'validItems'],
  'methods.ilrec.epochsRatio': [OPEN, 0.5],
  'methods.ilrec.rewardModels': [REWARDED, 2],
  'methods.ilrec.rewardTargets': [ITEMS, 'negatives'],
  'methods.ilrec.rewardTopK': [ITEMS, 3],
  'methods.ilrec.futureTargets.weight': [ITEMS, 0.2],
  'methods.ilrec.futureTargets.numItems': [ITEMS, 2],
  'methods.ilrec.futureTargets.decay': [ITEMS, 0.9],
  'methods.sft.futureTargets.weight': [ITEMS_SFT, 0],
  'methods.sft.futureTargets.numItems': [ITEMS_SFT, 2],
  'methods.sft.futureTargets.decay': [ITEMS_SFT, 0.9],
  'methods.sft-future.futureTargets.weight': [ITEMS_SFT_FUTURE, 0.2],
  'methods.sft-future.futureTargets.numItems': [ITEMS_SFT_FUTURE, 2],
  'methods.sft-future.futureTargets.decay': [ITEMS_SFT_FUTURE, 0.9],
  'methods.msl.temperature': [IDS_MSL, 3],
  'methods.tca4rec.collaborativeWeight': [TCA4REC, 0.5],
  'methods.tca4rec.temperature': [TCA4REC, 2],
  'methods.tca4rec.restrictTo': [TCA4REC, 'validItems'],
  'methods.tca4rec.reward': [TCA4REC, 'popularity'],
  'methods.tca4rec.rewardRun': [TCA4REC, 'PLACE/popularity'],
  'methods.tca4rec.rewardTemperature': [TCA4REC, 2],
  'methods.tca4rec.rewardTopK': [ITEMS_TCA4REC, 3],
  'methods.sasrec.hiddenSize': [SASREC, 16],
  'methods.sasrec.numHiddenLayers': [SASREC, 2],
  'methods.sasrec.numAttentionHeads': [SASREC, 4],
  'methods.sasrec.intermediateSize': [SASREC, 12],
  'methods.sasrec.hiddenDropout': [SASREC, 0],
  'methods.sasrec.attentionDropout': [SASREC, 0],
  'methods.sasrec.tieItemEmbeddings': [SASREC, false],
  'methods.sasrec.useRepeatBias': [SASREC, false],
  'methods.sasrec.initializerRange': [SASREC, 0.1],
  'methods.sasrec.training': [SASREC, { learningRate: 0.02 }],
  'methods.tiger.hiddenSize': [TIGER, 12],
  'methods.tiger.headDim': [TIGER, 3],
  'methods.tiger.intermediateSize': [TIGER, 12],
  'methods.tiger.numHiddenLayers': [TIGER, 2],
  'methods.tiger.numDecoderLayers': [TIGER, 2],
  'methods.tiger.numAttentionHeads': [TIGER, 3],
  'methods.tiger.dropout': [TIGER, 0],
  'methods.tiger.training': [TIGER, { learningRate: 0.02 }],
  'methods.gru4rec.embeddingSize': [GRU4REC, 7],
  'methods.gru4rec.hiddenSize': [GRU4REC, 5],
  'methods.gru4rec.numHiddenLayers': [GRU4REC, 2],
  'methods.gru4rec.hiddenDropout': [GRU4REC, 0],
  'methods.gru4rec.tieItemEmbeddings': [GRU4REC, false],
  'methods.gru4rec.useRepeatBias': [GRU4REC, false],
  'methods.gru4rec.initializerRange': [GRU4REC, 0.1],
  'methods.gru4rec.training': [GRU4REC, { learningRate: 0.02 }],
  'methods.caser.windowSize': [CASER, 2],
  'methods.caser.hiddenSize': [CASER, 7],
  'methods.caser.numHorizontalFilters': [CASER, 3],
  'methods.caser.numVerticalFilters': [CASER, 2],
  'methods.caser.hiddenDropout': [CASER, 0],
  'methods.caser.tieItemEmbeddings': [CASER, false],
  'methods.caser.useRepeatBias': [CASER, false],
  'methods.caser.initializerRange': [CASER, 0.1],
  'methods.caser.training': [CASER, { learningRate: 0.02 }],
  ...pairKeys('dpo'),
  ...pairKeys('sdpo'),
  ...pairKeys('rosepo'),
  'methods.rosepo.maxDoubt': [ROSEPO, 0.1],
  'methods.rosepo.oracle': [ROSEPO, 'popularity'],
  'methods.rosepo.oracleRun': [ROSEPO, 'PLACE/popularity'],
  ...startKeys('sprec', SPREC),
  'methods.sprec.beta': [SPREC, 0.4],
  'methods.sprec.rounds': [SPREC, 1],
  'methods.sprec.restrictTo': [continued('sprec', LANGUAGE.config, 'sft', { rounds: 1 }), 'validItems'],
  ...startKeys('grpo', GRPO),
  ...epochsRatioKey('grpo'),
  'methods.grpo.groupSize': [GRPO, 8],
  'methods.grpo.klWeight': [GRPO, 1],
  'methods.grpo.rankReward': [GRPO, false],
  'methods.grpo.groups': [GRPO, 'sample'],
  'methods.grpo.temperature': [continued('grpo', ITEMS.config, 'sft-items', { groups: 'sample' }), 3],
  'methods.grpo.restrictTo': [continued('grpo', LANGUAGE.config, 'sft'), 'validItems'],
};

/** Keys that change no number, each with where it is held. */
const WITHOUT_A_NUMBER: Readonly<Record<string, string>> = {
  description: 'free text',
  'items.untitled': 'a refusal: spec/prompts/title_language.spec.ts',
  'backbone.revision': 'which files of a hub are read: spec/pretrained/hub.spec.ts',
  'backbone.gradientCheckpointing': 'memory, at the same numbers: spec/training/gradient_checkpointing.spec.ts',
  'methods.ilrec.probeEvery': 'what the log holds: spec/runs/item_run.spec.ts',
  'training.checkpointEverySeconds': 'when checkpoints are written: spec/callbacks/checkpointing.spec.ts',
  'evaluation.batchSize': 'users at once, at the same numbers: spec/evaluation/evaluate_ranking.spec.ts',
};

describe('keys of a config', () => {
  const known = new Map<Base, Promise<string>>();
  let place = '';
  before(async () => {
    await tf.setBackend('wasm');
    place = await mkdtemp(join(tmpdir(), 'config-keys-'));
    await writeSmallShop(join(place, 'data'));
    const tasks = { nextItem: { templates: ['{history:title} then '] }, nextTitle: { templates: ['{history:id}?'] } };
    await writeFile(join(place, 'prompts.json'), JSON.stringify({ tasks }));
    await numbersOf({ method: 'sft', config: LANGUAGE.config }, 'sft');
    await numbersOf({ method: 'sft', config: ITEMS.config }, 'sft-items');
    await numbersOf({ method: 'sft', config: { ...ITEMS.config, seed: 1 } }, 'sft-other');
    await numbersOf({ method: 'popularity', config: { training } }, 'popularity');
    const { itemIds } = await loadPrepared(join(place, 'data'));
    const [first, chosen, ...rejected] = itemIds;
    await writeFile(join(place, 'pairs.jsonl'), JSON.stringify({ history: [first], chosen, rejected }));
    await numbersOf({ method: 'markov', config: { training } }, 'markov');
  });

  after(async () => await rm(place, { recursive: true, force: true }));

  it('are all tried here', () => {
    expect([...Object.keys(CHANGES), ...Object.keys(WITHOUT_A_NUMBER)].sort()).to.deep.equal(configKeys().sort());
  });

  for (const [key, [base, value]] of Object.entries(CHANGES)) {
    it(`${key} reaches its owner and changes a number`, async () => {
      if (!known.has(base)) known.set(base, numbersOf(base, `base-${known.size}`));
      const config = withValue(base.config, key.split('.'), value);
      expect(await numbersOf({ ...base, config }, key)).to.not.equal(await known.get(base));
    });
  }

  /** Everything that a run measures: its log, what it ends with, and the rank of every test user. */
  async function numbersOf({ method, config: given }: Base, name: string): Promise<string> {
    const config = JSON.parse(JSON.stringify(given).replaceAll('PLACE', place)) as Json;
    const out = join(place, name);
    const data = join(place, 'data');
    const placed = JSON.parse(JSON.stringify(config).replaceAll('PLACE', place)) as TrainConfigInput;
    const { manifest } = await trainRun({ data, out, method, config: placed });
    expect(manifest.status).to.equal('done');
    if (manifest.steps === 0) return '';
    const log = (await readLog(runPaths(out).log)).map((line) => ({ ...line, tokensPerSecond: 0, seconds: 0 }));
    const { ranks, users } = await evaluateRun({ run: out });
    return JSON.stringify({ log, parameters: manifest.parameters, ranks: [...ranks], users });
  }
});

/** The config with another value at a path. */
function withValue(config: Json, [key, ...rest]: readonly string[], value: unknown): Json {
  return { ...config, [key]: rest.length === 0 ? value : withValue((config[key] ?? {}) as Json, rest, value) };
}
