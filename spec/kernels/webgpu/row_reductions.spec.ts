import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { rowReductions } from '../../../src/kernels/webgpu/row_reductions';
import { makeOutput, runShader } from '../../../src/kernels/webgpu/shader';
import type { ShaderProgram } from '../../../src/kernels/webgpu/shader_program';
import { allowSubgroups, hasSubgroups } from '../../../src/kernels/webgpu/subgroups';
import type { WebGpuBackend } from '../../../src/kernels/webgpu/webgpu_backend';
import { onWebGpu } from '../../support/backends';
import { normals } from '../../support/random';
import { skipBecause } from '../../support/skip';

/** Sum and largest of each row of 64 or 256 numbers, from each invocation, [R, lanes]. */
async function reduce(x: Float32Array, lanes: number): Promise<{ sums: Float32Array; largest: Float32Array }> {
  const backend = tf.backend() as unknown as WebGpuBackend;
  const rows = x.length / lanes;
  const input = tf.tensor1d(x);
  const outputs = [makeOutput(backend, [x.length]), makeOutput(backend, [x.length])];
  const program: ShaderProgram = {
    name: 'reductions',
    workgroupSize: lanes,
    ...rowReductions(lanes, hasSubgroups(backend.device)),
    body: `
      let i = group * ${lanes}u + lane;
      sums[i] = sum_of(lane, x[i]);
      most[i] = largest_of(lane, x[i]);`,
  };
  runShader(backend, program, {
    reads: { x: input },
    writes: { sums: outputs[0], most: outputs[1] },
    workgroups: rows,
  });
  const [sums, largest] = await Promise.all(
    outputs.map(async (info) => {
      const tensor = tf.engine().makeTensorFromTensorInfo(info);
      const values = await tensor.data<'float32'>();
      tensor.dispose();
      return values;
    }),
  );
  input.dispose();
  return { sums, largest };
}

describe('reductions of rows on WebGPU', () => {
  onWebGpu(() => {
    for (const isAllowed of [true, false]) {
      describe(isAllowed ? 'with subgroups' : 'without subgroups', () => {
        before(function () {
          allowSubgroups(isAllowed);
          if (isAllowed && !hasSubgroups((tf.backend() as unknown as WebGpuBackend).device))
            skipBecause(this, 'the adapter has no subgroups');
        });
        after(() => allowSubgroups(true));

        for (const lanes of [64, 256]) {
          it(`give every one of ${lanes} invocations the sum and the largest number of its row`, async () => {
            const rows = 5;
            const x = normals(rows * lanes, lanes);
            const { sums, largest } = await reduce(x, lanes);
            for (let row = 0; row < rows; row++) {
              const values = [...x.subarray(row * lanes, (row + 1) * lanes)];
              const sum = values.reduce((total, value) => total + value, 0);
              for (let i = row * lanes; i < (row + 1) * lanes; i++) {
                expect(sums[i]).to.be.closeTo(sum, 1e-5 * lanes);
                expect(largest[i]).to.equal(Math.max(...values));
              }
            }
            expect(await reduce(x, lanes)).to.deep.equal({ sums, largest });
          });
        }
      });
    }
  });
});
