import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from 'tfjs-ilrec';
import { type BenchCase, type BenchRow, ceiling, median, MIN_RUNS, paired, row, timeOf } from '../harness';
import { firstNumber, relativeDifference } from '../models';

const SHAPES = [
  [8000, 256, 512],
  [8000, 256, 4096],
  [32_000, 256, 4096],
] as const;
/** Calls in one timing, which a single call is too short for. */
const CALLS = 20;

export const benchCase: BenchCase = {
  names: ['S8'],
  backends: ['wasm'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const [vocabSize, hiddenSize, count] of SHAPES)
      rows.push(await measure(backend, vocabSize, hiddenSize, count));
    return rows;
  },
};

async function measure(backend: string, vocabSize: number, hiddenSize: number, count: number): Promise<BenchRow> {
  const random = createRandom(1);
  const ids = tf.tensor1d(
    Int32Array.from({ length: count }, () => random.int(vocabSize)),
    'int32',
  );
  const table = tf.randomNormal<tf.Rank.R2>([vocabSize, hiddenSize], 0, 1, 'float32', 1);
  const dy = tf.randomNormal<tf.Rank.R2>([count, hiddenSize], 0, 1, 'float32', 2);
  const gradient = (): tf.Tensor =>
    (
      tf.getGradient('GatherV2').gradFunc(dy, [table, ids], { axis: 0, batchDims: 0 }) as Record<
        string,
        () => tf.Tensor
      >
    ).x();
  const repeat = (make: () => tf.Tensor) => (): void => {
    for (let i = 1; i < CALLS; i++) tf.tidy(() => void make());
    tf.tidy(() => void firstNumber(make()));
  };
  const times = await paired(
    repeat(gradient),
    repeat(() => tf.gather(table, ids)),
    { runs: 2 * MIN_RUNS + 1 },
  );
  const fills: number[] = [];
  for (let i = 0; i < MIN_RUNS; i++) fills.push(await timeOf(repeat(() => tf.fill([vocabSize, hiddenSize], 0))));

  const [idsRead, dyRead, got] = [ids.dataSync(), dy.dataSync(), tf.tidy(() => gradient().dataSync())];
  const wanted = new Float64Array(vocabSize * hiddenSize);
  idsRead.forEach((id, i) => {
    for (let j = 0; j < hiddenSize; j++) wanted[id * hiddenSize + j] += dyRead[i * hiddenSize + j];
  });
  tf.dispose([ids, table, dy]);
  const [ours, other, fill] = [times.ours / CALLS, times.other / CALLS, median(fills) / CALLS];
  return row({
    name: 'S8',
    what: 'gradient of an embedding / its lookup',
    setting: `${vocabSize} x ${hiddenSize}, ${count} ids`,
    backend,
    ...times,
    ours,
    other,
    unit: 'ms',
    goal: ['<=', 3],
    stretch: ['<=', 2],
    ceiling: ceiling(),
    error: relativeDifference([got], [wanted]),
    note: `${vocabSize} x ${hiddenSize}, ${count} ids: the gradient must write all V x D numbers; a bare fill of that size takes ${fill.toPrecision(3)} ms, ${(fill / other).toPrecision(3)} times the lookup`,
  });
}
