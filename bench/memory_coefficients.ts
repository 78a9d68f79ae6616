/**
 * What a training step of one block holds at its peak, as a sum over the sizes of its tensors: the coefficients of src/pretrained/memory_estimate.ts.
 *
 * Run: npx tsx bench/memory_coefficients.ts    (about 30 s on the cpu backend)
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

const SHAPES: Shape[] = [[1, 32, 16, 4, 2, 6, 24], [2, 32, 16, 4, 2, 6, 24], [1, 64, 16, 4, 2, 6, 24], [1, 32, 32, 4, 2, 6, 24], [1, 32, 16, 8, 2, 6, 24], [1, 32, 16, 4, 4, 6, 24], [1, 32, 16, 4, 2, 12, 24],
  [1, 32, 16, 4, 2, 6, 48], [2, 48, 24, 6, 3, 8, 40], [3, 40, 20, 4, 1, 10, 56], [2, 56, 28, 6, 2, 4, 20], [1, 128, 16, 4, 2, 6, 24], [2, 96, 20, 6, 3, 8, 30]].map(([B, T, D, H, K, F, I]) => ({ B, T, D, H, K, F, I }));

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

await tf.setBackend(process.argv[2] ?? 'cpu');
await tf.ready();
for (const kind of [{ name: 'llama' }, { name: 'llama with head norms', qkNorm: true }, { name: 'llama with dropout', dropout: 0.1 }, { name: 'gpt2', gpt2: true }, { name: 'gpt2 with dropout', gpt2: true, dropout: 0.1 }] as Kind[]) {
  const shapes = kind.gpt2 === true ? SHAPES.map((shape) => ({ ...shape, D: 8 * shape.H, F: 8, K: shape.H })) : SHAPES;
  const features = ({ B, T, D, H, K, F, I }: Shape): Record<string, number> => {
    const N = B * T;
    const shared = { hidden: N * D, inner: N * I, scores: B * H * T * T, mask: T * T };
    return kind.gpt2 === true ? shared : { ...shared, queries: N * H * F, keys: N * K * F, joined: D * (H + 2 * K) * F + 2 * D * I };
  };
  const perBlock = shapes.map((shape) => peakOf(shape, 3, kind) - peakOf(shape, 2, kind));
  const rows = shapes.map((shape) => Object.values(features(shape)));
  const coefficients = solve(rows, perBlock);
  const worst = Math.max(...rows.map((row, i) => Math.abs(row.reduce((sum, value, j) => sum + value * coefficients[j], 0) / perBlock[i] - 1)));
  const named = Object.keys(features(shapes[0])).map((name, i) => `${name} ${coefficients[i].toFixed(1)}`);
  process.stdout.write(`${kind.name}: ${named.join(', ')}; worst error ${(100 * worst).toFixed(1)} %\n`);
}
