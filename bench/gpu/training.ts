import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { AdamW, type CausalLMConfig, causalLM, ilrec, type IlrecMethod } from 'tfjs-ilrec';
import { runShader } from '../../src/kernels/webgpu/shader';
import type { ShaderProgram } from '../../src/kernels/webgpu/shader_program';
import type { WebGpuBackend } from '../../src/kernels/webgpu/webgpu_backend';
import { disposeModel } from '../../src/models/dispose_model';
import { bodyFlops, headFlops } from '../flops';
import { median } from '../harness';
import { type BatchSizes, randomBatch, sft } from '../models';

export interface ModelSize extends BatchSizes {
  readonly name: string;
  readonly model: CausalLMConfig;
}

/** Shapes of published decoders; the weights are random. */
const LARGE: readonly ModelSize[] = [
  {
    name: '10 M',
    model: {
      vocabSize: 8000,
      hiddenSize: 256,
      numHiddenLayers: 10,
      numAttentionHeads: 8,
      numKeyValueHeads: 4,
      intermediateSize: 704,
    },
    batchSize: 16,
    sequenceLength: 256,
    response: 16,
  },
  {
    name: '135 M (SmolLM2)',
    model: {
      vocabSize: 49152,
      hiddenSize: 576,
      numHiddenLayers: 30,
      numAttentionHeads: 9,
      numKeyValueHeads: 3,
      intermediateSize: 1536,
    },
    batchSize: 8,
    sequenceLength: 256,
    response: 16,
  },
  {
    name: '500 M (Qwen2.5)',
    model: {
      vocabSize: 151936,
      hiddenSize: 896,
      numHiddenLayers: 24,
      numAttentionHeads: 14,
      numKeyValueHeads: 2,
      intermediateSize: 4864,
      qkvBias: true,
    },
    batchSize: 4,
    sequenceLength: 256,
    response: 16,
  },
];
const SMALL: readonly ModelSize[] = [
  {
    name: '0.7 M',
    model: {
      vocabSize: 8000,
      hiddenSize: 64,
      numHiddenLayers: 4,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      intermediateSize: 176,
    },
    batchSize: 4,
    sequenceLength: 64,
    response: 8,
  },
];
/** k of ILRec. */
const NEGATIVE_LAYERS = 4;

export interface TrainingSpeed {
  readonly model: string;
  readonly parameters: number;
  /** Input tokens per second. */
  readonly sft: number;
  readonly ilrec: number;
  /** Products of a step per second, over what the adapter can do. */
  readonly sftShare: number;
  readonly ilrecShare: number;
  /** Of the last steps; both must be finite. */
  readonly losses: readonly [number, number];
}

export const modelSizes = (isSmall: boolean): readonly ModelSize[] => (isSmall ? SMALL : LARGE);

/** Whole steps with AdamW on all weights, each ended by reading its loss. */
export async function measureTraining(
  backend: WebGpuBackend,
  size: ModelSize,
  ceiling: number,
  steps: number,
): Promise<TrainingSpeed> {
  const model = causalLM({ ...size.model, initializerRange: 0 });
  model.weights.forEach((weight, i) => {
    if (weight.shape.length === 2) fillRandom(backend, weight.read(), i + 1);
  });
  const parameters = model.countParams();
  const tokens = size.batchSize * size.sequenceLength;
  const plain = await stepTime(model, sft(), size, steps);
  const ours = await stepTime(model, ilrec({ numNegativeLayers: NEGATIVE_LAYERS }), size, steps);
  disposeModel(model);
  const flops = { ...size, rank: null };
  const shareOf = (ms: number, layers: number): number =>
    (bodyFlops(flops) + headFlops(flops, layers)) / ms / 1e6 / ceiling;
  return {
    model: size.name,
    parameters,
    sft: (1000 * tokens) / plain.ms,
    ilrec: (1000 * tokens) / ours.ms,
    sftShare: shareOf(plain.ms, 1),
    ilrecShare: shareOf(ours.ms, 1 + NEGATIVE_LAYERS),
    losses: [plain.loss, ours.loss],
  };
}

async function stepTime(
  model: tfl.LayersModel,
  method: IlrecMethod,
  size: ModelSize,
  steps: number,
): Promise<{ ms: number; loss: number }> {
  method.attach(model);
  const optimizer = new AdamW({ learningRate: 1e-4 });
  const { ids, labels } = randomBatch(size.model.vocabSize, size);
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const times: number[] = [];
  let loss = NaN;
  for (let step = 0; step < steps + 2; step++) {
    const began = performance.now();
    const { value, grads } = tf.variableGrads(() => method.lossOf(ids, labels), variables);
    optimizer.applyGradients(grads);
    [loss] = await value.data();
    const weight = tf.tidy(() => tf.slice(tf.reshape(variables[variables.length - 1], [-1]), 0, 1));
    await weight.data();
    tf.dispose([value, weight, grads]);
    if (step >= 2) times.push(performance.now() - began); // the first two compile
  }
  method.detach();
  optimizer.dispose();
  tf.dispose([ids, labels]);
  return { ms: median(times), loss };
}

const randomProgram: ShaderProgram = {
  name: 'benchRandom',
  workgroupSize: 256,
  body: `
    let i = group * 256u + lane;
    if (i >= u.count) { return; }
    var bits = (i + u.begin) * 0x9e3779b9u + u.seed * 0x85ebca6bu;
    bits = (bits ^ (bits >> 16u)) * 0x7feb352du;
    bits = (bits ^ (bits >> 15u)) * 0x846ca68bu;
    x[i] = (f32(bits ^ (bits >> 16u)) / 2147483648.0 - 1.0) * ${0.02 * Math.sqrt(3)};`,
};

/**
 * Writes numbers of the usual deviation into a weight on the device, of a hash of their places: drawing 500 M on the
 * CPU takes minutes.
 */
function fillRandom(backend: WebGpuBackend, weight: tf.Tensor, seed: number): void {
  const part = Math.floor(backend.device.limits.maxStorageBufferBindingSize / 4 / 256) * 256;
  for (let begin = 0; begin < weight.size; begin += part) {
    const end = Math.min(weight.size, begin + part);
    runShader(backend, randomProgram, {
      reads: {},
      writes: { x: { tensor: weight, begin, end } },
      integers: { count: end - begin, begin, seed },
      workgroups: Math.ceil((end - begin) / 256),
    });
  }
}
