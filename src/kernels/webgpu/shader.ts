import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../wasm/wasm_backend';
import { bindingLimit } from './binding_limit';
import type { Buffer, BufferRange, Device, Pipeline, WebGpuBackend } from './webgpu_backend';

/** A tensor that a shader reads or writes, or the numbers [begin, end) of it: begin on a multiple of what `alignment` says. */
export type Operand = tf.TensorInfo | { readonly tensor: tf.TensorInfo; readonly begin: number; readonly end: number };

/** One run of a WGSL program over tensors. */
export interface ShaderRun {
  /** Names the program: two that differ in any text below need two names. */
  readonly name: string;
  /** What the program only reads, and what it writes, by the names that it knows them under: arrays of f32 or i32. One tensor may not be in both. */
  readonly reads: Readonly<Record<string, Operand>>;
  readonly writes: Readonly<Record<string, Operand>>;
  /** Values known as `u.name`: u32. */
  readonly integers?: Readonly<Record<string, number>>;
  /** Values known as `u.name`: f32. */
  readonly floats?: Readonly<Record<string, number>>;
  /** Extensions that the program asks for, such as `subgroups`; the device must have them. */
  readonly enable?: readonly string[];
  /** Invocations of a workgroup. */
  readonly workgroupSize: number;
  /** How many workgroups run; of one number they are laid out so that any number fits. */
  readonly workgroups: number | readonly [number, number, number];
  /** Functions and workgroup variables. */
  readonly declarations?: string;
  /**
   * The program. It knows `group` (number of the workgroup where `workgroups` is one number; then some past the last one run too and must do nothing,
   * unless it starts with `if (group >= n) { return; }` by itself), `group_id` (vec3u) and `lane` (number of the invocation in its workgroup).
   */
  readonly body: string;
}

/** A new tensor on the device, its numbers not set. */
export function makeOutput(backend: WebGpuBackend, shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): tf.TensorInfo {
  return backend.makeTensorInfo([...shape], dtype);
}

/** Records one run of a program; it is done before whatever is recorded after it. */
export function runShader(backend: WebGpuBackend, run: ShaderRun): void {
  const operands = [...Object.values(run.writes), ...Object.values(run.reads)];
  const tensors = operands.map((operand) => ('tensor' in operand ? operand.tensor : operand));
  for (const { dataId } of tensors) {
    backend.uploadToGPU(dataId);
    backend.commandQueueOwnedIds.add(dataId);
  }
  const pipeline = pipelineOf(backend.device, run);
  const ranges = operands.map((operand) => rangeOf(backend, operand));
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

/** Bytes and numbers of f32 at whose multiples a part of a tensor may begin. */
export function alignment({ limits }: Device): { bytes: number; numbers: number } {
  const bytes = limits.minStorageBufferOffsetAlignment;
  return { bytes, numbers: bytes / 4 };
}

function rangeOf(backend: WebGpuBackend, operand: Operand): BufferRange {
  const buffer = backend.tensorMap.get(('tensor' in operand ? operand.tensor : operand).dataId).resource as Buffer;
  const limit = bindingLimit(backend.device);
  if ('tensor' in operand) {
    const size = 4 * (operand.end - operand.begin);
    if (size > limit) throw new Error(`runShader: a part of a tensor must be at most ${limit} bytes on this adapter, got ${size}; read it in smaller parts`);
    return { buffer, offset: 4 * operand.begin, size };
  }
  if (4 * countOf(operand) > limit) throw new Error(`runShader: a tensor read or written as a whole must be at most ${limit} bytes on this adapter, got [${operand.shape.join(', ')}]; read it in parts`);
  return { buffer };
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

const pipelines = new WeakMap<Device, Map<string, Pipeline>>();

function pipelineOf(device: Device, run: ShaderRun): Pipeline {
  let known = pipelines.get(device);
  if (known === undefined) pipelines.set(device, (known = new Map()));
  let pipeline = known.get(run.name);
  if (pipeline === undefined) {
    const module = device.createShaderModule({ code: sourceOf(run), label: run.name });
    pipeline = device.createComputePipeline({ compute: { module, entryPoint: 'main' }, label: run.name, layout: 'auto' });
    known.set(run.name, pipeline);
  }
  return pipeline;
}

function sourceOf({ reads, writes, integers = {}, floats = {}, enable = [], workgroupSize, declarations = '', body }: ShaderRun): string {
  const arrays = [...Object.entries(writes).map(([name, operand]) => ({ name, operand, access: 'read_write' })), ...Object.entries(reads).map(([name, operand]) => ({ name, operand, access: 'read' }))];
  const typeOf = (operand: Operand): string => (('tensor' in operand ? operand.tensor : operand).dtype === 'float32' ? 'f32' : 'i32');
  const fields = [...Object.keys(integers).map((name) => `${name}: u32`), ...Object.keys(floats).map((name) => `${name}: f32`)];
  return [
    ...enable.map((extension) => `enable ${extension};`),
    ...arrays.map(({ name, operand, access }, i) => `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${typeOf(operand)}>;`),
    ...(fields.length === 0 ? [] : [`struct Uniforms { ${fields.join(', ')} }`, `@group(0) @binding(${arrays.length}) var<uniform> u: Uniforms;`]),
    declarations,
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(num_workgroups) group_count: vec3u, @builtin(local_invocation_index) lane: u32) {',
    'let group = (group_id.z * group_count.y + group_id.y) * group_count.x + group_id.x;',
    body,
    '}',
  ].join('\n');
}

/** One number of workgroups as a grid that the device takes; it may have more cells than asked for. */
function gridOf({ limits }: Device, workgroups: number | readonly [number, number, number]): [number, number, number] {
  if (typeof workgroups !== 'number') return [...workgroups];
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (workgroups <= most) return [workgroups, 1, 1];
  const rows = Math.ceil(workgroups / most);
  return [Math.ceil(workgroups / rows), rows, 1];
}

/** Numbers of a tensor. */
export function countOf({ shape }: tf.TensorInfo): number {
  return sizeOf(shape);
}
