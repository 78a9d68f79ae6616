/** ILRec on a model that is no tf.LayersModel: the GPT of @genai-fi/nanogpt, trained in a loop of your own. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import {
  AdamW,
  createBatches,
  demoCatalogue,
  ilrec,
  prepareInteractions,
  SemanticIdTokenizer,
  toTensors,
} from 'tfjs-ilrec';

tf.enableProdMode(); // no remarks about kernels that nanogpt brings, too
tf.env().set('IS_NODE', false); // nanogpt is built for browsers
const { models } = await import('@genai-fi/nanogpt');
await tf.setBackend('cpu'); // for which nanogpt has kernels, as for webgl and webgpu
const data = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 40 }));
const { vocabSize, itemTokens } = SemanticIdTokenizer.fromSemanticIds(data.semanticIds);
const batches = createBatches({ sequences: data.sequences, itemTokens, batchSize: 10 });

const model = new models.NanoGPTV1({ vocabSize, blockSize: 64, nLayer: 3, nHead: 2, nEmbed: 16 });
const head = model.getVariable('token_embedding') as tf.Variable<tf.Rank.R2>; // [V, D], tied
const norm = (x: tf.Tensor): tf.Tensor => model['lnF'].call({ training: true }, x);
const method = ilrec({ numNegativeLayers: 2 });
const optimizer = new AdamW({ learningRate: 1e-2 });
for (const batch of batches.batchesOf(0)) {
  const { xs, ys } = toTensors(batch); // int32 [B, T]
  const embeddings: { name: string; tensor: tf.Tensor }[] = []; // forward lists here what each block reads
  const pass = { training: true, outputEmbeddings: true, skipLogits: true, embeddings };
  const { value, grads } = tf.variableGrads(() => {
    const finalHidden = model.forward(pass, xs) as tf.Tensor3D; // behind the norm, [B, T, D]
    const hiddenStates = pass.embeddings.slice(1).map(({ tensor }) => tensor as tf.Tensor3D); // from block 0 on
    return method.lossFrom({ hiddenStates, finalHidden, norm, head, labels: ys }).loss;
  });
  optimizer.applyGradients(grads);
  console.log(`loss ${value.dataSync()[0]}, negatives per token ${(await method.diagnostics())?.numNegatives}`);
  tf.dispose([xs, ys, value, grads, pass.embeddings.map(({ tensor }) => tensor)]);
}
