import type * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused_kernel';
import { countOf, makeOutput, partsOf, runShader } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

const update: ShaderProgram = {
  name: 'AdamW',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    let g = gradient[i];
    let m = first[i] * u.beta1 + g * u.rest1;
    let v = second[i] * u.beta2 + g * g * u.rest2;
    first[i] = m;
    second[i] = v;
    result[i] = weight[i] * u.keep - m * u.stepSize / (sqrt(v * u.secondScale) + u.epsilon);`,
};

const copying: ShaderProgram = {
  name: 'AdamW',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i < u.count) { copy[i] = given[i]; }`,
};

/** AdamW in one pass over a weight, its moments and its gradient. Writes over moments that nothing else holds. */
export const webgpuAdamw = fused('ILRecAdamW', ({ backend, input, attr }) => {
  const [weight, gradient] = [input('weight'), input('gradient')];
  const outputs = [
    makeOutput(backend, weight.shape),
    writable(backend, input('first')),
    writable(backend, input('second')),
  ];
  const [out, m, v] = outputs;
  const [beta1, beta2, stepSize, secondScale, epsilon, keep] = [
    'beta1',
    'beta2',
    'stepSize',
    'secondScale',
    'epsilon',
    'keep',
  ].map(attr);
  for (const part of partsOf(backend.device, countOf(weight))) {
    runShader(backend, update, {
      reads: { weight: { tensor: weight, ...part }, gradient: { tensor: gradient, ...part } },
      writes: { result: { tensor: out, ...part }, first: { tensor: m, ...part }, second: { tensor: v, ...part } },
      integers: { count: part.end - part.begin },
      floats: { beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2, stepSize, secondScale, epsilon, keep },
      workgroups: Math.ceil((part.end - part.begin) / 64),
    });
  }
  return outputs;
});

/** The tensor itself if nothing else holds it, else a copy. Integers that a cast has only renamed are copied too. */
function writable(backend: WebGpuBackend, info: tf.TensorInfo): tf.TensorInfo {
  if (backend.refCount(info.dataId) === 1 && backend.tensorMap.get(info.dataId).dtype === 'float32') {
    backend.incRef(info.dataId);
    return { dataId: info.dataId, shape: [...info.shape], dtype: info.dtype };
  }
  const copy = makeOutput(backend, info.shape);
  for (const part of partsOf(backend.device, countOf(info))) {
    runShader(backend, copying, {
      reads: { given: { tensor: info, ...part } },
      writes: { copy: { tensor: copy, ...part } },
      integers: { count: part.end - part.begin },
      workgroups: Math.ceil((part.end - part.begin) / 64),
    });
  }
  return copy;
}
