/**
 * Trains a LoRA adapter on a pretrained checkpoint with ILRec; items are named by their titles.
 * Another checkpoint: `npx tsx examples/pretrained_folder.ts FOLDER_OR_HUB_ID`.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import {
  addLora,
  AdamW,
  batchDataset,
  buildPrefixTrie,
  constrainedBeamSearch,
  createCausalDecoder,
  demoCatalogue,
  ilrec,
  leaveOneOut,
  prepareInteractions,
  promptBatches,
  titleLanguage,
} from 'tfjs-ilrec';
import { loadPretrained } from 'tfjs-ilrec/node';

await tf.setBackend('wasm');
const { model, tokenizer } = await loadPretrained(process.argv[2] ?? 'spec/golden/checkpoints/smollm2'); // a folder or a hub id
if (tokenizer === null) throw new Error('the checkpoint has no tokenizer');
const data = prepareInteractions(demoCatalogue({ numItems: 60, numUsers: 40 })); // items with titles, users' histories
const language = titleLanguage({ tokenizer, titles: data.titles ?? [], maxHistory: 3 });

const adapter = addLora(model, { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj', 'down_proj'] }); // the base is frozen
const method = ilrec({ numNegativeLayers: 1 });
model.compile({ optimizer: new AdamW({ learningRate: 1e-2 }), loss: method.loss, metrics: method.metrics });
const batches = promptBatches({
  examples: (epoch) => language.examples(leaveOneOut(data).train, { epoch }),
  padTokenId: language.padTokenId,
  batchSize: 32,
});
const { history } = await model.fitDataset(batchDataset(batches), {
  epochs: 2,
  callbacks: [method.callback],
  verbose: 0,
});
console.log(`${adapter.numParameters} trained values; cross-entropy per epoch:`, history.crossEntropy.join(' → '));

const trie = buildPrefixTrie(language.itemTokens); // restricts the answers to items
const [{ items }] = await constrainedBeamSearch(
  createCausalDecoder(model),
  trie,
  [language.prompt(data.sequences[0])],
  { beamWidth: 10, listLength: 3 },
);
console.log('next:', Array.from(items, (item) => language.titles[item]).join('; '));
