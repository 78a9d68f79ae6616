/**
 * ILRec on your own model: any tf.LayersModel from token ids [B, T] to logits [B, T, V]. Here: recurrent layers of tfjs
 * as blocks.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-wasm';
import {
  buildPrefixTrie,
  constrainedBeamSearch,
  createBatches,
  createModelDecoder,
  demoCatalogue,
  historyPrompt,
  ilrec,
  leaveOneOut,
  prepareInteractions,
  SemanticIdTokenizer,
  toTensors,
} from 'tfjs-ilrec';

await tf.setBackend('wasm');
const data = prepareInteractions(demoCatalogue({ numItems: 80, numUsers: 60 }));
const tokenizer = SemanticIdTokenizer.fromSemanticIds(data.semanticIds);

const model = tfl.sequential();
model.add(tfl.layers.embedding({ inputDim: tokenizer.vocabSize, outputDim: 24, inputShape: [null] })); // [B, T, D]
for (let block = 0; block < 3; block++)
  model.add(tfl.layers.gru({ units: 24, returnSequences: true, recurrentInitializer: 'glorotUniform' }));
model.add(tfl.layers.dense({ units: tokenizer.vocabSize, activation: 'softmax' })); // [B, T, V]

const method = ilrec({ numNegativeLayers: 2 });
model.compile({ optimizer: tf.train.adam(1e-2), loss: method.loss, metrics: method.metrics });
method.attach(model); // for fit, whose check of the targets' shape it opens

const [batch] = createBatches({
  sequences: leaveOneOut(data).train,
  itemTokens: tokenizer.itemTokens,
  batchSize: 60,
}).batchesOf(0);
const { xs, ys } = toTensors(batch); // int32 [B, T]; labels are -100 where there is nothing to predict
const { history } = await model.fit(xs, ys, { epochs: 3, batchSize: 20, verbose: 0 });
method.detach(); // removes the taps
console.log('cross-entropy per epoch:', history.crossEntropy.join(' → '));

const [{ items }] = await constrainedBeamSearch(
  createModelDecoder(model),
  buildPrefixTrie(tokenizer.itemTokens),
  [historyPrompt(tokenizer, data.sequences[0])],
  { listLength: 3 },
);
console.log('next:', Array.from(items, (item) => data.titles?.[item]).join('; '));
