/**
 * What a step holds at its peak, as sums over the sizes of its tensors: the coefficients of
 * src/pretrained/memory_coefficients.ts. Of a part whose size depends on another, the loss's on the blocks for one, the
 * change from one model to a larger one is fitted, in which that other stays the same.
 *
 * Run: npx tsx bench/memory_coefficients.ts [cpu] [wasm] [stock] [tensorflow]    (a minute for wasm, some for the
 * others; `stock` is wasm with tfjs's own kernels)
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../spec/support/open_backends';
import '../src/register';
import { peakBytes } from '../spec/support/peak_memory';
import { ilrec } from '../src/ilrec/ilrec';
import { unregisterKernels } from '../src/kernels/register_kernels';
import { MAX_JOINED_VALUES } from '../src/layers/projection';
import { addLora } from '../src/lora';
import { streamingObjective } from '../src/losses';
import { causalLM } from '../src/models/causal_lm';
import { gpt2 } from '../src/models/gpt2';
import { isStreamed, tileWidth } from '../src/vocabulary/vocabulary_tiles';
import { disposeModel } from '../src/models/dispose_model';

interface Shape {
  B: number;
  T: number;
  D: number;
  H: number;
  K: number;
  F: number;
  I: number;
}
function shapeOf([B, T, D, H, K, F, I]: number[]): Shape {
  return { B, T, D, H, K, F, I };
}
type Kind = { name: string; gpt2?: boolean; qkNorm?: boolean; dropout?: number };

const SHAPES: Shape[] = [
  [1, 32, 16, 4, 2, 6, 24],
  [2, 32, 16, 4, 2, 6, 24],
  [1, 64, 16, 4, 2, 6, 24],
  [1, 32, 32, 4, 2, 6, 24],
  [1, 32, 16, 8, 2, 6, 24],
  [1, 32, 16, 4, 4, 6, 24],
  [1, 32, 16, 4, 2, 12, 24],
  [1, 32, 16, 4, 2, 6, 48],
  [2, 48, 24, 6, 3, 8, 40],
  [3, 40, 20, 4, 1, 10, 56],
  [2, 56, 28, 6, 2, 4, 20],
  [1, 128, 16, 4, 2, 6, 24],
  [2, 96, 20, 6, 3, 8, 30],
  [1, 16, 128, 4, 2, 32, 344],
  [1, 8, 128, 4, 4, 32, 900],
  [1, 16, 256, 4, 2, 64, 300],
  [1, 8, 256, 4, 2, 64, 688],
  [1, 16, 512, 4, 4, 128, 520],
  [1, 8, 512, 8, 4, 64, 256],
  [1, 8, 64, 4, 4, 16, 2000],
  [1, 16, 64, 4, 2, 16, 2400],
  [1, 24, 256, 4, 4, 64, 600],
].map(shapeOf);

function build(
  { T, D, H, K, F, I }: Shape,
  L: number,
  { gpt2: isGpt2, qkNorm = false, dropout = 0 }: Kind,
  { vocabSize = 11, tieWordEmbeddings = true } = {},
): tfl.LayersModel {
  const shared = {
    vocabSize,
    tieWordEmbeddings,
    hiddenSize: D,
    intermediateSize: I,
    numHiddenLayers: L,
    numAttentionHeads: H,
    attentionDropout: dropout,
    hiddenDropout: dropout,
  };
  if (!isGpt2) return causalLM({ ...shared, numKeyValueHeads: K, headDim: F, qkNorm });
  return gpt2({
    ...shared,
    maxPositionEmbeddings: T,
    hiddenAct: 'gelu_new',
    layerNormEpsilon: 1e-5,
    scaleAttnWeights: true,
    scaleAttnByInverseLayerIdx: false,
    embeddingDropout: 0,
    initializerRange: 0.02,
  });
}

/** Larger than all else that a step holds, so that it is at its peak while this is there. */
const PROBE = 2 ** 23;

/**
 * Numbers held at the peak of a step through L blocks, their weights' gradients left out; or where the loss is made.
 */
