import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernel';
import { bindingLimit } from './binding_limit';
import { noteWrite } from './cpu_copies';
import { pipelineOf, type ShaderProgram } from './shader_program';
import type { Buffer, BufferRange, Device, TensorData, WebGpuBackend } from './webgpu_backend';

/** A tensor that a shader reads or writes, or a part of it. */
export type Operand = tf.TensorInfo | Part;

/** The numbers [begin, end) of a tensor, default all. `begin` must be a multiple of `alignment`. */
export interface Part {
  readonly tensor: tf.TensorInfo;
  readonly begin?: number;
  readonly end?: number;
  /** Whether the program reads it as an array of vec4f. It must then have a multiple of 4 numbers. Default false. */
  readonly fours?: boolean;
}

/** What one run of a program works on. */
export interface ShaderRun {
  /** What the program only reads, by the name that its code uses: arrays of f32 or i32, none of them empty. */
  readonly reads: Readonly<Record<string, Operand>>;
  /** What it writes, and may read too. A tensor may not be in both. */
  readonly writes: Readonly<Record<string, Operand>>;
  /** The code reads them as `u.name`: u32. */
  readonly integers?: Readonly<Record<string, number>>;
  /** The code reads them as `u.name`: f32. */
  readonly floats?: Readonly<Record<string, number>>;
  /** How many workgroups run. One number may be of any size: it is laid out as a grid that the device takes. */
  readonly workgroups: number | readonly [number, number, number];
}

/** A new tensor on the device, uninitialised. */
export function makeOutput(
  backend: WebGpuBackend,
  shape: readonly number[],
  dtype: 'float32' | 'int32' = 'float32',
): tf.TensorInfo {
  const none = dtype === 'float32' ? new Float32Array(0) : new Int32Array(0);
  // an empty tensor has no buffer to read
  return backend.makeTensorInfo([...shape], dtype, sizeOf(shape) === 0 ? none : undefined);
}

/** Sets all numbers of a tensor to zero. */
export function clear(backend: WebGpuBackend, info: tf.TensorInfo): void {
  if (countOf(info) === 0) return;
  backend.uploadToGPU(info.dataId);
  backend.commandQueueOwnedIds.add(info.dataId);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.clearBuffer(dataOf(backend, info).resource as Buffer);
}

/** Records one run of a program. What is recorded later sees its results. */
export function runShader(backend: WebGpuBackend, program: ShaderProgram, run: ShaderRun): void {
  const named = Object.entries(run.reads).map(([name, operand]) => ({
    name,
    operand,
    copy: isRenamed(backend, operand) ? converted(backend, tensorOf(operand)) : null,
  }));
  const reads = named.map(({ name, operand, copy }): [string, Operand] => [
    name,
    copy === null ? operand : 'tensor' in operand ? { ...operand, tensor: copy } : copy,
  ]);
  record(backend, program, { ...run, reads: Object.fromEntries(reads) });
  for (const { copy } of named) if (copy !== null) backend.disposeData(copy.dataId);
}

function record(backend: WebGpuBackend, program: ShaderProgram, run: ShaderRun): void {
  const operands = [...Object.values(run.writes), ...Object.values(run.reads)];
  for (const { dataId } of operands.map(tensorOf)) {
    backend.uploadToGPU(dataId);
    backend.commandQueueOwnedIds.add(dataId);
  }
  for (const operand of Object.values(run.writes)) noteWrite(backend, tensorOf(operand).dataId);
  const pipeline = pipelineOf(backend.device, program, bindingsOf(run));
  const ranges = operands.map((operand) => rangeOf(backend, program.name, operand));
  const uniforms = uniformsOf(backend, run);
  if (uniforms !== null) ranges.push({ buffer: uniforms });
  const bindGroup = backend.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: ranges.map((resource, binding) => ({ binding, resource })),
  });
  backend.ensureCommandEncoderReady();
  const pass = (backend.computePassEncoder ??= backend.commandEncoder.beginComputePass());
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...gridOf(backend.device, run.workgroups));
  backend.dispatchCountInPass++;
  if ((tf.env().get('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') as number) > backend.dispatchCountInPass) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** A part of a tensor may begin at multiples of this: in bytes, and in numbers of 4 bytes. */
export function alignment({ limits }: Device): { bytes: number; numbers: number } {
  const bytes = limits.minStorageBufferOffsetAlignment;
  return { bytes, numbers: bytes / 4 };
}

/**
 * Divides `count` numbers into parts that a shader can bind. Each but the last is a multiple of `unit` numbers long.
 */
