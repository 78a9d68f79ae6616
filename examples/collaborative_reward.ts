/**
 * Collaborative reward: a Markov model, or any other ItemScorer, softens the loss of negatives that it finds likely.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import {
  AdamW,
  batchDataset,
  buildPrefixTrie,
  causalLM,
  createBatches,
  demoCatalogue,
  ilrec,
  leaveOneOut,
  markovScorer,
  prepareInteractions,
  SemanticIdTokenizer,
  trieReward,
} from 'tfjs-ilrec';

await tf.setBackend('wasm');
const data = prepareInteractions(demoCatalogue({ numItems: 80, numUsers: 200 }));
const { train } = leaveOneOut(data);
const { vocabSize, itemTokens } = SemanticIdTokenizer.fromSemanticIds(data.semanticIds);

const scorer = markovScorer(train, data.itemIds.length);
const reward = trieReward({ scorer, trie: buildPrefixTrie(itemTokens), temperature: 1 });
const method = ilrec({ numNegativeLayers: 2, reward, rewardWeight: 0.1 });

const model = causalLM({ vocabSize, hiddenSize: 32, numHiddenLayers: 3 });
model.compile({
  optimizer: new AdamW({ learningRate: 3e-3, clipNorm: 1 }),
  loss: method.loss,
  metrics: method.metrics,
});
const batches = createBatches({ sequences: train, itemTokens, batchSize: 50 });
const { history } = await model.fitDataset(batchDataset(batches), {
  epochs: 2,
  callbacks: [method.callback],
  verbose: 0,
});
console.log('reward loss per epoch:', history.crr.join(' → '));
