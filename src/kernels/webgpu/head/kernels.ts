import type * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../../kernel';
import { addToTokens, logitsOfTokens, sumsOfTokens, weightsOfTokens } from './entries';
import { headGradient } from './gradient';
import { logProbGradient } from './log_prob';
import { type DeviceHead, partsOfHead, sizesOf } from './parts';
import type { DevicePenalty } from './penalty';
import { readAgain, readHead } from './reading';
import { makeOutput } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

interface Call {
  readonly backend: WebGpuBackend;
  readonly head: DeviceHead;
  input(name: string): tf.TensorInfo;
  has(name: string): boolean;
  attr(name: string): number;
}

/** A kernel that reads a head on the device, tile by tile; src/vocabulary/device_head.ts says what each computes. */
function ofHead(kernelName: string, compute: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): KernelReplacement {
  return {
    kernelName,
    create:
      () =>
      ({ inputs, attrs, backend }) => {
        const attr = (name: string): number => attrs?.[name] as number;
        const head: DeviceHead = {
          weight: input(inputs, 'weight'),
          bias: inputs.bias ?? null,
          inRows: attr('inRows') === 1,
        };
        const webgpu = backend as WebGpuBackend;
        partsOfHead(webgpu, head); // throws before anything is made
        return compute({
          backend: webgpu,
          head,
          input: (name) => input(inputs, name),
          has: (name) => inputs[name] !== undefined,
          attr,
        });
      },
  };
}

const penaltyOf = ({ attr }: Call): DevicePenalty => ({
  weight: attr('penaltyWeight'),
  kind: attr('kind'),
});

const reading = ofHead('ILRecReadHead', ({ backend, head, input, has, attr }) => {
  const candidates = has('labels')
    ? {
        labels: input('labels'),
        logScale: attr('logScale'),
        usesEnsemble: attr('usesEnsemble') === 1,
        capacity: attr('capacity'),
      }
    : null;
  const logitRows = {
    numDirect: attr('numDirect'),
    numEnsemble: candidates === null ? 0 : candidates.labels.shape[0],
    firstLayer: attr('firstLayer'),
    layers: attr('layers'),
  };
  return readHead(backend, head, input('hidden'), {
    width: attr('width'),
    logitRows,
    numExpected: attr('numExpected'),
    candidates,
  });
});

const secondReading = ofHead('ILRecReadAgain', (call) => {
  const { backend, head, input, attr } = call;
  return readAgain(backend, head, input('hidden'), {
    width: attr('width'),
    penalty: penaltyOf(call),
    withSums: attr('withSums') === 1,
    known: input('known'),
    marks: input('marks'),
  });
});

const gradient = ofHead('ILRecHeadGradient', (call) => {
  const { backend, head, input, has, attr } = call;
  const [numFinal, numStudents] = [attr('numFinal'), attr('numStudents')];
  const soft = has('shares') ? { tokens: input('tokens'), shares: input('shares') } : null;
  const firstEnsemble = input('hidden').shape[0] > numFinal + numStudents ? numFinal + numStudents : null;
  const finalFactors = has('known')
    ? {
        firstEnsemble,
        known: input('known'),
        found: input('found'),
        penalty: penaltyOf(call),
        rewardWeight: attr('rewardWeight'),
        soft,
      }
    : null;
  const trains = { weight: attr('trainsWeight') === 1, bias: attr('trainsBias') === 1 };
  return headGradient(backend, head, input('hidden'), {
    width: attr('width'),
    numFinal,
    numStudents,
    studentWeight: attr('studentWeight'),
    normalisers: input('normalisers'),
    finalFactors,
    trains,
  });
});

const gradientOfLogProbs = ofHead('ILRecLogProbGradient', ({ backend, head, input, attr }) =>
  logProbGradient(backend, head, input('hidden'), {
    width: attr('width'),
    known: input('known'),
    trains: { weight: attr('trainsWeight') === 1, bias: attr('trainsBias') === 1 },
  }),
);

const tokenLogits = ofHead('ILRecTokenLogits', ({ backend, head, input }) => {
  const tokens = input('tokens');
  const logits = makeOutput(backend, tokens.shape);
  logitsOfTokens(backend, head, input('hidden'), tokens, logits);
  return logits;
});

const tokenSums = ofHead('ILRecTokenSums', ({ backend, head, input }) => {
  const tokens = input('tokens');
  const sums = makeOutput(backend, [tokens.shape[0], sizesOf(head).hiddenSize]);
  sumsOfTokens(backend, head, tokens, input('factors'), sums);
  return sums;
});

const tokenRows = ofHead('ILRecTokenRows', ({ backend, head, input }) => {
  const tokens = input('tokens');
  const weights = makeOutput(backend, [tokens.shape[0], sizesOf(head).hiddenSize]);
  weightsOfTokens(backend, head, tokens, weights);
  return weights;
});

const addTokenRows = ofHead('ILRecAddTokenRows', ({ backend, head, input }) => {
  const { dataId, shape, dtype } = head.weight;
  if (backend.refCount(dataId) > 1)
    throw new Error(
      'ILRecAddTokenRows: the matrix is changed in place, so nothing else may hold it, got several holders',
    );
  addToTokens(backend, head, input('tokens'), input('rows'));
  backend.incRef(dataId);
  return { dataId, shape, dtype };
});

/** Kernels that read a linear head tile by tile, or at some tokens; all of its logits are never in memory. */
export const webgpuHead: readonly KernelReplacement[] = [
  reading,
  secondReading,
  gradient,
  gradientOfLogProbs,
  tokenLogits,
  tokenSums,
  tokenRows,
  addTokenRows,
];
