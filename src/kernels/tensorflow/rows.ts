import { halfOf, type KernelReplacement } from '../kernel';
import { kernel, type Ops, type Value } from './tensorflow_backend';

const rmsNorm = kernel('ILRecRmsNorm', (ops) => {
  const x = ops.input('x'); // [R, D]
  const meanSquare = ops.reduce('Mean', ops.run('Square', [x]), 1); // [R, 1]
  const inverse = ops.run('Rsqrt', [ops.add(meanSquare, ops.float(ops.number('epsilon')))]);
  return [ops.mul(ops.mul(x, inverse), ops.input('weight')), inverse];
});

/** With p = x dy, both sums are matrix products: dw = r^T p, dx = r (w dy - x r^2 (p w) / D). */
const rmsNormGradient = kernel('ILRecRmsNormGrad', (ops) => {
  const [x, weight, inverse, dy] = ['x', 'weight', 'inverse', 'dy'].map((name) => ops.input(name));
  const [rows, size] = x.shape;
  const products = ops.mul(x, dy); // [R, D]
  const dw = ops.matMul(ops.reshape(inverse, [1, rows]), products); // [1, D]
  const sums = ops.matMul(products, ops.reshape(weight, [size, 1])); // [R, 1]
  const shares = ops.mul(ops.mul(sums, ops.run('Square', [inverse])), ops.float(1 / size)); // [R, 1]
  const dx = ops.mul(ops.sub(ops.mul(dy, weight), ops.mul(x, shares)), inverse);
  return [dx, ops.reshape(dw, [size])];
});

/** A roll swaps the halves; the sign of the first half is put into the sine table. */
const rotate = kernel('ILRecRotate', (ops) => {
  const [x, cos, sin] = ['x', 'cos', 'sin'].map((name) => ops.input(name));
  const half = halfOf(x, 'applyRotary');
  const sign = ops.number('sign');
  const signs = ops.floats(Array.from({ length: 2 * half }, (_, i) => (i < half ? -sign : sign)));
  const turned = ops.run(
    'Roll',
    [x, ops.ints([half]), ops.ints([x.shape.length - 1])],
    [ops.ofFloats('T'), ops.ofInts('Tshift'), ops.ofInts('Taxis')],
  );
  return ops.add(ops.mul(x, cos), ops.mul(turned, ops.mul(sin, signs)));
});

const gate = kernel('ILRecGate', (ops) => {
  const x = ops.input('x');
  halfOf(x, 'gated');
  const [before, up] = ops.halves(x);
  return ops.mul(ops.mul(before, ops.run('Sigmoid', [before])), up);
});

/** With s = sigmoid(g) and h = g s: dg = dy up (s + g s (1 - s)), dup = dy h. */
const gateGradient = kernel('ILRecGateGrad', (ops) => {
  const dy = ops.input('dy');
  const [before, up] = ops.halves(ops.input('x'));
  const sigmoid = ops.run('Sigmoid', [before]);
  const slope = ops.add(sigmoid, ops.run('SigmoidGrad', [sigmoid, before]));
  return ops.concat([ops.mul(ops.mul(dy, up), slope), ops.mul(dy, ops.mul(before, sigmoid))], dy.shape.length - 1);
});

const onlineSoftmax = kernel('ILRecOnlineSoftmax', (ops) => {
  const [x, known, sums] = ['x', 'largest', 'sums'].map((name) => ops.input(name));
  const largest = ops.run('Maximum', [known, ops.reduce('Max', x, 1)]); // [R, 1]
  const factor = exponential(ops, known, largest);
  const exponentials = exponential(ops, x, largest); // [R, n]
  return [exponentials, largest, ops.add(ops.mul(sums, factor), ops.reduce('Sum', exponentials, 1)), factor];
});

function exponential(ops: Ops, x: Value, largest: Value): Value {
  return ops.run('Exp', [ops.sub(x, largest)]);
}

/** The gradient of a whole softmax is not among them: tfjs-node's own is as fast. */
export const rowKernels: readonly KernelReplacement[] = [
  rmsNorm,
  rmsNormGradient,
  rotate,
  gate,
  gateGradient,
  onlineSoftmax,
];
