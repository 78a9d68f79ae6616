/** Recommends items for one history by constrained beam search over the item trie: every answer is in the catalogue. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import {
  batchDataset,
  buildPrefixTrie,
  causalLM,
  constrainedBeamSearch,
  createBatches,
  createCausalDecoder,
  demoCatalogue,
  historyPrompt,
  ilrec,
  prepareInteractions,
  SemanticIdTokenizer,
} from 'tfjs-ilrec';

await tf.setBackend('wasm');
const { semanticIds, sequences, titles } = prepareInteractions(demoCatalogue({ numItems: 80, numUsers: 200 }));
const tokenizer = SemanticIdTokenizer.fromSemanticIds(semanticIds);
const model = causalLM({ vocabSize: tokenizer.vocabSize, hiddenSize: 32, numHiddenLayers: 3 });
const method = ilrec({ numNegativeLayers: 2 });
model.compile({ optimizer: tf.train.adam(3e-3), loss: method.loss, metrics: method.metrics });
await model.fitDataset(batchDataset(createBatches({ sequences, itemTokens: tokenizer.itemTokens, batchSize: 50 })), {
  epochs: 2,
  callbacks: [method.callback],
  verbose: 0,
});

const [history] = sequences;
const prompts = [historyPrompt(tokenizer, history)]; // one per user
const trie = buildPrefixTrie(tokenizer.itemTokens);
const [{ items, scores }] = await constrainedBeamSearch(createCausalDecoder(model), trie, prompts, {
  beamWidth: 20,
  listLength: 5,
  exclude: [new Set(history)],
});
console.log(
  'history:',
  Array.from(history, (item) => titles?.[item]),
);
items.forEach((item, rank) =>
  console.log(`${rank + 1}. ${titles?.[item]} (log-probability ${scores[rank].toFixed(2)})`),
);
