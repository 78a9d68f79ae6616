/**
 * Resident memory over 2,000 training steps of a small model under ILRec, every 200 steps, and its slope after a
 * warm-up with the 95 % interval of least squares.
 *
 * node --expose-gc --import tsx bench/node_memory.ts [backend, default node] [steps, default 2000] [stock: tfjs's own
 * kernels]
 */
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, ilrec, unregisterKernels } from 'tfjs-ilrec';
import { useBackend } from 'tfjs-ilrec/node';
import { benchModel, randomBatch, trainingStep } from './models';

const [backend = 'node', given = '2000', kernels] = process.argv.slice(2);
const STEPS = Number(given);
const EVERY = STEPS / 10;
const WARMUP = 2 * EVERY;
/** RSS is read this often, for the slope. */
const SAMPLE_EVERY = STEPS / 100;
const NUM_BATCHES = 8;

await useBackend(backend as 'node');
if (kernels === 'stock') unregisterKernels();
const config = { vocabSize: 2000, hiddenSize: 64, numHiddenLayers: 3, numAttentionHeads: 4, numKeyValueHeads: 2 };
const model = benchModel(config);
const method = ilrec({ numNegativeLayers: 2 });
method.attach(model);
const optimizer = new AdamW({ learningRate: 1e-3 });
const steps = Array.from({ length: NUM_BATCHES }, (_, i) =>
  trainingStep({
    model,
    lossOf: method.lossOf,
    batch: randomBatch(config.vocabSize, { batchSize: 4, sequenceLength: 32, response: 5 }, i + 1),
    optimizer,
  }),
);

const megabytes = (): number => process.memoryUsage.rss() / 2 ** 20;
const samples: [step: number, rss: number][] = [];
for (let step = 1; step <= STEPS; step++) {
  steps[step % NUM_BATCHES]();
  if (step % SAMPLE_EVERY === 0) {
    globalThis.gc?.(); // what JavaScript has not collected yet is no growth
    if (step > WARMUP) samples.push([step / 1000, megabytes()]);
  }
  if (step % EVERY === 0)
    console.log(
      `step ${step}: ${megabytes().toFixed(1)} MB resident, ${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(2)} MB of them JavaScript's heap, ${tf.memory().numTensors} tensors`,
    );
}
const { slope, halfWidth } = slopeOf(samples);
console.log(
  `${backend}${kernels === undefined ? '' : `, ${kernels} kernels`}: ${slope.toFixed(2)} MB per 1,000 steps after ${WARMUP}, 95 % interval ${(slope - halfWidth).toFixed(2)} to ${(slope + halfWidth).toFixed(2)}`,
);
process.exit(0);

/** Least squares; neighbouring samples depend on each other, so that the interval is a little too narrow. */
function slopeOf(points: readonly (readonly [number, number])[]): { slope: number; halfWidth: number } {
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const residual =
    points.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0) / (points.length - 2);
  return { slope, halfWidth: 1.99 * Math.sqrt(residual / spread) };
}
