/**
 * What a training step of one block holds at its peak, as a sum over the sizes of its tensors: the coefficients of src/pretrained/memory_coefficients.ts.
 *
 * Run: npx tsx bench/memory_coefficients.ts    (about a minute)
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../spec/support/backends';
import '../src/register';
import { peakBytes } from '../spec/support/peak_memory';
import { causalLM } from '../src/models/causal_lm';
import { gpt2 } from '../src/models/gpt2/model';
import { disposeModel } from '../src/training/dispose_model';

interface Shape { B: number; T: number; D: number; H: number; K: number; F: number; I: number }
type Kind = { name: string; gpt2?: boolean; qkNorm?: boolean; dropout?: number };

const SHAPES: Shape[] = [
  [1, 32, 16, 4, 2, 6, 24], [2, 32, 16, 4, 2, 6, 24], [1, 64, 16, 4, 2, 6, 24], [1, 32, 32, 4, 2, 6, 24], [1, 32, 16, 8, 2, 6, 24], [1, 32, 16, 4, 4, 6, 24], [1, 32, 16, 4, 2, 12, 24], [1, 32, 16, 4, 2, 6, 48],
  [2, 48, 24, 6, 3, 8, 40], [3, 40, 20, 4, 1, 10, 56], [2, 56, 28, 6, 2, 4, 20], [1, 128, 16, 4, 2, 6, 24], [2, 96, 20, 6, 3, 8, 30], [1, 16, 128, 4, 2, 32, 344], [1, 8, 128, 4, 4, 32, 900],
  [1, 16, 256, 4, 2, 64, 300], [1, 8, 256, 4, 2, 64, 688], [1, 16, 512, 4, 4, 128, 520], [1, 8, 512, 8, 4, 64, 256], [1, 8, 64, 4, 4, 16, 2000], [1, 16, 64, 4, 2, 16, 2400], [1, 24, 256, 4, 4, 64, 600],
].map(([B, T, D, H, K, F, I]) => ({ B, T, D, H, K, F, I }));
/** Kernels of up to this many numbers are joined into one product. */
const JOINED_UP_TO = 2 ** 18;

function build({ T, D, H, K, F, I }: Shape, L: number, { gpt2: isGpt2, qkNorm = false, dropout = 0 }: Kind): tfl.LayersModel {
  const shared = { vocabSize: 11, hiddenSize: D, intermediateSize: I, numHiddenLayers: L, numAttentionHeads: H, attentionDropout: dropout, hiddenDropout: dropout };
  if (!isGpt2) return causalLM({ ...shared, numKeyValueHeads: K, headDim: F, qkNorm });
  return gpt2({ ...shared, maxPositionEmbeddings: T, hiddenAct: 'gelu_new', layerNormEpsilon: 1e-5, tieWordEmbeddings: true, scaleAttnWeights: true, scaleAttnByInverseLayerIdx: false, embeddingDropout: 0, initializerRange: 0.02 });
}

/** Numbers held at the peak of a step through L blocks, their weights' gradients left out. */
function peakOf(shape: Shape, L: number, kind: Kind): number {
  const model = build(shape, L, kind);
  const last = model.layers.filter(({ name }) => /^(layers|h)_/.test(name)).at(-1) as tfl.layers.Layer;
  const body = tfl.model({ inputs: model.inputs, outputs: last.output as tfl.SymbolicTensor });
  const ids = tf.zeros([shape.B, shape.T], 'int32');
  const variables = body.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const bytes = peakBytes(() => {
    const { value, grads } = tf.variableGrads(() => tf.sum(body.apply(ids, { training: true }) as tf.Tensor) as tf.Scalar, variables);
    tf.dispose([value, grads]);
  });
  const numbers = variables.reduce((sum, { size }) => sum + size, 0);
  ids.dispose();
  disposeModel(model);
  return bytes / 4 - numbers;
}

/** Least squares by the normal equations. */
function solve(rows: number[][], values: number[]): number[] {
  const n = rows[0].length;
  const matrix = Array.from({ length: n }, (_, i) => [...Array.from({ length: n }, (_, j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)), rows.reduce((sum, row, k) => sum + row[i] * values[k], 0)]);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = matrix[k][i] / matrix[i][i];
      if (k !== i) for (let j = i; j <= n; j++) matrix[k][j] -= factor * matrix[i][j];
    }
  }
  return matrix.map((row, i) => row[n] / row[i]);
}

/** What the coefficients multiply. */
function featuresOf({ B, T, D, H, K, F, I }: Shape, isGpt2: boolean): Record<string, number> {
  const N = B * T;
  const [qkv, gateUp] = [(H + 2 * K) * F, 2 * I];
  const shared = { hidden: N * D, inner: N * I, scores: B * H * T * T, mask: T * T, kernels: D * (2 * H * F + 2 * K * F + (isGpt2 ? 2 : 3) * I) };
  if (isGpt2) return shared;
  const [joined, separate] = [(n: number) => (D * n <= JOINED_UP_TO ? D * n : 0), (n: number) => (D * n <= JOINED_UP_TO ? 0 : N * n)];
  return { ...shared, queries: N * H * F, keys: N * K * F, joined: joined(qkv) + joined(gateUp), separate: separate(qkv) + separate(gateUp) };
}

for (const backend of ['cpu', 'wasm']) {
  await tf.setBackend(backend);
  await tf.ready();
  for (const kind of [{ name: 'llama' }, { name: 'llama with head norms', qkNorm: true }, { name: 'llama with dropout', dropout: 0.1 }, { name: 'gpt2', gpt2: true }] as Kind[]) {
    const shapes = kind.gpt2 === true ? SHAPES.map((shape) => ({ ...shape, D: shape.H * shape.F, K: shape.H })) : SHAPES;
    const perBlock = shapes.map((shape) => peakOf(shape, 2, kind) - peakOf(shape, 1, kind));
    const names = Object.keys(featuresOf(shapes[0], kind.gpt2 === true));
    const rows = shapes.map((shape, i) => Object.values(featuresOf(shape, kind.gpt2 === true)).map((value) => value / perBlock[i])); // relative errors count
    const coefficients = solve(rows, rows.map(() => 1));
    const worst = Math.max(...rows.map((row) => Math.abs(row.reduce((sum, value, j) => sum + value * coefficients[j], 0) - 1)));
    process.stdout.write(`${backend}, ${kind.name}: ${names.map((name, i) => `${name} ${coefficients[i].toFixed(1)}`).join(', ')}; worst error ${(100 * worst).toFixed(1)} %\n`);
  }
}