function peakOf(
  shape: Shape,
  L: number,
  kind: Kind,
  { lora, moment = 'end' }: { lora?: { rank: number; targets: string[] }; moment?: 'end' | 'loss' } = {},
): number {
  const model = build(shape, L, kind);
  if (lora !== undefined) addLora(model, lora);
  const last = model.layers.filter(({ name }) => /^(layers|h)_/.test(name)).at(-1) as tfl.layers.Layer;
  const body = tfl.model({ inputs: model.inputs, outputs: last.output as tfl.SymbolicTensor });
  const ids = tf.zeros([shape.B, shape.T], 'int32');
  const trained = lora === undefined ? body : model;
  const variables = trained.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const bytes = peakBytes(() => {
    const { value, grads } = tf.variableGrads(() => {
      const sum = tf.sum(body.apply(ids, { training: true }) as tf.Tensor) as tf.Scalar;
      if (moment === 'loss') tf.zeros([PROBE]).dispose();
      return sum;
    }, variables);
    tf.dispose([value, grads]);
  });
  const numbers = variables.reduce((sum, { size }) => sum + size, 0);
  ids.dispose();
  disposeModel(model);
  return bytes / 4 - (moment === 'loss' ? PROBE : numbers);
}

/** Numbers held at the peak of a prediction. */
function predictionOf(shape: Shape, kind: Kind): number {
  const model = build(shape, 2, kind, { vocabSize: 2 });
  const ids = tf.zeros([shape.B, shape.T], 'int32');
  const bytes = peakBytes(() => tf.dispose(model.predict(ids)));
  ids.dispose();
  disposeModel(model);
  return bytes / 4;
}

interface LossShape {
  V: number;
  D: number;
  P: number;
  S: number;
  tied: boolean;
  frozen?: boolean;
  adapted?: boolean;
}

/** Numbers held at the peak of a step under ILRec's loss; for S of 0 under cross-entropy. */
function lossPeakOf({ V, D, P, S, tied, frozen = false, adapted = false }: LossShape): number {
  const shape = { B: 1, T: 4 * P, D, H: 2, K: 2, F: 4, I: 8 };
  const model = build(shape, Math.max(S, 1) + 1, { name: 'llama' }, { vocabSize: V, tieWordEmbeddings: tied });
  if (frozen) addLora(model, { rank: 1, targets: adapted ? ['o_proj', 'lm_head'] : ['o_proj'] });
  const method = ilrec(S === 0 ? { penaltyWeight: 0, distillationWeight: 0 } : { numNegativeLayers: S });
  model.compile({ optimizer: 'sgd', loss: method.loss });
  method.attach(model);
  const ids = tf.zeros([1, shape.T], 'int32');
  const labels = tf.tensor2d(
    Int32Array.from({ length: shape.T }, (_, i) => (i < P ? i % 7 : -100)),
    [1, shape.T],
    'int32',
  );
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const bytes = peakBytes(() => {
    const { value, grads } = tf.variableGrads(() => method.lossOf(ids, labels), variables);
    tf.dispose([value, grads]);
  });
  method.detach();
  disposeModel(model);
  tf.dispose([ids, labels]);
  return bytes / 4;
}

/** Numbers held at the peak of the streamed loss alone; without negatives it does not read rows again. */
function streamedPeakOf({ V, D, P, S, frozen = false }: LossShape, negatives: boolean): number {
  const hidden = [
    tf.randomNormal([P, D], 0, 1, 'float32', 3),
    ...(S === 0 ? [] : [tf.randomNormal([S * P, D], 0, 1, 'float32', 5)]),
  ].map((states) => tf.variable(states)) as tf.Variable<tf.Rank.R2>[];
  const weight = tf.variable(tf.randomNormal([V, D], 0, 0.02, 'float32', 7), !frozen) as tf.Variable<tf.Rank.R2>;
  const labels = new Int32Array(P);
  const options = {
    penaltyWeight: 0.1,
    penalty: 'scale',
    thresholdScale: negatives ? 1 : 1e9,
    thresholdReference: 'final',
    distillationWeight: 0.1,
    rewardWeight: 0,
  } as const;
  const inputs = {
    finalHidden: hidden[0],
    intermediateHidden: hidden[1] ?? null,
    head: { weight, layout: 'rows', bias: null },
    labels,
    reward: null,
  } as const;
  const bytes = peakBytes(() => {
    const { value, grads } = tf.variableGrads(
      () => streamingObjective(inputs, options).total,
      [...hidden, ...(frozen ? [] : [weight])],
    );
    tf.dispose([value, grads]);
  });
  tf.dispose([...hidden, weight]);
  return bytes / 4;
}

