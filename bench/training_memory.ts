/**
 * Peak memory above the weights and time of a training step: plain, with gradient checkpointing, with LoRA, with both.
 * wasm, ILRec with k = 4.
 *
 *   npx tsx bench/training_memory.ts
 */
import * as tf from '@tensorflow/tfjs-core';
import { addLora, AdamW, causalLM, gradientCheckpointing, ilrec } from 'tfjs-ilrec';
import { useBackend } from 'tfjs-ilrec/node';
import { peakBytes } from '../spec/support/peak_memory';

const [B, T, P, V] = [4, 128, 20, 2000];
const SHAPE = { vocabSize: V, hiddenSize: 128, numHiddenLayers: 8, numAttentionHeads: 4 };
const STEPS = 7;

await useBackend('wasm');
const ids = tf.tensor2d(
  Int32Array.from({ length: B * T }, (_, i) => (i * 7919) % V),
  [B, T],
  'int32',
);
const labels = tf.tensor2d(
  Int32Array.from({ length: B * T }, (_, i) => (i % T >= T - P ? (i * 104729) % V : -100)),
  [B, T],
  'int32',
); // P of each row

console.log('| | peak above the weights, MiB | median step, ms | quartiles |\n|---|---|---|---|');
for (const [name, checkpointing, lora] of [
  ['plain', false, false],
  ['gradient checkpointing', true, false],
  ['LoRA, rank 8, all projections', false, true],
  ['both', true, true],
] as const) {
  const model = causalLM(SHAPE);
  if (lora) addLora(model, { rank: 8, targets: /^layers_\d+\// });
  if (checkpointing) gradientCheckpointing(model);
  const method = ilrec();
  method.attach(model);
  const optimizer = new AdamW({ learningRate: 1e-3 });
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const step = (): void => {
    const { value, grads } = tf.variableGrads(() => method.lossOf(ids, labels), variables);
    optimizer.applyGradients(grads);
    tf.dispose([value, grads]);
  };
  step(); // makes the optimizer's state
  const peak = peakBytes(step);
  const times: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const began = performance.now();
    step();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.round(share * (STEPS - 1))].toFixed(0);
  console.log(`| ${name} | ${(peak / 2 ** 20).toFixed(0)} | ${at(0.5)} | ${at(0.25)} to ${at(0.75)} |`);
  method.detach();
}
