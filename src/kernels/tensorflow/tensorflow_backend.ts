import type * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../kernel';

/**
 * The part of tfjs-node's backend that these kernels use. The package is an optional peer dependency and is never
 * imported.
 */
export interface TensorFlowBackend {
  readonly binding: Binding;
  readonly tensorMap: { get(dataId: object): { id: number } };
  /** TensorFlow's ids of tensors. Uploads those that are still in JavaScript. */
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  createOutputTensor(value: Value): tf.TensorInfo;
  refCount(dataId: object): number;
  incRef(dataId: object): void;
}

interface Binding {
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_SHAPE: number;
  executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): Value[];
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
}

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean | string | readonly number[];
}

/** A TensorFlow tensor that tfjs does not know of. */
export interface Value {
  readonly id: number;
  readonly shape: number[];
  /** TensorFlow's number for the type. */
  readonly dtype: number;
}

type AttributeType = 'type' | 'bool' | 'int' | 'string' | 'shape';

/**
 * Runs the TensorFlow ops of one kernel. Their results do not become tfjs tensors, whose bookkeeping takes longer than
 * a small op. They are freed when the kernel ends, except for those that it returns.
 */
export class Ops {
  private readonly made = new Set<number>();
  private readonly types: Readonly<Record<AttributeType, number>>;

  constructor(
    readonly backend: TensorFlowBackend,
    private readonly inputs: { [name: string]: tf.TensorInfo | undefined },
    private readonly attrs: Readonly<Record<string, unknown>>,
  ) {
    const { TF_ATTR_TYPE, TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_STRING, TF_ATTR_SHAPE } = backend.binding;
    this.types = {
      type: TF_ATTR_TYPE,
      bool: TF_ATTR_BOOL,
      int: TF_ATTR_INT,
      string: TF_ATTR_STRING,
      shape: TF_ATTR_SHAPE,
    };
  }

  info(name: string): tf.TensorInfo {
    return input(this.inputs, name);
  }

  input(name: string): Value {
    return this.valueOf(this.info(name));
  }

  valueOf(info: tf.TensorInfo): Value {
    return { id: this.backend.getInputTensorIds([info])[0], shape: info.shape, dtype: this.backend.binding.TF_FLOAT };
  }

  number(name: string): number {
    return this.attrs[name] as number;
  }

  attribute(name: string, type: AttributeType, value: Attribute['value']): Attribute {
    return { name, type: this.types[type], value };
  }

  /** The outputs of an op. @param attributes default: the type `T` is float32. */
  all(
    op: string,
    inputs: readonly Value[],
    attributes: readonly Attribute[] = [this.ofFloats('T')],
    outputs = 1,
  ): Value[] {
    const values = this.backend.binding.executeOp(
      op,
      attributes,
      inputs.map(({ id }) => id),
      outputs,
    );
    for (const { id } of values) this.made.add(id);
    return values;
  }

  /** The output of an op that has one. */
  run(op: string, inputs: readonly Value[], attributes?: readonly Attribute[]): Value {
    return this.all(op, inputs, attributes)[0];
  }

  mul(a: Value, b: Value): Value {
    return this.run('Mul', [a, b]);
  }

  add(a: Value, b: Value): Value {
    return this.run('AddV2', [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.run('Sub', [a, b]);
  }

  matMul(a: Value, b: Value): Value {
    return this.run('MatMul', [a, b]);
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.run('Reshape', [x, this.ints(shape)], [this.ofFloats('T'), this.ofInts('Tshape')]);
  }

  /** 'Sum', 'Mean' or 'Max' over one axis. @param keepDims whether the axis stays, with size 1; default true. */
  reduce(op: 'Sum' | 'Mean' | 'Max', x: Value, axis: number, keepDims = true): Value {
    return this.run(
      op,
      [x, this.ints([axis])],
      [this.ofFloats('T'), this.ofInts('Tidx'), this.attribute('keep_dims', 'bool', keepDims)],
    );
  }

  /** Halves along the last axis. */
  halves(x: Value): Value[] {
    return this.all(
      'Split',
      [this.int(x.shape.length - 1), x],
      [this.attribute('num_split', 'int', 2), this.ofFloats('T')],
      2,
    );
  }

  concat(parts: readonly Value[], axis: number): Value {
    return this.run(
      'ConcatV2',
      [...parts, this.int(axis)],
      [this.ofFloats('T'), this.attribute('N', 'int', parts.length), this.ofInts('Tidx')],
    );
  }

  ofFloats(name: string): Attribute {
    return this.attribute(name, 'type', this.backend.binding.TF_FLOAT);
  }

  ofInts(name: string): Attribute {
    return this.attribute(name, 'type', this.backend.binding.TF_INT32);
  }

  float(value: number): Value {
    return this.floats([value], []);
  }

  floats(values: readonly number[], shape: number[] = [values.length]): Value {
    return this.create(shape, this.backend.binding.TF_FLOAT, Float32Array.from(values));
  }

  int(value: number): Value {
    return this.create([], this.backend.binding.TF_INT32, Int32Array.of(value));
  }

  ints(values: readonly number[]): Value {
    return this.create([values.length], this.backend.binding.TF_INT32, Int32Array.from(values));
  }

  /** Makes a value a tfjs tensor, which outlives the kernel. */
  give(value: Value): tf.TensorInfo {
    this.made.delete(value.id);
    return this.backend.createOutputTensor(value);
  }

  /** Keeps a value after the kernel ends; the caller must free it. */
  release(value: Value): void {
    this.made.delete(value.id);
  }

  /** Frees a value before the kernel ends. */
  drop(value: Value): void {
    this.made.delete(value.id);
    this.backend.binding.deleteTensor(value.id);
  }

  free(): void {
    for (const id of this.made) this.backend.binding.deleteTensor(id);
    this.made.clear();
  }

  private create(shape: number[], dtype: number, values: Float32Array | Int32Array): Value {
    const id = this.backend.binding.createTensor(shape, dtype, values);
    this.made.add(id);
    return { id, shape, dtype };
  }
}

/**
 * A kernel that tfjs does not have. The operation of src/ops that uses it says what it computes, and composes it on
 * backends without it.
 */
export function kernel(kernelName: string, compute: (ops: Ops) => Value | Value[]): KernelReplacement {
  return rawKernel(kernelName, (ops) => {
    const values = compute(ops);
    return Array.isArray(values) ? values.map((value) => ops.give(value)) : ops.give(values);
  });
}

/** The same for a kernel that makes its output tensors itself. */
export function rawKernel(
  kernelName: string,
  compute: (ops: Ops) => tf.TensorInfo | tf.TensorInfo[],
): KernelReplacement {
  return {
    kernelName,
    create:
      () =>
      ({ inputs, attrs, backend }) => {
        const ops = new Ops(backend as unknown as TensorFlowBackend, inputs, (attrs ?? {}) as Record<string, unknown>);
        try {
          return compute(ops);
        } finally {
          ops.free();
        }
      },
  };
}
