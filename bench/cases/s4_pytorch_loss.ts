import * as tf from '@tensorflow/tfjs-core';
import { streamingObjective, type IlrecObjectiveOptions, type IlrecTerms } from 'tfjs-ilrec';
import { referenceObjective, toRows } from '../../spec/support/reference';
import { ceiling, row, type BenchCase, type BenchRow } from '../harness';
import { agreement, pairedWithPython, PythonServer, threadsOf, type PythonStep } from '../python_server';

/** What both sides make the same inputs from. */
export interface Sizes {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** k. */
  readonly layers: number;
  /** N, all positions. */
  readonly rows: number;
  /** Those with a label, P of them. */
  readonly responseRows: readonly number[];
  readonly seed: number;
  /**
   * How far hidden states lean towards their labels: 2 is a model that has learnt, with few negatives; 0 one that has
   * not, with half of V.
   */
  readonly signal: number;
}

export const OPTIONS: IlrecObjectiveOptions = {
  penaltyWeight: 0.1,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.1,
  rewardWeight: 0,
};
const [SEED, K, D] = [1, 4, 256];
const [LEARNT, UNTRAINED] = [2, 0];
const SMALL: Sizes = {
  vocabSize: 211,
  hiddenSize: 13,
  layers: K,
  rows: 7,
  responseRows: firstOf(7),
  seed: SEED,
  signal: LEARNT,
};

export const benchCase: BenchCase = {
  names: ['S4'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const python = await PythonServer.start('S4');
    if (python === null) return [];
    try {
      const threads = threadsOf(backend);
      const small = await referenceError(python, threads);
      const peak = ceiling();
      const rows: BenchRow[] = [];
      for (const vocabSize of [32_000, 128_000]) {
        for (const P of [40, 160]) {
          const sizes: Sizes = {
            vocabSize,
            hiddenSize: D,
            layers: K,
            rows: P,
            responseRows: firstOf(P),
            seed: SEED,
            signal: LEARNT,
          };
          rows.push(...(await measure(backend, python, threads, sizes, [0.1, 0], small, peak)));
        }
      }
      const untrained: Sizes = {
        vocabSize: 32_000,
        hiddenSize: D,
        layers: K,
        rows: 40,
        responseRows: firstOf(40),
        seed: SEED,
        signal: UNTRAINED,
      };
      return [...rows, ...(await measure(backend, python, threads, untrained, [0.1], small, peak))];
    } finally {
      await python.stop();
    }
  },
};

