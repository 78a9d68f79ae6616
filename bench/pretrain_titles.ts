/**
 * Trains a small language model on the titles of a prepared dataset and writes it as a checkpoint, to stand in for a
 * pretrained one.
 *
 * npx tsx bench/pretrain_titles.ts --data runs/industrial/data --out runs/industrial/pretrained [--epochs 20] [--seed
 * 0] [--backend auto]
 */
import { parseArgs } from 'node:util';
import {
  causalLM,
  encodeTitles,
  ilrec,
  IlrecError,
  llamaConfigJson,
  promptBatches,
  TextTokenizer,
  trainByteLevelBpe,
  trainModel,
  AdamW,
} from 'tfjs-ilrec';
import { loadPrepared, progress, savePretrained, useBackend } from 'tfjs-ilrec/node';

const END = '<|endoftext|>';
const SHAPE = {
  hiddenSize: 64,
  intermediateSize: 192,
  numHiddenLayers: 4,
  numAttentionHeads: 4,
  hiddenDropout: 0.1,
  embeddingDropout: 0.1,
};
const VOCAB_SIZE = 2048;
const BATCH_SIZE = 64;
const LEARNING_RATE = 2e-3;

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    epochs: { type: 'string', default: '20' },
    seed: { type: 'string', default: '0' },
    backend: { type: 'string', default: 'auto' },
  },
});
const { data, out } = values;
if (data === undefined || out === undefined) throw new IlrecError('pretrain_titles: --data and --out must be given');
const [epochs, seed] = [Number(values.epochs), Number(values.seed)];

await useBackend(values.backend as Parameters<typeof useBackend>[0]);
const titles = ((await loadPrepared(data)).titles ?? []).filter((title) => title !== null);
const tokenizer = TextTokenizer.fromJSON(trainByteLevelBpe(titles, { vocabSize: VOCAB_SIZE, specialTokens: [END] }), {
  eos_token: END,
  pad_token: END,
});
const end = tokenizer.eosTokenId as number;
const texts = (encodeTitles(tokenizer, titles) as Int32Array[]).map((tokens) => Int32Array.of(...tokens, end));
const examples = {
  length: texts.length,
  lengthOf: (i: number) => 1 + texts[i].length,
  at: (i: number) => ({ prompt: Int32Array.of(end), response: texts[i] }),
};
const batches = promptBatches({ examples: () => examples, padTokenId: end, batchSize: BATCH_SIZE, seed });

const shape = { ...SHAPE, vocabSize: tokenizer.vocabSize, seed };
const model = causalLM(shape);
const totalSteps = epochs * batches.stepsPerEpoch;
const optimizer = new AdamW({
  learningRate: { kind: 'cosine', learningRate: LEARNING_RATE, warmupSteps: Math.round(totalSteps / 20), totalSteps },
  weightDecay: 0.01,
  clipNorm: 1,
});
const method = ilrec({ penaltyWeight: 0, distillationWeight: 0 });
let loss = NaN;
await trainModel({
  model,
  method,
  optimizer,
  batches,
  epochs,
  callbacks: [progress({ label: 'titles' }), { onStep: (record) => void (loss = record.loss) }],
});
await savePretrained(out, { model, config: llamaConfigJson(shape, { eosTokenId: end, padTokenId: end }), tokenizer });
console.log(JSON.stringify({ out, titles: titles.length, vocabSize: tokenizer.vocabSize, steps: totalSteps, loss }));
