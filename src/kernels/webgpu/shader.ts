import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernel';
import { bindingLimit } from './binding_limit';
import { noteWrite } from './cpu_copies';
import type { Buffer, BufferRange, Device, Pipeline, TensorData, WebGpuBackend } from './webgpu_backend';

/** A tensor that a shader reads or writes, or a part of it. */
export type Operand = tf.TensorInfo | Part;

/** The numbers [begin, end) of a tensor: all by default, begin on a multiple of what `alignment` says. */
export interface Part {
  readonly tensor: tf.TensorInfo;
  readonly begin?: number;
  readonly end?: number;
  /** Whether the program knows it as an array of vec4f; its numbers must then be a multiple of 4. */
  readonly fours?: boolean;
}

/** One run of a WGSL program over tensors. */
export interface ShaderRun {
  /** Names the program: two that differ in any text below need two names. */
  readonly name: string;
  /** What the program only reads, and what it writes, by the names that it knows them under: arrays of f32 or i32, none of them empty. One tensor may not be in both. */
  readonly reads: Readonly<Record<string, Operand>>;
  readonly writes: Readonly<Record<string, Operand>>;
  /** Values known as `u.name`: u32. */
  readonly integers?: Readonly<Record<string, number>>;
  /** Values known as `u.name`: f32. */
  readonly floats?: Readonly<Record<string, number>>;
  /** Extensions that the program asks for; the device must have them. With `subgroups` it knows `subgroup_lane`, `subgroup_number` and `subgroup_count`, of its workgroup. */
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
export function makeOutput(
  backend: WebGpuBackend,
  shape: readonly number[],
  dtype: 'float32' | 'int32' = 'float32',
): tf.TensorInfo {
  const none = dtype === 'float32' ? new Float32Array(0) : new Int32Array(0);
  return backend.makeTensorInfo([...shape], dtype, sizeOf(shape) === 0 ? none : undefined); // nothing to read back from the device
}

/** Makes all numbers of a tensor zero. */
export function clear(backend: WebGpuBackend, info: tf.TensorInfo): void {
  if (countOf(info) === 0) return;
  backend.uploadToGPU(info.dataId);
  backend.commandQueueOwnedIds.add(info.dataId);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.clearBuffer(dataOf(backend, info).resource as Buffer);
}

/** Records one run of a program; it is done before whatever is recorded after it. */
export function runShader(backend: WebGpuBackend, run: ShaderRun): void {
  const named = Object.entries(run.reads).map(([name, operand]) => ({
    name,
    operand,
    copy: isRenamed(backend, operand) ? converted(backend, tensorOf(operand)) : null,
  }));
  const reads = named.map(({ name, operand, copy }): [string, Operand] => [
    name,
    copy === null ? operand : 'tensor' in operand ? { ...operand, tensor: copy } : copy,
  ]);
  record(backend, { ...run, reads: Object.fromEntries(reads) });
  for (const { copy } of named) if (copy !== null) backend.disposeData(copy.dataId);
}

function record(backend: WebGpuBackend, run: ShaderRun): void {
  const operands = [...Object.values(run.writes), ...Object.values(run.reads)];
  for (const { dataId } of operands.map(tensorOf)) {
    backend.uploadToGPU(dataId);
    backend.commandQueueOwnedIds.add(dataId);
  }
  for (const operand of Object.values(run.writes)) noteWrite(backend, tensorOf(operand).dataId);
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

/** Bounds of parts of `count` numbers that a shader can bind, each but the last a multiple of `unit` numbers long. */
export function partsOf(device: Device, count: number, unit = 1): { begin: number; end: number }[] {
  let whole = unit;
  while ((4 * whole) % device.limits.minStorageBufferOffsetAlignment !== 0) whole *= 2; // the alignment is a power of two
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

function rangeOf(backend: WebGpuBackend, operand: Operand): BufferRange {
  const info = tensorOf(operand);
  const buffer = dataOf(backend, info).resource as Buffer;
  const { begin = 0, end = countOf(info) } = 'tensor' in operand ? operand : {};
  const limit = bindingLimit(backend.device);
  if (4 * (end - begin) > limit)
    throw new Error(
      `runShader: what is read or written at once must be at most ${limit} bytes on this adapter, got [${info.shape.join(', ')}]; read it in parts`,
    );
  return { buffer, offset: 4 * begin, size: 4 * (end - begin) };
}

/** Whether a tensor says float32 and its buffer holds integers: tfjs's cast of integers to floats changes the name only. */
function isRenamed(backend: WebGpuBackend, operand: Operand): boolean {
  const info = tensorOf(operand);
  return info.dtype === 'float32' && dataOf(backend, info).dtype !== 'float32';
}

function converted(backend: WebGpuBackend, { dataId, shape }: tf.TensorInfo): tf.TensorInfo {
  const to = makeOutput(backend, shape);
  record(backend, {
    name: 'converted',
    reads: { whole: { dataId, shape, dtype: 'int32' } },
    writes: { real: to },
    integers: { count: sizeOf(shape) },
    workgroupSize: 64,
    workgroups: Math.ceil(sizeOf(shape) / 64),
    body: `let i = group * 64 + lane;
      if (i < u.count) { real[i] = f32(whole[i]); }`,
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

const pipelines = new WeakMap<Device, Map<string, Pipeline>>();

function pipelineOf(device: Device, run: ShaderRun): Pipeline {
  let known = pipelines.get(device);
  if (known === undefined) pipelines.set(device, (known = new Map()));
  const name = [run.name, ...(run.enable ?? [])].join(' with ');
  let pipeline = known.get(name);
  if (pipeline === undefined) {
    const module = device.createShaderModule({ code: sourceOf(run), label: name });
    pipeline = device.createComputePipeline({ compute: { module, entryPoint: 'main' }, label: name, layout: 'auto' });
    known.set(name, pipeline);
  }
  return pipeline;
}

function sourceOf({
  reads,
  writes,
  integers = {},
  floats = {},
  enable = [],
  workgroupSize,
  declarations = '',
  body,
}: ShaderRun): string {
  const arrays = [
    ...Object.entries(writes).map(([name, operand]) => ({ name, operand, access: 'read_write' })),
    ...Object.entries(reads).map(([name, operand]) => ({ name, operand, access: 'read' })),
  ];
  const typeOf = (operand: Operand): string => {
    const number = tensorOf(operand).dtype === 'float32' ? 'f32' : 'i32';
    return 'tensor' in operand && operand.fours === true ? `vec4<${number}>` : number;
  };
  const usesSubgroups = enable.includes('subgroups');
  const fields = [
    ...Object.keys(integers).map((name) => `${name}: u32`),
    ...Object.keys(floats).map((name) => `${name}: f32`),
  ];
  return [
    ...enable.map((extension) => `enable ${extension};`),
    ...arrays.map(
      ({ name, operand, access }, i) =>
        `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${typeOf(operand)}>;`,
    ),
    ...(fields.length === 0
      ? []
      : [`struct Uniforms { ${fields.join(', ')} }`, `@group(0) @binding(${arrays.length}) var<uniform> u: Uniforms;`]),
    ...(usesSubgroups
      ? ['var<private> subgroup_lane: u32; var<private> subgroup_number: u32; var<private> subgroup_count: u32;']
      : []),
    declarations,
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(num_workgroups) group_count: vec3u, @builtin(local_invocation_index) lane: u32',
    ...(usesSubgroups
      ? [
          ', @builtin(subgroup_invocation_id) lane_in_subgroup: u32, @builtin(subgroup_id) own_subgroup: u32, @builtin(num_subgroups) subgroups_here: u32',
        ]
      : []),
    ') {',
    ...(usesSubgroups
      ? ['subgroup_lane = lane_in_subgroup; subgroup_number = own_subgroup; subgroup_count = subgroups_here;']
      : []),
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
