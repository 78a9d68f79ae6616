import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { BACKENDS, type BackendName } from '../../src/backends/backend_table_node';
import { doctorReport, formatDoctorReport, type DoctorReport } from '../../src/backends/doctor_node';
import { nodeVersionProblem, restoreOldUtil } from '../../src/backends/node_runtime_node';
import { findPackage } from '../../src/backends/optional_package_node';
import { findAdapter, isSoftware, nameOf } from '../../src/backends/webgpu_device';
import { IlrecError } from '../../src/errors';
import '../support/backends';
import { skipBecause } from '../support/skip';

describe('doctorReport', () => {
  let report: DoctorReport;
  let backendBefore: string;

  before(async () => {
    await tf.setBackend('cpu');
    backendBefore = tf.getBackend();
    report = await doctorReport();
  });

  it('names every backend, its packages and their versions', () => {
    expect(report.backends.map(({ backend }) => backend)).to.deep.equal(Object.keys(BACKENDS));
    const wasm = report.backends.find(({ backend }) => backend === 'wasm');
    expect(wasm?.packages).to.deep.equal({
      '@tensorflow/tfjs-backend-wasm': findPackage('@tensorflow/tfjs-backend-wasm')?.version,
    });
  });

  it('measures what is ready and says how to add what is not', () => {
    for (const { backend, ready, gigaflops, packages, problem } of report.backends) {
      if (ready) expect(gigaflops, backend).to.be.greaterThan(0);
      else if (Object.values(packages).includes(null))
        expect(problem, backend).to.match(/^not installed: .+; run "npm install .+"$/);
      else expect(problem, backend).to.match(/^installed but not working \(.+\); /);
    }
    expect(report.backends.filter(({ ready }) => ready).map(({ backend }) => backend)).to.include.members([
      'wasm',
      'cpu',
    ]);
  });

  it('leaves the backend of this process as it was', () => {
    expect(tf.getBackend()).to.equal(backendBefore);
  });

  it('prints a line for each backend and the automatic choice', () => {
    const lines = formatDoctorReport(report).split('\n');
    expect(lines[0]).to.include(`Node ${process.version}`).and.to.include(`tfjs-core ${tf.version_core}`);
    expect(lines.slice(1, 6).map((line) => line.split(/\s+/)[1])).to.deep.equal(Object.keys(BACKENDS));
    expect(lines[6]).to.match(
      new RegExp(`^auto: ${report.auto}, the first that is ready of node-gpu, webgpu on a GPU, node, wasm, cpu`),
    );
  });

  it('never chooses a software adapter, and says so', () => {
    const [webgpu] = report.backends.filter(({ backend }) => backend === 'webgpu');
    const software = { ...webgpu, ready: true, gigaflops: 1, adapter: { name: 'lava', isSoftware: true } };
    const text = formatDoctorReport({
      ...report,
      auto: 'wasm',
      backends: report.backends.map((each) => (each.backend === 'webgpu' ? software : each)),
    });
    expect(text)
      .to.include('1 GFLOP/s on lava, a software adapter')
      .and.to.include('; webgpu has a software adapter here, slower than wasm, and is used only when asked for');
    if (webgpu.adapter?.isSoftware === true) expect(report.auto).to.not.equal('webgpu');
  });

  it('judges the adapter as useBackend does', async function () {
    const adapter = await findAdapter(); // of Dawn, which spec/support has opened
    if (adapter === null) skipBecause(this, 'the package webgpu finds no adapter, or was not asked for');
    expect(report.backends.find(({ backend }) => backend === 'webgpu')?.adapter).to.deep.equal({
      name: nameOf(adapter),
      isSoftware: isSoftware(adapter),
    });
  });

  it('refuses a name it does not know', async () => {
    const error = await doctorReport(['wasm', 'cuda' as BackendName]).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(IlrecError);
    expect((error as IlrecError).message).to.equal(
      "doctorReport: names must be among node-gpu, webgpu, node, wasm, cpu, got 'cuda'",
    );
  });

  it('looks at one backend alone where asked', async () => {
    const { backends, auto } = await doctorReport(['cpu']);
    expect(backends.map(({ backend }) => backend)).to.deep.equal(['cpu']);
    expect(auto).to.equal(null);
  });

  it('prints the command that adds a first backend', () => {
    const empty = { ...report, auto: null, backends: [], notes: ['note'] };
    expect(formatDoctorReport(empty).split('\n').slice(1)).to.deep.equal([
      'auto: nothing is ready; run "npm install @tensorflow/tfjs-backend-wasm"',
      'note',
    ]);
  });
});

describe('tfjs-node on new releases of Node', () => {
  it('is without a problem up to Node 22', () => {
    for (const version of ['20.19.0', '22.1.0']) expect(nodeVersionProblem(version)).to.equal(undefined);
  });

  it('says from Node 23 on what breaks and what to do', () => {
    expect(nodeVersionProblem('24.1.0')).to.equal(
      'Node 24.1.0 has no util.isNullOrUndefined, which @tensorflow/tfjs-node calls in many operations; ' +
        'useBackend restores it, but a program that imports tfjs-node itself needs Node 20 or 22',
    );
  });

  it('gets back the functions that Node removed', async () => {
    restoreOldUtil();
    const { default: util } = (await import('node:util')) as unknown as {
      default: { isNullOrUndefined(x: unknown): boolean; isArray(x: unknown): boolean };
    };
    expect([null, undefined, 0].map((value) => util.isNullOrUndefined(value))).to.deep.equal([true, true, false]);
    expect(util.isArray([])).to.equal(true);
  });
});

describe('findPackage', () => {
  it('finds an installed package and no other', () => {
    expect(findPackage('@tensorflow/tfjs-core')?.version).to.equal(tf.version_core);
    expect(findPackage('@tensorflow/no-such-package')).to.equal(undefined);
  });
});
