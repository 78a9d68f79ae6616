import * as tf from '@tensorflow/tfjs-core';
import { type KernelReplacement, sizeOf } from '../kernel';
import { addN } from './add_n';
import { bindingLimit } from './binding_limit';
import { countOf, makeOutput, type Operand, partsOf, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

const LANES = 256;

/** Whether a tensor of so many numbers is larger than one binding can hold. */
function isLarge(backend: WebGpuBackend, count: number): boolean {
  return 4 * count > bindingLimit(backend.device);
}

const elementwiseProgram = memoize((name: string, expression: string, ...isOne: boolean[]): ShaderProgram => ({
  name,
  workgroupSize: LANES,
  body: `
      let i = group * ${LANES}u + lane;
      if (i >= u.count) { return; }
      ${isOne.map((one, at) => `let x${at} = in${at}[${one ? '0' : 'i'}];`).join('\n')}
      y[i] = ${expression};`,
}));

/** y[i] = expression of x0[i], x1[i] and so on. An input of one number is used for every i. */
function elementwise(
  backend: WebGpuBackend,
  name: string,
  expression: string,
  inputs: readonly tf.TensorInfo[],
  shape: readonly number[],
): tf.TensorInfo {
  const y = makeOutput(backend, shape);
  const count = sizeOf(shape);
  for (const { begin, end } of partsOf(backend.device, count)) {
    const part = (tensor: tf.TensorInfo): Operand => (countOf(tensor) === 1 ? tensor : { tensor, begin, end });
    const isOne = inputs.map((tensor) => countOf(tensor) === 1);
    runShader(backend, elementwiseProgram(name, expression, ...isOne), {
      reads: Object.fromEntries(inputs.map((tensor, i) => [`in${i}`, part(tensor)])),
      writes: { y: { tensor: y, begin, end } },
      integers: { count: end - begin },
      workgroups: Math.ceil((end - begin) / LANES),
    });
  }
  return y;
}

const fillProgram = memoize((type: 'i32' | 'f32'): ShaderProgram => ({
  name: 'fill',
  workgroupSize: LANES,
  body: `
      let i = group * ${LANES}u + lane;
      if (i < u.count) { numbers[i] = ${type}(select(u.even, u.odd, i % 2u == 1u)); }`,
}));

/** Sets all numbers of a tensor, to two values in turn if two are given. */
export function fillTensor(backend: WebGpuBackend, tensor: tf.TensorInfo, even: number, odd = even): void {
  for (const { begin, end } of partsOf(backend.device, countOf(tensor))) {
    runShader(backend, fillProgram(tensor.dtype === 'int32' ? 'i32' : 'f32'), {
      reads: {},
      writes: { numbers: { tensor, begin, end } },
      integers: { count: end - begin },
      floats: { even, odd },
      workgroups: Math.ceil((end - begin) / LANES),
    });
  }
}

/** Workgroups, and so partial sums, of the sum of all numbers. */
const GROUPS = 256;

const sumLanes = `
  sums[lane] = sum;
  workgroupBarrier();
  for (var span = ${LANES / 2}u; span > 0u; span /= 2u) {
    if (lane < span) { sums[lane] += sums[lane + span]; }
    workgroupBarrier();
  }`;
const laneSums = `var<workgroup> sums: array<f32, ${LANES}>;`;

const sumPart: ShaderProgram = {
  name: 'sum',
  workgroupSize: LANES,
  declarations: laneSums,
  body: `
    var sum = 0.0;
    for (var i = group * ${LANES}u + lane; i < u.count; i += ${GROUPS * LANES}u) { sum += x[i]; }
    ${sumLanes}
    if (lane == 0u) {
      if (u.is_first == 0u) { sum = partial[group]; } else { sum = 0.0; }
      partial[group] = sum + sums[0];
    }`,
};

const sumPartial: ShaderProgram = {
  name: 'sum',
  workgroupSize: LANES,
  declarations: laneSums,
  body: `
    var sum = partial[lane];
    ${sumLanes}
    if (lane == 0u) { total[0] = sums[0]; }`,
};

/** Sum of all numbers, added in the same order each time. */
function sumOfAll(backend: WebGpuBackend, x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  const partial = makeOutput(backend, [GROUPS]);
  for (const { begin, end } of partsOf(backend.device, countOf(x))) {
    runShader(backend, sumPart, {
      reads: { x: { tensor: x, begin, end } },
      writes: { partial },
      integers: { count: end - begin, is_first: begin === 0 ? 1 : 0 },
      workgroups: GROUPS,
    });
  }
  const total = makeOutput(backend, shape);
  runShader(backend, sumPartial, { reads: { partial }, writes: { total }, workgroups: 1 });
  backend.disposeData(partial.dataId);
  return total;
}

type Compute = (
  backend: WebGpuBackend,
  inputs: readonly tf.TensorInfo[],
  attrs: tf.NamedAttrMap,
) => tf.TensorInfo | null;

/**
 * A kernel for tensors that no binding can hold, for which tfjs's own returns zeros. Tensors that fit are left to
 * tfjs's kernel.
 *
 * @param name of the tfjs function, for the error.
 * @param otherwise used in place of tfjs's kernel for tensors that fit. Default tfjs's.
 * @param resultOf the shape of the result, if it may be larger than all inputs.
 */
function forLarge(
  kernelName: string,
  name: string,
  compute: Compute,
  {
    otherwise,
    resultOf,
  }: { otherwise?: KernelReplacement; resultOf?: (inputs: readonly tf.TensorInfo[]) => number[] } = {},
): KernelReplacement {
  return {
    kernelName,
    create: (tfjs) => {
      const usual = otherwise === undefined ? tfjs : otherwise.create(tfjs);
      if (usual === undefined) return undefined;
      return (call) => {
        const backend = call.backend as WebGpuBackend;
        const inputs = Object.values(call.inputs as Record<string, tf.TensorInfo>);
        const { shape = [] } = (call.attrs ?? {}) as { shape?: number[] };
        if (!isLarge(backend, Math.max(sizeOf(resultOf?.(inputs) ?? shape), ...inputs.map(countOf))))
          return usual(call);
        const result = inputs.every(({ dtype }) => dtype === 'float32')
          ? compute(backend, inputs, call.attrs ?? {})
          : null;
        if (result !== null) return result;
        const shapes = inputs.map((tensor) => `[${tensor.shape.join(', ')}]`).join(' and ');
        throw new Error(
          `${name}: tensors above ${bindingLimit(backend.device)} bytes must be float32 and of one shape, or one ` +
            `number, on this adapter, got ${shapes}; use smaller batches, or another backend`,
        );
      };
    },
  };
}

function broadcast([a, b]: readonly tf.TensorInfo[]): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
}

