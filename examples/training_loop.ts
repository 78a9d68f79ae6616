/** A hand-written training loop: attach, tf.variableGrads, applyGradients, detach. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import {
  AdamW,
  causalLM,
  createBatches,
  demoCatalogue,
  ilrec,
  leaveOneOut,
  prepareInteractions,
  SemanticIdTokenizer,
  toTensors,
} from 'tfjs-ilrec';

await tf.setBackend('wasm');
const data = prepareInteractions(demoCatalogue({ numItems: 80, numUsers: 200 }));
const { vocabSize, itemTokens } = SemanticIdTokenizer.fromSemanticIds(data.semanticIds);
const batches = createBatches({ sequences: leaveOneOut(data).train, itemTokens, batchSize: 50 });

const model = causalLM({ vocabSize, hiddenSize: 32, numHiddenLayers: 3 });
const method = ilrec({ numNegativeLayers: 2 });
const optimizer = new AdamW({ learningRate: 3e-3, clipNorm: 1 });
method.attach(model);
for (const batch of batches.batchesOf(0)) {
  const { xs, ys } = toTensors(batch); // int32 [B, T]
  const { value, grads } = tf.variableGrads(() => method.lossOf(xs, ys));
  optimizer.applyGradients(grads);
  console.log(`loss ${(await value.data())[0]}, negatives per token ${(await method.diagnostics())?.numNegatives}`);
  tf.dispose([xs, ys, value, grads]);
}
method.detach(); // removes the taps
