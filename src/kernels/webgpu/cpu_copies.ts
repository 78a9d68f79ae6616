import type { WebGpuBackend } from './webgpu_backend';

/** How often a tensor's numbers have been written on the device. */
const writes = new WeakMap<object, number>();
/** Backends that keep their copies true already. */
const done = new WeakSet<object>();

/** Notes that a program writes a tensor: the CPU's copy of it is out of date. */
export function noteWrite(backend: WebGpuBackend, dataId: object): void {
  writes.set(dataId, (writes.get(dataId) ?? 0) + 1);
  backend.tensorMap.get(dataId).values = null;
}

/**
 * Drops tfjs's copy of a tensor on the CPU when the tensor is written in place. A read that is under way still returns
 * the numbers from when it began; the next read returns the new ones.
 */
export function keepCopiesTrue(backend: WebGpuBackend): void {
  if (done.has(backend)) return;
  done.add(backend);
  const run = backend.runWebGPUProgram.bind(backend);
  backend.runWebGPUProgram = (program, inputs, dtype, uniforms, output) => {
    const result = run(program, inputs, dtype, uniforms, output);
    if (output !== undefined && output.shape.every((n) => n > 0)) noteWrite(backend, output.dataId);
    return result;
  };
  const read = backend.read.bind(backend);
  backend.read = async (dataId) => {
    const before = writes.get(dataId);
    const values = await read(dataId);
    if (writes.get(dataId) !== before && backend.tensorMap.has(dataId)) backend.tensorMap.get(dataId).values = null;
    return values;
  };
}
