import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { leaveOneOut } from '../../src/data/leave_one_out';
import { prepareInteractions } from '../../src/preparation/prepare';
import { buildPrefixTrie, constrainedBeamSearch, historyPrompt } from '../../src/generation';
import { ilrec } from '../../src/ilrec/ilrec';
import { caser } from '../../src/models/caser';
import { causalLM } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { gru4rec } from '../../src/models/gru4rec';
import { markovScorer } from '../../src/models/markov';
import { sasrec } from '../../src/models/sasrec';
import { sasrecBatch, sasrecRows } from '../../src/models/sasrec_batch';
import { nextItemLoss } from '../../src/models/next_item_loss';
import { trieReward } from '../../src/rewards/trie_reward';
import { SemanticIdTokenizer } from '../../src/tokenizers/semantic_id_tokenizer';
import { AdamW } from '../../src/optimizers/adamw';
import { batchDataset } from '../../src/training/batch_dataset';
import { createBatches } from '../../src/training/batches';
import { numbersOf, type ParityCase } from './parity_case';

const STEPS = 50;
const USERS = 8;
const LIST_LENGTH = 10;

interface Shop {
  readonly tokenizer: SemanticIdTokenizer;
  readonly train: readonly Int32Array[];
  readonly numItems: number;
}

function shop(): Shop {
  const data = prepareInteractions(demoCatalogue({ numItems: 60, numUsers: 100 }));
  return {
    tokenizer: SemanticIdTokenizer.fromSemanticIds(data.semanticIds),
    train: leaveOneOut(data).train,
    numItems: data.itemIds.length,
  };
}

function decoder(vocabSize: number, initializerRange?: number): ReturnType<typeof causalLM> {
  return causalLM({
    vocabSize,
    hiddenSize: 16,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    hiddenDropout: 0.1,
    ...(initializerRange === undefined ? {} : { initializerRange }),
  });
}

/** Every term of ILRec, AdamW with clipping and dropout: the loss of each of 50 steps, and the weights after them. */
const fiftySteps: ParityCase = {
  group: 'training',
  name: `${STEPS} steps of ILRec with AdamW, reward and dropout`,
  tolerance: 1e-4, // rounding grows with the steps
  async compute() {
    const {
      tokenizer: { vocabSize, itemTokens },
      train,
      numItems,
    } = shop();
    const model = decoder(vocabSize);
    const reward = trieReward({ scorer: markovScorer(train, numItems), trie: buildPrefixTrie(itemTokens) });
    const method = ilrec({ numNegativeLayers: 2, reward, rewardWeight: 0.3 });
    model.compile({
      optimizer: new AdamW({ learningRate: 3e-3, clipNorm: 1, weightDecay: 0.01 }),
      loss: method.loss,
      metrics: method.metrics,
    });
    const batches = createBatches({ sequences: train, itemTokens, batchSize: 10, maxHistory: 4 });
    const losses: number[] = [];
    const watch = new tfl.CustomCallback({ onBatchEnd: async (_, logs) => void losses.push(Number(logs?.loss)) });
    const epochs = Math.ceil(STEPS / batches.stepsPerEpoch);
    await model.fitDataset(batchDataset(batches), { epochs, verbose: 0, callbacks: [method.callback, watch] });
    const weights = await numbersOf(model.getWeights().map((weight) => tf.clone(weight)));
    model.dispose();
    return [...losses.slice(0, STEPS), ...weights];
  },
};

/** Sequential models, whose loss reads the items seen from the labels. */
const SEQUENTIAL_MODELS: readonly { title: string; build: (numItems: number) => tfl.LayersModel }[] = [
  {
    title: 'SASRec',
    build: (numItems) => sasrec({ numItems, hiddenSize: 12, maxHistory: 8, hiddenDropout: 0.2, attentionDropout: 0.2 }),
  },
  {
    title: 'GRU4Rec',
    build: (numItems) => gru4rec({ numItems, embeddingSize: 12, hiddenSize: 10, maxHistory: 8, hiddenDropout: 0.2 }),
  },
  {
    title: 'Caser',
    build: (numItems) => caser({ numItems, hiddenSize: 12, windowSize: 3, hiddenDropout: 0.2 }),
  },
];

/** The loss of each of ten steps, and the weights after them. */
const sequentialSteps = SEQUENTIAL_MODELS.map(({ title, build }): ParityCase => ({
  group: 'training',
  name: `10 steps of ${title} with its repeat bias and dropout`,
  tolerance: 1e-4,
  async compute() {
    const { train, numItems } = shop();
    const model = build(numItems);
    const [optimizer, loss] = [tf.train.adam(1e-2), nextItemLoss(model)];
    const rows = train.flatMap((history) => sasrecRows(history, 8)).slice(0, 80);
    const losses: number[] = [];
    for (let step = 0; step < 10; step++) {
      const { xs, ys } = sasrecBatch(rows.slice(8 * step, 8 * step + 8));
      const value = optimizer.minimize(
        () => loss(ys, model.apply(xs, { training: true }) as tf.Tensor) as tf.Scalar,
        true,
      ) as tf.Scalar;
      losses.push(...(await numbersOf([value])));
      tf.dispose([xs, ys]);
    }
    const weights = await numbersOf(model.getWeights().map((weight) => tf.clone(weight)));
    model.dispose();
    optimizer.dispose();
    return [...losses, ...weights];
  },
}));

/** Rankings of an untrained model whose weights are spread out: items in order, exactly. */
async function lists(): Promise<{ items: number[]; scores: number[] }> {
  const { tokenizer, train } = shop();
  const model = decoder(tokenizer.vocabSize, 0.5);
  const prompts = train.slice(0, USERS).map((history) => historyPrompt(tokenizer, history));
  const ranked = await constrainedBeamSearch(
    createCausalDecoder(model),
    buildPrefixTrie(tokenizer.itemTokens),
    prompts,
    { beamWidth: 20, numItems: LIST_LENGTH },
  );
  model.dispose();
  return { items: ranked.flatMap(({ items }) => [...items]), scores: ranked.flatMap(({ scores }) => [...scores]) };
}

export const trainingCases: readonly ParityCase[] = [
  fiftySteps,
  ...sequentialSteps,
  {
    group: 'beam search',
    name: `the same ${LIST_LENGTH} items in the same order for ${USERS} users`,
    tolerance: 0,
    compute: async () => (await lists()).items,
  },
  { group: 'beam search', name: 'their scores', tolerance: 2e-5, compute: async () => (await lists()).scores },
];