function binary(kernelName: string, name: string, expression: string): KernelReplacement {
  return forLarge(
    kernelName,
    name,
    (backend, inputs) => {
      const shape = broadcast(inputs);
      const fits = inputs.every((tensor) => countOf(tensor) === 1 || countOf(tensor) === sizeOf(shape));
      return fits ? elementwise(backend, name, expression, inputs, shape) : null;
    },
    { resultOf: broadcast },
  );
}

function unary(kernelName: string, name: string, expression: string): KernelReplacement {
  return forLarge(kernelName, name, (backend, inputs) =>
    elementwise(backend, name, expression, inputs, inputs[0].shape),
  );
}

function filled(
  backend: WebGpuBackend,
  shape: readonly number[],
  dtype: tf.DataType | undefined,
  value: number,
): tf.TensorInfo | null {
  if (dtype !== 'float32' && dtype !== 'int32') return null;
  const y = makeOutput(backend, shape, dtype);
  fillTensor(backend, y, value);
  return y;
}

/**
 * What a training step does with weights, gradients and moments, for tensors that no binding can hold, such as the head
 * of a large vocabulary.
 */
export const webgpuLargeElementwise: readonly KernelReplacement[] = [
  forLarge('Fill', 'fill', (backend, _, { shape, dtype = 'float32', value }) =>
    filled(backend, shape as number[], dtype as tf.DataType, value as number),
  ),
  forLarge('ZerosLike', 'zerosLike', (backend, [x]) => filled(backend, x.shape, x.dtype, 0)),
  forLarge('OnesLike', 'onesLike', (backend, [x]) => filled(backend, x.shape, x.dtype, 1)),
  binary('Add', 'add', 'x0 + x1'),
  binary('Sub', 'sub', 'x0 - x1'),
  binary('Multiply', 'mul', 'x0 * x1'),
  binary('RealDiv', 'div', 'x0 / x1'),
  unary('Square', 'square', 'x0 * x0'),
  unary('Sqrt', 'sqrt', 'sqrt(x0)'),
  unary('Neg', 'neg', '-x0'),
  forLarge(
    'AddN',
    'addN',
    (backend, inputs) => {
      const [first, ...others] = inputs;
      if (others.some(({ shape }) => shape.join() !== first.shape.join())) return null;
      let sum = first;
      for (const tensor of others) {
        const next = elementwise(backend, 'addN', 'x0 + x1', [sum, tensor], first.shape);
        if (sum !== first) backend.disposeData(sum.dataId);
        sum = next;
      }
      return sum === first ? elementwise(backend, 'addN', 'x0', [first], first.shape) : sum;
    },
    { otherwise: addN },
  ),
  forLarge('Sum', 'sum', (backend, [x], { axis, keepDims }) => {
    const axes = new Set(([axis ?? []].flat() as number[]).map((at) => (at + x.shape.length) % x.shape.length));
    if (axes.size > 0 && axes.size < x.shape.length) return null;
    return sumOfAll(backend, x, keepDims === true ? x.shape.map(() => 1) : []);
  }),
];
