import type * as tf from '@tensorflow/tfjs-core';

/** The part of tfjs's wasm backend that the kernels here use; the backend package itself is an optional peer and never imported. */
export interface WasmBackend {
  readonly wasm: {
    cwrap(name: string, returns: null, argumentTypes: string[]): (...values: (number | Uint8Array)[]) => void;
    readonly tfjs: { disposeData(id: number): void };
    /** The exports of tfjs's WebAssembly, its memory among them; with threads the memory is at `wasmMemory`. */
    readonly asm?: { readonly memory?: WebAssembly.Memory };
    readonly wasmMemory?: WebAssembly.Memory;
    _malloc?(bytes: number): number;
  };
  readonly dataIdMap: { get(dataId: object): { id: number; memoryOffset: number }; delete(dataId: object): boolean };
  /** Allocates on the wasm heap, uninitialised; with `memoryOffset` it names memory that exists already. */
  makeOutput(shape: number[], dtype: tf.DataType, memoryOffset?: number): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): HeapView;
  disposeData(dataId: object): boolean;
  /** How many tensors hold this data. */
  refCount(dataId: object): number;
  /** One more tensor holds this data. */
  incRef(dataId: object): void;
}

export type HeapView = Float32Array | Int32Array | Uint8Array;

/**
 * A kernel of ours for one backend. `create` is given the backend package's own kernel function, undefined where it has none,
 * and returns undefined to leave things as they are.
 */
export interface KernelReplacement {
  readonly kernelName: string;
  readonly create: (stock: tf.KernelFunc | undefined) => tf.KernelFunc | undefined;
}

/** Reads an input that the op always gives. */
export function input(inputs: { [name: string]: tf.TensorInfo | undefined }, name: string): tf.TensorInfo {
  const info = inputs[name];
  if (info === undefined) throw new Error(`input: the kernel needs input '${name}', got none`);
  return info;
}

/** The same data under another shape, without a copy and without a reference of its own: never dispose it. */
export function withShape(info: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  return { dataId: info.dataId, dtype: info.dtype, shape };
}

/** One more tensor of the same data. */
export function sharing(wasm: WasmBackend, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
  wasm.incRef(dataId);
  return { dataId, shape: [...shape], dtype };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
