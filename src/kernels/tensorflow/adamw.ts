import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernel';
import { type Ops, rawKernel, type TensorFlowBackend, type Value } from './tensorflow_backend';

/**
 * TensorFlow variables for the weight and its moments, which TensorFlow's update writes. One set serves all weights.
 */
const slots = new WeakMap<TensorFlowBackend, readonly Value[]>();

/** After a weight with more numbers than this the variables are emptied, so that they do not keep it in memory. */
const LET_GO_ABOVE = 2 ** 16;

/**
 * AdamW by TensorFlow's Adam, in one pass. TensorFlow divides by sqrt(v) + epsilon, AdamW by sqrt(v s) + epsilon with s
 * = 1 / (1 - beta2^t); given epsilon / sqrt(s) and stepSize / sqrt(s), the two agree. Moments, and weights without
 * decay, are written over if no other tensor of tfjs holds them. If TensorFlow holds them elsewhere, it copies them
 * itself.
 */
export const adamw = rawKernel('ILRecAdamW', (ops) => {
  const variables = slotsOf(ops);
  const placed: Placed[] = [];
  const keep = ops.number('keep');
  const decays = keep !== 1;
  try {
    if (decays) placeDecayed(ops, variables[0], keep);
    const rest = ['weight', 'first', 'second'].slice(decays ? 1 : 0);
    for (const name of rest) placed.push(new Placed(ops, variables[placed.length + (decays ? 1 : 0)], ops.info(name)));
    update(ops, variables);
  } finally {
    for (const each of placed) each.takeBack();
  }
  const outputs = [...(decays ? [ops.give(read(ops, variables[0]))] : []), ...placed.map((each) => each.output())];
  if (sizeOf(ops.info('weight').shape) > LET_GO_ABOVE)
    for (const variable of variables) assign(ops, variable, ops.float(0));
  return outputs;
});

function update(ops: Ops, variables: readonly Value[]): void {
  const scale = Math.sqrt(ops.number('secondScale'));
  const [none, rate] = [ops.float(0), ops.float(ops.number('stepSize') / scale)];
  const [beta1, beta2, epsilon] = [ops.number('beta1'), ops.number('beta2'), ops.number('epsilon') / scale].map(
    (value) => ops.float(value),
  );
  const flags = ['use_locking', 'use_nesterov'].map((name) => ops.attribute(name, 'bool', false));
  ops.all(
    'ResourceApplyAdam',
    [...variables, none, none, rate, beta1, beta2, epsilon, ops.input('gradient')],
    [ops.ofFloats('T'), ...flags],
    0,
  );
}

/** Assigns keep * weight, so that only the variable holds it. */
function placeDecayed(ops: Ops, variable: Value, keep: number): void {
  const decayed = ops.mul(ops.input('weight'), ops.float(keep));
  assign(ops, variable, decayed);
  ops.drop(decayed);
}

/** A tfjs tensor whose values are in a TensorFlow variable during the update. */
class Placed {
  private readonly isAlone: boolean;
  private value: Value | null = null;

  constructor(
    private readonly ops: Ops,
    private readonly variable: Value,
    private readonly info: tf.TensorInfo,
  ) {
    const { backend } = ops;
    this.isAlone = backend.refCount(info.dataId) === 1;
    const value = ops.valueOf(info);
    assign(ops, variable, value);
    // then only the variable holds the memory, and TensorFlow writes over it
    if (this.isAlone) backend.binding.deleteTensor(value.id);
  }

  /** Takes the new values out of the variable. */
  takeBack(): void {
    this.value = read(this.ops, this.variable);
    if (!this.isAlone) return;
    this.ops.backend.tensorMap.get(this.info.dataId).id = this.value.id;
    this.ops.release(this.value);
  }

  output(): tf.TensorInfo {
    if (!this.isAlone) return this.ops.give(this.value as Value);
    this.ops.backend.incRef(this.info.dataId);
    return { dataId: this.info.dataId, shape: this.info.shape, dtype: this.info.dtype };
  }
}

function assign(ops: Ops, variable: Value, value: Value): void {
  ops.all('AssignVariableOp', [variable, value], [ops.ofFloats('dtype')], 0);
}

function read(ops: Ops, variable: Value): Value {
  return ops.run('ReadVariableOp', [variable], [ops.ofFloats('dtype')]);
}

function slotsOf(ops: Ops): readonly Value[] {
  const known = slots.get(ops.backend);
  if (known !== undefined) return known;
  const made = ['weight', 'first', 'second'].map((name) => {
    const variable = ops.run(
      'VarHandleOp',
      [],
      [
        ops.ofFloats('dtype'),
        ops.attribute('shape', 'shape', []),
        ops.attribute('container', 'string', ''),
        ops.attribute('shared_name', 'string', `ILRecAdamW/${name}`),
      ],
    );
    ops.release(variable);
    return variable;
  });
  slots.set(ops.backend, made);
  return made;
}