/** A row for each weight of CPD at these sizes. */
async function measure(
  backend: string,
  python: PythonServer,
  threads: number,
  sizes: Sizes,
  weights: readonly number[],
  small: number,
  peak: number,
): Promise<BenchRow[]> {
  await python.request({ op: 'setup', ...sizes, threads });
  const problem = new Problem(sizes);
  const rows: BenchRow[] = [];
  for (const distillationWeight of weights) {
    const options = { ...OPTIONS, distillationWeight };
    const theirs = (): Promise<PythonStep> => python.request({ op: 's4', ...options });
    const { error, numNegatives } = compare(problem.check(options), await theirs(), distillationWeight > 0);
    const times = await pairedWithPython(() => problem.step(options), theirs);
    const setting = [
      `P ${sizes.rows}, k ${K}, D ${D}, V ${sizes.vocabSize.toLocaleString('en')}`,
      ...(distillationWeight === 0 ? ['KL off'] : []),
      `${numNegatives.toFixed(0)} negatives a row`,
      `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    ].join(', ');
    rows.push({
      ...row({
        ...{
          name: 'S4',
          setting,
          what: 'PyTorch, loss forward + backward / ours',
          backend,
          unit: 'ms',
          ceiling: peak,
          error: Math.max(error, small),
          ...times,
        },
        note: `PyTorch is ${python.torchVersion}, eager, vectorised, its time taken inside Python, as installed; the head is frozen on both sides.`,
        goal: ['>=', backend === 'node' ? 1 : 0.5],
        ...(backend === 'node' ? {} : { stretch: ['>=', 1] as const }),
      }),
      threads,
    });
  }
  problem.dispose();
  return rows;
}

/** Loss and gradients of both sides at a small size, held against the float64 reference. */
async function referenceError(python: PythonServer, threads: number): Promise<number> {
  await python.request({ op: 'setup', ...SMALL, threads });
  const problem = new Problem(SMALL);
  const logits = problem.layers.map((hidden) =>
    hidden.map((h) => problem.headRows.map((w) => w.reduce((sum, value, d) => sum + value * h[d], 0))),
  );
  const errors: number[] = [];
  for (const distillationWeight of [0.1, 0]) {
    const options = { ...OPTIONS, distillationWeight };
    const { total } = referenceObjective(logits[0], logits.slice(1), problem.labels, null, options);
    const [ours, theirs] = [problem.check(options), await python.request<PythonStep>({ op: 's4', ...options })];
    errors.push(
      compare(ours, theirs, distillationWeight > 0).error,
      agreement('our loss and the reference', ours.loss, total),
      agreement("PyTorch's loss and the reference", theirs.loss, total),
    );
  }
  problem.dispose();
  return Math.max(...errors);
}

interface Checked {
  readonly loss: number;
  readonly gradNorms: readonly number[];
  readonly numNegatives: number;
}

function compare(ours: Checked, theirs: PythonStep, isDistilled: boolean): { error: number; numNegatives: number } {
  const errors = [
    agreement('the loss', ours.loss, theirs.loss),
    agreement("the final layer's gradient norm", ours.gradNorms[0], theirs.gradNorms[0]),
  ];
  if (isDistilled)
    errors.push(agreement("the intermediate layers' gradient norm", ours.gradNorms[1], theirs.gradNorms[1]));
  return { error: Math.max(...errors), numNegatives: ours.numNegatives };
}

/** Our side: the inputs as tensors, and the objective on them. */
export class Problem {
  readonly labels: Int32Array; // [P]
  private readonly numbers: Float32Array;
  private readonly hidden: readonly Float32Array[]; // k + 1 of [P, D], the final layer first
  private readonly head: tf.Variable; // [V, D]
  private readonly final: tf.Tensor2D; // [P, D]
  private readonly intermediate: tf.Tensor2D; // [k * P, D]

  constructor(private readonly sizes: Sizes) {
    const { vocabSize, hiddenSize, layers, responseRows, seed } = sizes;
    this.numbers = uniforms(seed, vocabSize * hiddenSize).map((value) => value * 0.25);
    const tokens = Uint32Array.from({ length: sizes.rows }, (_, i) => hash(seed + 1, i) % vocabSize);
    this.labels = Int32Array.from(responseRows, (position) => tokens[position]);
    this.hidden = Array.from({ length: layers + 1 }, (_, layer) => this.hiddenOf(layer));
    const shape: [number, number] = [vocabSize, hiddenSize];
    // frozen: no gradient is made for it
    this.head = tf.tidy(() => tf.variable(tf.tensor2d(this.numbers, shape), false));
    this.final = tf.tensor2d(this.hidden[0], [responseRows.length, hiddenSize]);
    this.intermediate = tf.tidy(() =>
      tf.concat(
        this.hidden.slice(1).map((rows) => tf.tensor2d(rows, [responseRows.length, hiddenSize])),
        0,
      ),
    );
  }

  get headRows(): number[][] {
    return toRows(this.numbers, this.sizes.hiddenSize);
  }

  get layers(): number[][][] {
    return this.hidden.map((rows) => toRows(rows, this.sizes.hiddenSize));
  }

  /** Forward and backward, as a step needs them; the loss. */
  step(options: IlrecObjectiveOptions): number {
    return tf.tidy(() => {
      const { value, grads } = this.run(options);
      // a backend that computes late has now done so
      for (const gradient of grads) tf.slice(gradient, [0, 0], [1, 1]).dataSync();
      return value.dataSync()[0];
    });
  }

  /** The same with the norms of the gradients, and the part of the loss that is L_CPO. */
  check(options: IlrecObjectiveOptions): Checked & { cpo: number } {
    const seen = { numNegatives: NaN, cpo: NaN };
    return tf.tidy(() => {
      const { value, grads } = this.run(options, ({ numNegatives, cpo }) =>
        Object.assign(seen, { numNegatives: numNegatives.dataSync()[0], cpo: cpo.dataSync()[0] }),
      );
      const gradNorms = grads.map((gradient) =>
        Math.sqrt(gradient.dataSync<'float32'>().reduce((sum, x) => sum + x * x, 0)),
      );
      return { loss: value.dataSync()[0], gradNorms, ...seen };
    });
  }

  dispose(): void {
    tf.dispose([this.head, this.final, this.intermediate]);
  }

  /** `see` gets the terms while they are there. */
  private run(
    options: IlrecObjectiveOptions,
    see?: (terms: IlrecTerms) => void,
  ): { value: tf.Tensor; grads: tf.Tensor[] } {
    const head = { weight: this.head as tf.Tensor2D, layout: 'rows', bias: null } as const;
    const lossOf = (finalHidden: tf.Tensor2D, intermediateHidden: tf.Tensor2D): tf.Scalar => {
      const terms = streamingObjective(
        { finalHidden, intermediateHidden, head, labels: this.labels, reward: null },
        options,
      );
      see?.(terms);
      return terms.total;
    };
    // without CPD nothing flows into the others
    const leaves = options.distillationWeight === 0 ? [this.final] : [this.final, this.intermediate];
    return tf.valueAndGrads((...given) =>
      lossOf(given[0] as tf.Tensor2D, (given[1] ?? this.intermediate) as tf.Tensor2D),
    )(leaves);
  }

  /** What bench/pytorch/inputs.py makes, the response rows of it. */
  private hiddenOf(layer: number): Float32Array {
    const { hiddenSize, rows, responseRows, seed, signal } = this.sizes;
    const [common, own] = [uniforms(seed + 2, rows * hiddenSize), uniforms(seed + 3 + layer, rows * hiddenSize)];
    const out = new Float32Array(responseRows.length * hiddenSize);
    responseRows.forEach((position, p) => {
      for (let d = 0; d < hiddenSize; d++) {
        const at = position * hiddenSize + d;
        const towardsLabel = Math.fround(
          Math.fround(this.numbers[this.labels[p] * hiddenSize + d] * signal) * (layer === 0 ? 1 : 0.5),
        );
        out[p * hiddenSize + d] = Math.fround(Math.fround(Math.fround(common[at] * 1.375) + own[at]) + towardsLabel);
      }
    });
    return out;
  }
}

export function firstOf(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

/** Float32 in [-1, 1). */
function uniforms(seed: number, length: number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = (hash(seed, i) >>> 8) / 2 ** 23 - 1;
  return values;
}

/** A well-mixed 32-bit integer. */
function hash(seed: number, i: number): number {
  let h = (i + Math.imul(seed, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