export function partsOf(device: Device, count: number, unit = 1): { begin: number; end: number }[] {
  let whole = unit;
  // the alignment is a power of two
  while ((4 * whole) % device.limits.minStorageBufferOffsetAlignment !== 0) whole *= 2;
  const most = Math.max(1, Math.floor(bindingLimit(device) / (4 * whole))) * whole;
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => ({
    begin: i * most,
    end: Math.min(count, (i + 1) * most),
  }));
}

function tensorOf(operand: Operand): tf.TensorInfo {
  return 'tensor' in operand ? operand.tensor : operand;
}

function dataOf(backend: WebGpuBackend, { dataId }: tf.TensorInfo): TensorData {
  return backend.tensorMap.get(dataId);
}

function rangeOf(backend: WebGpuBackend, name: string, operand: Operand): BufferRange {
  const info = tensorOf(operand);
  const buffer = dataOf(backend, info).resource as Buffer;
  const { begin = 0, end = countOf(info) } = 'tensor' in operand ? operand : {};
  const limit = bindingLimit(backend.device);
  if (4 * (end - begin) > limit)
    throw new Error(
      `${name}: a tensor must have at most ${limit} bytes on this adapter, got [${info.shape.join(', ')}]; use ` +
        'smaller batches, or another backend',
    );
  return { buffer, offset: 4 * begin, size: 4 * (end - begin) };
}

/**
 * Whether a tensor is float32 by name and its buffer holds integers: tfjs's cast of integers to floats changes the name
 * only.
 */
function isRenamed(backend: WebGpuBackend, operand: Operand): boolean {
  const info = tensorOf(operand);
  return info.dtype === 'float32' && dataOf(backend, info).dtype !== 'float32';
}

const toFloats: ShaderProgram = {
  name: 'toFloats',
  workgroupSize: 64,
  body: `let i = group * 64 + lane;
      if (i < u.count) { real[i] = f32(whole[i]); }`,
};

function converted(backend: WebGpuBackend, { dataId, shape }: tf.TensorInfo): tf.TensorInfo {
  const to = makeOutput(backend, shape);
  record(backend, toFloats, {
    reads: { whole: { dataId, shape, dtype: 'int32' } },
    writes: { real: to },
    integers: { count: sizeOf(shape) },
    workgroups: Math.ceil(sizeOf(shape) / 64),
  });
  return to;
}

const UNIFORM_COPY_DST = 0x0040 | 0x0008; // GPUBufferUsage.UNIFORM | COPY_DST

function uniformsOf(backend: WebGpuBackend, { integers = {}, floats = {} }: ShaderRun): Buffer | null {
  const [whole, real] = [Object.values(integers), Object.values(floats)];
  const count = whole.length + real.length;
  if (count === 0) return null;
  const bytes = new ArrayBuffer(Math.ceil(count / 4) * 16);
  new Uint32Array(bytes, 0, whole.length).set(whole);
  new Float32Array(bytes, 4 * whole.length, real.length).set(real);
  const buffer = backend.bufferManager.acquireBuffer(bytes.byteLength, UNIFORM_COPY_DST);
  backend.queue.writeBuffer(buffer, 0, bytes);
  backend.uniformPendingDisposal.push(buffer);
  return buffer;
}

/** WGSL that declares what a program reads and writes, in the order of the bind group. */
function bindingsOf({ reads, writes, integers = {}, floats = {} }: ShaderRun): string {
  let text = '';
  let binding = 0;
  for (const name in writes)
    text += `@group(0) @binding(${binding++}) var<storage, read_write> ${name}: array<${typeOf(writes[name])}>;\n`;
  for (const name in reads)
    text += `@group(0) @binding(${binding++}) var<storage, read> ${name}: array<${typeOf(reads[name])}>;\n`;
  let fields = '';
  for (const name in integers) fields += `${name}: u32, `;
  for (const name in floats) fields += `${name}: f32, `;
  return fields === ''
    ? text
    : `${text}struct Uniforms { ${fields}}\n@group(0) @binding(${binding}) var<uniform> u: Uniforms;`;
}

function typeOf(operand: Operand): string {
  const number = tensorOf(operand).dtype === 'float32' ? 'f32' : 'i32';
  return 'tensor' in operand && operand.fours === true ? `vec4<${number}>` : number;
}

/** A number of workgroups as a grid that the device takes, which may have more cells than asked for. */
function gridOf({ limits }: Device, workgroups: number | readonly [number, number, number]): [number, number, number] {
  if (typeof workgroups !== 'number') return [...workgroups];
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (workgroups <= most) return [workgroups, 1, 1];
  const rows = Math.ceil(workgroups / most);
  return [Math.ceil(workgroups / rows), rows, 1];
}

/** How many numbers a tensor has. */
export function countOf({ shape }: tf.TensorInfo): number {
  return sizeOf(shape);
}
