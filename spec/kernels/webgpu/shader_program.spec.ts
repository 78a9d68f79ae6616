import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { makeOutput, runShader } from '../../../src/kernels/webgpu/shader';
import { memoize, pipelineOf, type ShaderProgram } from '../../../src/kernels/webgpu/shader_program';
import type { Device, WebGpuBackend } from '../../../src/kernels/webgpu/webgpu_backend';
import { onWebGpu } from '../../support/backends';

const BINDINGS = '@group(0) @binding(0) var<storage, read_write> y: array<f32>;';
const PROGRAM: ShaderProgram = { name: 'same', workgroupSize: 64, declarations: '', body: 'y[lane] = 1.0;' };

/** A device that keeps the code it compiles. */
function recordingDevice(): { device: Device; compiled: { code: string; label: string }[] } {
  const compiled: { code: string; label: string }[] = [];
  const device = {
    createShaderModule: (descriptor: { code: string; label: string }) => descriptor,
    createComputePipeline: ({ compute }: { compute: { module: { code: string; label: string } } }) => {
      compiled.push(compute.module);
      return { getBindGroupLayout: () => ({}) };
    },
  };
  return { device: device as unknown as Device, compiled };
}

describe('pipelineOf', () => {
  it('compiles the same code once, in one object or in two, whatever their names', () => {
    const { device, compiled } = recordingDevice();
    const first = pipelineOf(device, PROGRAM, BINDINGS);
    expect(pipelineOf(device, PROGRAM, BINDINGS)).to.equal(first);
    expect(pipelineOf(device, { ...PROGRAM }, BINDINGS)).to.equal(first);
    expect(pipelineOf(device, { ...PROGRAM, name: 'other' }, BINDINGS)).to.equal(first);
    expect(compiled.map(({ label }) => label)).to.deep.equal(['same']);
  });

  it('compiles another program of the same name for every difference in its code', () => {
    const { device, compiled } = recordingDevice();
    const programs: ShaderProgram[] = [
      PROGRAM,
      { ...PROGRAM, body: 'y[lane] = 2.0;' },
      { ...PROGRAM, workgroupSize: 32 },
      { ...PROGRAM, declarations: 'const TWO = 2.0;' },
      { ...PROGRAM, enable: ['f16'] },
      { ...PROGRAM, enable: ['subgroups'] },
    ];
    const made = programs.map((program) => pipelineOf(device, program, BINDINGS));
    expect(new Set(made).size).to.equal(programs.length);
    expect(new Set(compiled.map(({ code }) => code)).size).to.equal(programs.length);
    programs.forEach((program, i) => expect(pipelineOf(device, program, BINDINGS)).to.equal(made[i]));
    expect(compiled).to.have.length(programs.length);
  });

  it('compiles one program again for other bindings', () => {
    const { device, compiled } = recordingDevice();
    const floats = pipelineOf(device, PROGRAM, BINDINGS);
    const integers = pipelineOf(device, PROGRAM, BINDINGS.replace('f32', 'i32'));
    expect(integers).not.to.equal(floats);
    expect(pipelineOf(device, PROGRAM, BINDINGS)).to.equal(floats);
    expect(compiled.map(({ code }) => /array<(\w+)>/.exec(code)?.[1])).to.deep.equal(['f32', 'i32']);
  });

  it('compiles for each device', () => {
    const [one, other] = [recordingDevice(), recordingDevice()];
    for (const { device } of [one, other, one]) pipelineOf(device, PROGRAM, BINDINGS);
    expect([one.compiled.length, other.compiled.length]).to.deep.equal([1, 1]);
  });
});

describe('memoize', () => {
  it('makes one result for each list of arguments', () => {
    const calls: unknown[][] = [];
    const make = memoize((...args: unknown[]) => {
      calls.push(args);
      return { args };
    });
    const [one, other] = [{ size: 1 }, { size: 1 }];
    const lists: unknown[][] = [[], [1], ['1'], [true], [1, 2], [12], ['1', '2'], [one], [other], [one, other]];
    const results = lists.map((args) => make(...args));
    expect(new Set(results).size).to.equal(lists.length);
    lists.forEach((args, i) => expect(make(...args)).to.equal(results[i]));
    expect(calls).to.deep.equal(lists);
  });
});

describe('runShader', () => {
  onWebGpu(() => {
    /** What a program makes of the numbers 0 to 63. */
    async function run(program: ShaderProgram, dtype: 'float32' | 'int32' = 'float32'): Promise<number[]> {
      const backend = tf.backend() as unknown as WebGpuBackend;
      const x = tf.range(0, 64, 1, dtype);
      const y = makeOutput(backend, [64], dtype);
      runShader(backend, program, { reads: { x }, writes: { y }, workgroups: 1 });
      const result = tf.engine().makeTensorFromTensorInfo(y);
      const values = [...(await result.data())];
      tf.dispose([x, result]);
      return values;
    }

    it('runs two programs of one name and one form, each with its own result', async () => {
      const doubled: ShaderProgram = { name: 'spec', workgroupSize: 64, body: 'y[lane] = 2 * x[lane];' };
      const squared: ShaderProgram = { ...doubled, body: 'y[lane] = x[lane] * x[lane];' };
      for (let again = 0; again < 2; again++) {
        expect(await run(doubled)).to.deep.equal(Array.from({ length: 64 }, (_, i) => 2 * i));
        expect(await run(squared)).to.deep.equal(Array.from({ length: 64 }, (_, i) => i * i));
      }
    });

    it('runs one program on floats and on integers', async () => {
      const halved: ShaderProgram = { name: 'spec', workgroupSize: 64, body: 'y[lane] = x[lane] / 2;' };
      expect((await run(halved)).slice(0, 4)).to.deep.equal([0, 0.5, 1, 1.5]);
      expect((await run(halved, 'int32')).slice(0, 4)).to.deep.equal([0, 0, 1, 1]);
    });
  });
});
