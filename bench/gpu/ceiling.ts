import * as tf from '@tensorflow/tfjs-core';
import { makeOutput, runShader } from '../../src/kernels/webgpu/shader';
import type { ShaderProgram } from '../../src/kernels/webgpu/shader_program';
import type { WebGpuBackend } from '../../src/kernels/webgpu/webgpu_backend';
import { timeEach } from './device';

export interface Ceiling {
  /** Fused multiply-adds in float32 registers, each counted as two operations. */
  readonly gigaflops: number;
  /** Bytes read and written by a copy. */
  readonly gigabytesPerSecond: number;
}

/** Multiply-adds of one invocation in one pass of its loop: eight vectors of four. */
const [VECTORS, LANES, GROUP] = [8, 4, 256];

/** What the adapter can do at best, in arithmetic and in memory. */
export async function measureCeiling(backend: WebGpuBackend, seconds: number, isSmall: boolean): Promise<Ceiling> {
  const [groups, passes] = isSmall ? [16, 256] : [4096, 2048];
  const sums = makeOutput(backend, [groups * GROUP]);
  const vectors = Array.from({ length: VECTORS }, (_, i) => `v${i}`);
  const multiplyAdd: ShaderProgram = {
    name: 'benchMultiplyAdd',
    workgroupSize: GROUP,
    body: `
        ${vectors.map((v, i) => `var ${v} = vec4f(f32(lane), ${i}.0, 1.0, 2.0);`).join('\n')}
        for (var pass_number = 0u; pass_number < u.passes; pass_number++) { ${vectors.map((v) => `${v} = fma(${v}, vec4f(u.factor), vec4f(u.term));`).join(' ')} }
        let all = ${vectors.join(' + ')};
        sums[group * ${GROUP}u + lane] = all.x + all.y + all.z + all.w;`,
  };
  const compute = (): void =>
    runShader(backend, multiplyAdd, {
      reads: {},
      writes: { sums },
      integers: { passes },
      floats: { factor: 0.999, term: 0.001 },
      workgroups: groups,
    });
  const computeTime = await timeEach(compute, seconds);
  backend.disposeData(sums.dataId);

  const numbers = (isSmall ? 4 : 64) * 2 ** 20;
  const from = tf.zeros([numbers]);
  const to = makeOutput(backend, [numbers]);
  const copying: ShaderProgram = {
    name: 'benchCopy',
    workgroupSize: GROUP,
    body: `let i = group * ${GROUP}u + lane; copied[i] = source[i];`,
  };
  const copy = (): void =>
    runShader(backend, copying, { reads: { source: from }, writes: { copied: to }, workgroups: numbers / GROUP });
  const copyTime = await timeEach(copy, seconds);
  from.dispose();
  backend.disposeData(to.dataId);
  return {
    gigaflops: (groups * GROUP * passes * VECTORS * LANES * 2) / computeTime / 1e6,
    gigabytesPerSecond: (2 * 4 * numbers) / copyTime / 1e6,
  };
}
