import type * as tf from '@tensorflow/tfjs-core';
import { planSegmentSum } from '../unsorted_segment_sum';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import { clear, countOf, makeOutput, partsOf, runShader } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

/**
 * Adds the rows of each segment in their order, so that the same input always gives the same sum. tfjs's kernel adds
 * floats atomically, in any order. Each segment's rows form a chain, which the invocations of its first row add up;
 * segments without rows stay zeros.
 */
export const webgpuUnsortedSegmentSum: KernelReplacement = {
  kernelName: 'UnsortedSegmentSum',
  create:
    () =>
    ({ inputs, backend, attrs }) => {
      const [x, segmentIds] = [input(inputs, 'x'), input(inputs, 'segmentIds')];
      const { shape, inner, dtype } = planSegmentSum(x, segmentIds, attrs?.numSegments as number);
      const webgpu = backend as WebGpuBackend;
      const sum = makeOutput(webgpu, shape, dtype);
      clear(webgpu, sum);
      if (countOf(x) === 0 || countOf(sum) === 0) return sum;
      const chains = chainsOf(webgpu, segmentIds);
      addChains(webgpu, x, segmentIds, chains, inner, sum);
      webgpu.disposeData(chains.dataId);
      return sum;
    },
};

const findChains: ShaderProgram = {
  name: 'unsortedSegmentSum',
  workgroupSize: 64,
  declarations: `
    var<workgroup> earlier: atomic<u32>;
    var<workgroup> next: atomic<u32>;`,
  body: `
    if (group >= u.rows) { return; }
    let id = ids[group];
    if (lane == 0) { atomicStore(&next, u.rows); }
    workgroupBarrier();
    for (var row = lane; row < group; row += 64) {
      if (ids[row] == id) { atomicOr(&earlier, 1); break; }
    }
    for (var row = group + 1 + lane; row < u.rows; row += 64) {
      if (ids[row] == id) { atomicMin(&next, row); break; }
    }
    workgroupBarrier();
    if (lane == 0) {
      let found = atomicLoad(&next);
      chains[group] = select(1, 0, atomicLoad(&earlier) == 1);
      chains[u.rows + group] = select(0, i32(found), found < u.rows);
    }`,
};

/**
 * The chains, [2, rows]: for each row 1 if it is the first of its id, else 0; then for each row the next one of the
 * same id, 0 if it is the last.
 */
function chainsOf(backend: WebGpuBackend, ids: tf.TensorInfo): tf.TensorInfo {
  const rows = countOf(ids);
  const chains = makeOutput(backend, [2, rows], 'int32');
  runShader(backend, findChains, { reads: { ids }, writes: { chains }, integers: { rows }, workgroups: rows });
  return chains;
}

const sumChains: ShaderProgram = {
  name: 'unsortedSegmentSum',
  workgroupSize: 64,
  body: `
    let i = group % u.blocks * 64 + lane;
    let first = group / u.blocks;
    if (first >= u.rows || i >= u.inner) { return; }
    let id = ids[first];
    if (chains[first] == 0 || id < i32(u.firstSegment) || id >= i32(u.endSegment)) { return; }
    var total = x[first * u.inner + i];
    for (var row = u32(chains[u.rows + first]); row > 0; row = u32(chains[u.rows + row])) { total += x[row * u.inner + i]; }
    sums[(u32(id) - u.firstSegment) * u.inner + i] = total;`,
};

/** An invocation adds up one column of one chain. */
function addChains(
  backend: WebGpuBackend,
  x: tf.TensorInfo,
  ids: tf.TensorInfo,
  chains: tf.TensorInfo,
  inner: number,
  sum: tf.TensorInfo,
): void {
  const rows = countOf(ids);
  const blocks = Math.ceil(inner / 64);
  for (const { begin, end } of partsOf(backend.device, sizeOf(sum.shape), inner)) {
    runShader(backend, sumChains, {
      reads: { x, ids, chains },
      writes: { sums: { tensor: sum, begin, end } },
      integers: { rows, inner, blocks, firstSegment: begin / inner, endSegment: end / inner },
      workgroups: rows * blocks,
    });
  }
}
