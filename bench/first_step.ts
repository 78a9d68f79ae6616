/** One fresh process of bench/cases/s13_first_step.ts: times of its steps as one line of JSON. */
import { AdamW, causalLM, ilrec } from 'tfjs-ilrec';
import { useBackend } from 'tfjs-ilrec/node';
import { median, timeOf } from './harness';
import { randomBatch, trainingStep } from './models';

export interface FirstStepTimes {
  /** ms: the process's first step, and the median of those at the same length after it. */
  readonly first: number;
  readonly steady: number;
  /** The same of a sequence length that comes after steps at others. */
  readonly newLength: number;
  readonly newLengthSteady: number;
}

const V = 8000;
/** Multiples of 32, as `createBatches({ bucketTokens: 32 })` pads rows. */
const [LENGTH, OTHER_LENGTHS, NEW_LENGTH] = [128, [64, 160, 32], 96];
const STEADY_STEPS = 7;

await useBackend(process.argv[2] as 'wasm');
const model = causalLM({ vocabSize: V });
const method = ilrec();
method.attach(model);
const optimizer = new AdamW({ learningRate: 1e-3 });
const stepAt = (sequenceLength: number): (() => number) =>
  trainingStep({
    model,
    lossOf: method.lossOf,
    optimizer,
    batch: randomBatch(V, { batchSize: 4, sequenceLength, response: 20 }),
  });
const firstAndSteady = async (step: () => number): Promise<[number, number]> => {
  const first = await timeOf(step);
  const later: number[] = [];
  for (let i = 0; i < STEADY_STEPS; i++) later.push(await timeOf(step));
  return [first, median(later)];
};

const [first, steady] = await firstAndSteady(stepAt(LENGTH));
for (const length of OTHER_LENGTHS) stepAt(length)();
const [newLength, newLengthSteady] = await firstAndSteady(stepAt(NEW_LENGTH));
console.log(JSON.stringify({ first, steady, newLength, newLengthSteady } satisfies FirstStepTimes));
process.exit(0);
