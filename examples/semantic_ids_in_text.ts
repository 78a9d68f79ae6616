/**
 * Names items by semantic ids inside text, as LC-Rec does: the tokens of the ids are added to a pretrained tokenizer
 * and its embedding, and prompts mix text and ids.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import {
  addItemTokens,
  AdamW,
  batchDataset,
  demoCatalogue,
  ilrec,
  lcRecLanguage,
  leaveOneOut,
  prepareInteractions,
  promptBatches,
} from 'tfjs-ilrec';
import { loadPretrained, savePretrained } from 'tfjs-ilrec/node';

await tf.setBackend('wasm');
const { model: base, tokenizer, config } = await loadPretrained('spec/golden/checkpoints/qwen2');
if (tokenizer === null) throw new Error('the checkpoint has no tokenizer');
const { semanticIds, titles, userIds, sequences } = prepareInteractions(demoCatalogue({ numItems: 60, numUsers: 40 }));
const language = lcRecLanguage({ tokenizer, semanticIds, titles, maxHistory: 3, maxTitleTokens: 12 });
// new rows start from the titles of their items
const model = await addItemTokens(base, language, { strategy: 'titles' });

const method = ilrec({ numNegativeLayers: 1, distillationTokens: language.responseTokens });
model.compile({ optimizer: new AdamW({ learningRate: 3e-3 }), loss: method.loss, metrics: method.metrics });
const { train } = leaveOneOut({ userIds, sequences });
const batches = promptBatches({
  examples: (epoch) => language.examples(train, { epoch }),
  padTokenId: language.padTokenId,
  batchSize: 32,
}); // examples of five tasks
const { history } = await model.fitDataset(batchDataset(batches), {
  epochs: 2,
  callbacks: [method.callback],
  verbose: 0,
});
if (process.argv[2] !== undefined)
  await savePretrained(process.argv[2], { model, config, tokenizer: language.tokenizer }); // transformers can load it
console.log('cross-entropy per epoch:', history.crossEntropy.join(' → '));
