import type * as tf from '@tensorflow/tfjs-core';

/**
 * The part of tfjs's webgpu backend that these kernels use. The backend's package is an optional peer dependency and is
 * never imported.
 */
export interface WebGpuBackend {
  readonly device: Device;
  readonly tensorMap: {
    has(dataId: object): boolean;
    get(dataId: object): TensorData;
    set(dataId: object, data: TensorData): void;
    delete(dataId: object): boolean;
  };
  /** The pass into which commands are recorded; null if none is open. */
  computePassEncoder: ComputePass | null;
  readonly commandEncoder: { beginComputePass(): ComputePass; clearBuffer(buffer: Buffer): void };
  dispatchCountInPass: number;
  /** Data that recorded commands still use; their buffers are released after the next submission. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly uniformPendingDisposal: Buffer[];
  readonly bufferManager: {
    acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean): Buffer;
    releaseBuffer(buffer: Buffer): void;
  };
  readonly queue: { writeBuffer(buffer: Buffer, offset: number, data: ArrayBuffer): void };
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: ArrayLike<number>): tf.TensorInfo;
  /** Gives the data a buffer on the device, and copies its values there if it has any. */
  uploadToGPU(dataId: object): void;
  /** Runs one of tfjs's own programs. @param output written over if given. */
  runWebGPUProgram(
    program: object,
    inputs: tf.TensorInfo[],
    dtype: tf.DataType,
    uniforms?: object[],
    output?: tf.TensorInfo,
  ): tf.TensorInfo;
  /** Reads a tensor and keeps its numbers on the CPU. */
  read(dataId: object): Promise<unknown>;
  /** Whether tfjs's kernels compute these inputs on the CPU. */
  shouldExecuteOnCPU(inputs: tf.TensorInfo[], sizeThreshold?: number): boolean;
  disposeData(dataId: object): boolean;
  refCount(dataId: object): number;
  incRef(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

export interface TensorData {
  dtype: tf.DataType;
  shape: number[];
  /** The CPU's copy; null once the data is on the device. */
  values: Float32Array | Int32Array | null | undefined;
  resource?: Buffer | null;
  refCount: number;
}

/** A GPUBuffer. */
export interface Buffer {
  readonly size: number;
}

interface ComputePass {
  setPipeline(pipeline: object): void;
  setBindGroup(index: number, group: object): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
}

/** The part of a GPUDevice that is used here. */
export interface Device {
  readonly features: { has(name: string): boolean };
  readonly limits: {
    readonly maxStorageBufferBindingSize: number;
    readonly minStorageBufferOffsetAlignment: number;
    readonly maxComputeWorkgroupsPerDimension: number;
    readonly maxComputeInvocationsPerWorkgroup: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly maxStorageBuffersPerShaderStage: number;
  };
  createShaderModule(descriptor: { code: string; label: string }): object;
  createComputePipeline(descriptor: {
    compute: { module: object; entryPoint: string };
    label: string;
    layout: 'auto';
  }): Pipeline;
  createBindGroup(descriptor: { layout: object; entries: { binding: number; resource: BufferRange }[] }): object;
}

export interface Pipeline {
  getBindGroupLayout(index: number): object;
}

/** A part of a buffer, in bytes. Without offset and size it is all of the buffer. */
export interface BufferRange {
  readonly buffer: Buffer;
  readonly offset?: number;
  readonly size?: number;
}
