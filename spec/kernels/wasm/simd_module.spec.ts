import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { addressOf, simdOf } from '../../../src/kernels/wasm/simd_module';
import type { WasmBackend } from '../../../src/kernels/wasm/wasm_backend';
import '../../support/backends';
import { skipBecause } from '../../support/skip';
import { bytesOf, type Form, instantiate, memoryOf, runForm } from './run_form';

const FLAG = '--experimental-wasm-relaxed-simd'; // engines before V8 11.4, Node 20 among them, need it

function expectAgreement(got: Record<string, number[]>, wanted: Record<string, number[]>, tolerance: number): void {
  expect(Object.keys(got)).to.deep.equal(Object.keys(wanted));
  for (const [name, values] of Object.entries(wanted)) {
    expect(
      values.some((value) => value !== 0),
      `${name} wrote nothing`,
    ).to.equal(true);
    values.forEach((value, i) => {
      if (Number.isNaN(value))
        expect(got[name][i], `${name}[${i}]`).to.satisfy(
          (other: number | null) => other === null || Number.isNaN(other),
        ); // JSON has no NaN
      else expect(Math.abs(got[name][i] - value), `${name}[${i}]`).to.be.at.most(tolerance * (1 + Math.abs(value)));
    });
  }
}

describe('the SIMD kernels', () => {
  it('are the same in the plain form and in the form for shared memory', () => {
    expect(WebAssembly.validate(bytesOf('shared'))).to.equal(true);
    expectAgreement(runForm('shared'), runForm('plain'), 0);
  });

  it('agree within rounding where the machine multiplies and adds in one instruction', function () {
    const forms: Form[] = ['relaxed', 'sharedRelaxed'];
    const results = WebAssembly.validate(bytesOf('relaxed')) ? forms.map(runForm) : runInChild(forms);
    if (typeof results === 'string') skipBecause(this, results);
    for (const relaxed of results) expectAgreement(relaxed, runForm('plain'), 2e-6);
  });

  /** The results, or why there are none. */
  function runInChild(forms: Form[]): Record<string, number[]>[] | string {
    const program = fileURLToPath(new URL('run_form.ts', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [FLAG, '--import', 'tsx', program, ...forms], {
      encoding: 'utf8',
    });
    if (/bad option/.test(stderr)) return `no relaxed SIMD, and ${FLAG} is unknown to Node ${process.version}`;
    expect(status, stderr).to.equal(0);
    const results = JSON.parse(stdout) as (Record<string, number[]> | null)[];
    return results.includes(null)
      ? `no relaxed SIMD in Node ${process.version}, not even with ${FLAG}`
      : (results as Record<string, number[]>[]);
  }

  it('refuse memory of the other kind, so that the wrong form never runs', () => {
    expect(() => instantiate('plain', memoryOf('shared'))).to.throw(WebAssembly.LinkError);
    expect(() => instantiate('shared', memoryOf('plain'))).to.throw(WebAssembly.LinkError);
  });
});

describe('simdOf', () => {
  before(async () => {
    await tf.setBackend('wasm');
  });

  it("works on the backend's memory, once per backend", () => {
    const wasm = tf.backend() as unknown as WasmBackend;
    const simd = simdOf(wasm)!;
    expect(simdOf(wasm)).to.equal(simd);
    expect(simd.threaded).to.equal(false); // tfjs has no threads in Node
    tf.tidy(() => {
      const [x, y] = [tf.tensor1d([1, 2, 3, 4, 5]), tf.zeros([5])];
      simd.kernels.copyLines(1, addressOf(wasm, x), 20, addressOf(wasm, y), 20, 20);
      expect([...y.dataSync()]).to.deep.equal([1, 2, 3, 4, 5]);
    });
  });

  it('is null where the backend does not show its memory, or a way to allocate', () => {
    const module = (fields: object): WasmBackend => ({ wasm: fields }) as unknown as WasmBackend;
    expect(simdOf(module({}))).to.equal(null);
    expect(simdOf(module({ asm: { memory: memoryOf('plain') } }))).to.equal(null);
    expect(simdOf(module({ asm: { memory: {} }, _malloc: () => 0 }))).to.equal(null);
  });

  it('knows threads by memory that is shared', () => {
    const module = { wasmMemory: memoryOf('shared'), _malloc: () => 65536 };
    expect(simdOf({ wasm: module } as unknown as WasmBackend)).to.include({ threaded: true, scratch: 65536 });
  });
});