/** Least squares by the normal equations. */
function solve(rows: number[][], values: number[]): number[] {
  const n = rows[0].length;
  const matrix = Array.from({ length: n }, (_, i) => [
    ...Array.from({ length: n }, (_, j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)),
    rows.reduce((sum, row, k) => sum + row[i] * values[k], 0),
  ]);
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
  const shared = {
    hidden: N * D,
    inner: N * I,
    scores: B * H * T * T,
    mask: T * T,
    kernels: D * (2 * H * F + 2 * K * F + (isGpt2 ? 2 : 3) * I),
  };
  if (isGpt2) return shared;
  const [joined, separate] = [
    (n: number) => (D * n <= MAX_JOINED_VALUES ? D * n : 0),
    (n: number) => (D * n <= MAX_JOINED_VALUES ? 0 : N * n),
  ];
  return {
    ...shared,
    queries: N * H * F,
    keys: N * K * F,
    joined: joined(qkv) + joined(gateUp),
    separate: separate(qkv) + separate(gateUp),
  };
}

/** Prints the coefficients that fit best; relative errors count. */
function fit(title: string, features: readonly Record<string, number>[], values: readonly number[]): void {
  const names = Object.keys(features[0]).filter((name) => features.some((each) => each[name] !== 0));
  const rows = features.map((each, i) => names.map((name) => each[name] / values[i]));
  const coefficients = solve(
    rows,
    rows.map(() => 1),
  );
  report(
    title,
    names,
    coefficients,
    rows.map((row) => dot(row, coefficients) - 1),
  );
}

