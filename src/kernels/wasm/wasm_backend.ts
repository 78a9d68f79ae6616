import type * as tf from '@tensorflow/tfjs-core';

/**
 * The part of tfjs's wasm backend that these kernels use. The backend's package is an optional peer dependency and is
 * never imported.
 */
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
  /** Allocates on the wasm heap, uninitialised. With `memoryOffset` it uses memory that exists already. */
  makeOutput(shape: number[], dtype: tf.DataType, memoryOffset?: number): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): HeapView;
  disposeData(dataId: object): boolean;
  /** How many tensors hold this data. */
  refCount(dataId: object): number;
  /** One more tensor holds this data. */
  incRef(dataId: object): void;
}

export type HeapView = Float32Array | Int32Array | Uint8Array;

/** One more tensor of the same data. */
export function sharing(wasm: WasmBackend, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
  wasm.incRef(dataId);
  return { dataId, shape: [...shape], dtype };
}