function report(
  title: string,
  names: readonly string[],
  coefficients: readonly number[],
  errors: readonly number[],
): void {
  const worst = Math.max(...errors.map(Math.abs));
  process.stdout.write(
    `${title}: ${names.map((name, i) => `${name} ${coefficients[i].toFixed(2)}`).join(', ')}; worst error ${(100 * worst).toFixed(1)} %\n`,
  );
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

const perBlockOf = (shape: Shape, kind: Kind, options?: Parameters<typeof peakOf>[3]): number =>
  peakOf(shape, 2, kind, options) - peakOf(shape, 1, kind, options);

function fitBlocks(backend: string, kind: Kind): void {
  const isGpt2 = kind.gpt2 === true;
  const shapes = isGpt2 ? SHAPES.map((shape) => ({ ...shape, D: shape.H * shape.F, K: shape.H })) : SHAPES;
  const features = shapes.map((shape) => featuresOf(shape, isGpt2));
  const whole = shapes.map((shape) => perBlockOf(shape, kind));
  fit(`${backend}, ${kind.name}`, features, whole);
  fit(
    `${backend}, ${kind.name}, where the loss is made`,
    whole.map((numbers) => ({ share: numbers })),
    shapes.map((shape) => perBlockOf(shape, kind, { moment: 'loss' })),
  );
}

/** Sizes of which one stage of a prediction or the other is the largest: scores of long sequences, or a wide MLP. */
const STAGES: Record<string, { shapes: Shape[]; features: string[] }> = {
  attention: {
    shapes: [
      [1, 160, 16, 4, 2, 6, 24],
      [2, 128, 24, 6, 3, 8, 20],
      [1, 192, 40, 4, 2, 10, 20],
      [3, 160, 16, 8, 2, 6, 24],
      [1, 128, 20, 8, 8, 4, 16],
      [1, 160, 12, 4, 1, 16, 24],
      [2, 96, 32, 8, 4, 8, 16],
    ].map(shapeOf),
    features: ['hidden', 'queries', 'keys', 'scores', 'mask'],
  },
  MLP: {
    shapes: [
      [2, 24, 40, 4, 2, 10, 160],
      [3, 32, 16, 2, 1, 12, 196],
      [4, 48, 24, 2, 2, 8, 228],
      [1, 96, 32, 1, 1, 20, 500],
      [6, 24, 20, 2, 1, 30, 200],
      [1, 128, 12, 1, 1, 20, 460],
      [5, 20, 68, 3, 1, 8, 144],
      [2, 64, 12, 2, 2, 24, 400],
      [4, 32, 32, 4, 4, 6, 240],
      [1, 128, 64, 1, 1, 8, 500],
      [8, 24, 12, 3, 3, 16, 140],
    ].map(shapeOf),
    features: ['hidden', 'queries', 'keys', 'inner', 'mask'],
  },
};

function fitPredictions(backend: string, kind: Kind): void {
  const isGpt2 = kind.gpt2 === true;
  for (const [stage, { shapes, features }] of Object.entries(STAGES)) {
    const own = isGpt2 ? shapes.map((shape) => ({ ...shape, D: shape.H * shape.F, K: shape.H })) : shapes;
    const pick = (all: Record<string, number>): Record<string, number> =>
      Object.fromEntries(features.filter((name) => name in all).map((name) => [name, all[name]]));
    fit(
      `${backend}, ${kind.name}, prediction at its ${stage}`,
      own.map((shape) => pick(featuresOf(shape, isGpt2))),
      own.map((shape) => predictionOf(shape, kind)),
    );
  }
}

const PROJECTIONS: Record<string, (shape: Shape) => [inputs: number, outputs: number]> = {
  q_proj: ({ D, H, F }) => [D, H * F],
  k_proj: ({ D, K, F }) => [D, K * F],
  v_proj: ({ D, K, F }) => [D, K * F],
  o_proj: ({ D, H, F }) => [H * F, D],
  gate_proj: ({ D, I }) => [D, I],
  up_proj: ({ D, I }) => [D, I],
  down_proj: ({ D, I }) => [I, D],
};
const TARGETS = [
  ['v_proj'],
  ['q_proj', 'v_proj'],
  ['o_proj'],
  ['down_proj'],
  ['q_proj', 'v_proj', 'down_proj'],
  ['gate_proj'],
  Object.keys(PROJECTIONS),
];

/** What adapters add to a frozen block; errors relative to the block with them. */
function fitLora(backend: string): void {
  const perBlock = (shape: Shape, lora?: { rank: number; targets: string[] }): number =>
    // the first block sends no gradient on
    peakOf(shape, 3, { name: 'llama' }, { lora }) - peakOf(shape, 2, { name: 'llama' }, { lora });
  const cases = SHAPES.slice(8, 13).flatMap((shape) => {
    const bare = perBlock(shape);
    return TARGETS.flatMap((targets) =>
      [2, 16].map((rank) => ({ shape, targets, rank, bare, whole: perBlock(shape, { rank, targets }) })),
    );
  });
  const features = cases.map(({ shape, targets, rank, whole }) => {
    const rows = shape.B * shape.T;
    const sum = (size: (target: string) => number): number =>
      (rows * targets.reduce((total, target) => total + size(target), 0)) / whole;
    const beside = [
      ['q_proj', 'k_proj', 'v_proj'],
      ['gate_proj', 'up_proj'],
    ]
      .filter((group) => group.some((name) => targets.includes(name)))
      .flat();
    const outputs = (names: string[]): number => names.reduce((total, name) => total + PROJECTIONS[name](shape)[1], 0);
    return {
      inputs: sum((target) => PROJECTIONS[target](shape)[0]),
      rank: sum(() => rank),
      outputs: (rows * outputs(targets)) / whole,
      joined: (rows * outputs(beside)) / whole,
    };
  });
  const rows = features.map((each) => Object.values(each));
  const added = cases.map(({ bare, whole }) => (whole - bare) / whole);
  const coefficients = solve(rows, added);
  report(
    `${backend}, lora`,
    Object.keys(features[0]),
    coefficients,
    rows.map((row, i) => dot(row, coefficients) - added[i]),
  );
}

/**
 * What a token more in the vocabulary adds; the gradients of its rows of embedding and head are counted by themselves.
 */
function fitLogits(title: string, [V, larger]: [number, number], shapes: Omit<LossShape, 'V'>[]): void {
  const values = shapes.map(
    (shape) =>
      (lossPeakOf({ ...shape, V: larger }) - lossPeakOf({ ...shape, V })) / (larger - V) -
      (shape.frozen === true ? Number(shape.adapted ?? false) : shape.D * (shape.tied ? 1 : 2)),
  );
  const streamed = isStreamed(V, shapes[0].P * (1 + shapes[0].S)); // then no logits are held
  const features = shapes.map(({ P, D, S, tied, frozen }) => ({
    ...(streamed ? {} : { perLogit: P, perLayer: P * S }),
    tied: tied && frozen !== true ? D : 0,
    untied: tied || frozen === true ? 0 : D,
  }));
  fit(title, features, values);
}

/**
 * What a tile adds while the head is read, while rows with many negatives are read again, and while the head's gradient
 * is made, with what there is of that.
 */
function fitTiles(backend: string): void {
  const V = 8192;
  const widthOf = (rows: number, D: number): number => tileWidth(rows, V, D);
  for (const objective of ['cross-entropy', 'ILRec']) {
    const shapes = TILED.map(([P, S, D]) => ({ V, P, S: objective === 'ILRec' ? S : 0, D, tied: true }));
    const featuresOf = ({ P, S, D }: LossShape, times: 1 | 2): Record<string, number> => {
      const width = widthOf(times * P * (1 + S), D);
      return { perLogit: P * width, perLayer: S * P * width, head: D * width };
    };
    const read = shapes.map((shape) => streamedPeakOf({ ...shape, frozen: true }, false));
    fit(
      `${backend}, ${objective}, a tile read`,
      shapes.map((shape) => featuresOf(shape, 1)),
      read,
    );
    fit(
      `${backend}, ${objective}, a tile of the head's gradient`,
      shapes.map((shape) => featuresOf(shape, 2)),
      shapes.map((shape) => streamedPeakOf(shape, false) - V * shape.D),
    );
    if (objective === 'cross-entropy') continue;
    const again = shapes.map((shape) => streamedPeakOf({ ...shape, frozen: true }, true));
    const higher = [...shapes.keys()].filter((i) => again[i] > 1.02 * read[i]);
    if (higher.length === 0) process.stdout.write(`${backend}, ${objective}, a tile read again: never the peak\n`);
    else
      fit(
        `${backend}, ${objective}, a tile read again`,
        higher.map((i) => ({
          perLogit: shapes[i].P * widthOf(2 * shapes[i].P, shapes[i].D),
          head: shapes[i].D * widthOf(2 * shapes[i].P, shapes[i].D),
        })),
        higher.map((i) => again[i]),
      );
  }
}

const TILED = [
  [12, 3, 24],
  [20, 2, 24],
  [40, 1, 32],
  [40, 4, 16],
  [9, 5, 40],
  [60, 2, 16],
  [90, 1, 24],
  [30, 3, 8],
  [24, 2, 40],
];
const TIED = [
  [8, 24, 2],
  [16, 24, 2],
  [8, 48, 2],
  [8, 24, 4],
  [24, 16, 1],
  [12, 32, 3],
].flatMap(([P, D, S]) => [true, false].map((tied) => ({ P, D, S, tied })));
/** Of so many logits that the loss is streamed, and of a head that is larger than its tiles. */
const LARGE = [true, false].map((tied) => ({ P: 18, D: 256, S: 2, tied }));
await import('../spec/support/backends'); // after what it needs has been opened
const asked = process.argv.slice(2);
for (const form of asked.length > 0 ? asked : ['cpu', 'wasm', 'stock']) {
  await tf.setBackend(form === 'stock' ? 'wasm' : form);
  await tf.ready();
  if (form === 'stock') unregisterKernels();
  for (const kind of [
    { name: 'llama' },
    { name: 'llama with head norms', qkNorm: true },
    { name: 'llama with dropout', dropout: 0.1 },
    { name: 'gpt2', gpt2: true },
  ] as Kind[])
    fitBlocks(form, kind);
  for (const kind of [{ name: 'llama' }, { name: 'gpt2', gpt2: true }] as Kind[]) fitPredictions(form, kind);
  fitLora(form);
  fitLogits(
    `${form}, cross-entropy, logits`,
    [307, 601],
    TIED.map((shape) => ({ ...shape, S: 0 })),
  );
  fitLogits(`${form}, ILRec, logits`, [307, 601], TIED);
  fitLogits(
    `${form}, ILRec, logits, frozen head`,
    [307, 601],
    TIED.map((shape) => ({ ...shape, frozen: true })),
  );
  fitLogits(
    `${form}, ILRec, logits, adapter on a frozen head`,
    [307, 601],
    TIED.map((shape) => ({ ...shape, frozen: true, adapted: true })),
  );
  fitLogits(`${form}, ILRec, streamed, trained head`, [20011, 24007], LARGE);
  fitLogits(
    `${form}, cross-entropy, streamed, trained head`,
    [20011, 24007],
    LARGE.map((shape) => ({ ...shape, S: 0, P: 54 })),
  );
  fitTiles(form);
}
