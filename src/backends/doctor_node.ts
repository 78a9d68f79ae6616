import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { AUTO_ORDER, BACKENDS, type BackendName } from './backend_table_node';
import { nodeVersionProblem } from './node_runtime_node';
import { findPackage } from './optional_package_node';
import { PROBE, type ProbeRequest, type ProbeResult } from './probe_node';
import { isSoftware, nameOf } from './webgpu_device';

/** What WebGPU runs on. */
export interface Adapter {
  readonly name: string;
  readonly isSoftware: boolean;
}

/** What `doctorReport` found out about one backend. */
export interface BackendReport {
  readonly backend: BackendName;
  /** Whether it started and multiplied correctly. */
  readonly ready: boolean;
  /** The version of each package; null if it is not installed. */
  readonly packages: Readonly<Record<string, string | null>>;
  /** Speed of a product of two 512 x 512 matrices, multiplications and additions counted. Only if it is ready. */
  readonly gigaflops?: number;
  /** What WebGPU runs on. Only of webgpu, if it is ready. */
  readonly adapter?: Adapter;
  /** What is missing or wrong, and the command or step that repairs it. Only if it is not ready. */
  readonly problem?: string;
}

/** What `doctorReport` returns. */
export interface DoctorReport {
  /** Node's version, such as v22.1.0. */
  readonly node: string;
  /** Such as linux x64. */
  readonly platform: string;
  readonly logicalCpus: number;
  readonly tfjsCore: string;
  readonly tfjsLayers: string;
  /** The backend that `useBackend('auto')` takes; null if none is ready or not all were examined. */
  readonly auto: BackendName | null;
  /** In the order asked for. */
  readonly backends: readonly BackendReport[];
  /** Problems of the machine as a whole, such as a Node version that tfjs-node does not support. */
  readonly notes: readonly string[];
}

const PROBE_TIMEOUT_MS = 60_000;

/**
 * Reports which backends work on this machine, how fast they are, and how to repair the others.
 *
 * Each backend is examined in a process of its own, for at most a minute, so the backend of this process does not
 * change.
 *
 * @param names the backends to examine. Default all, fastest first; the automatic choice is known only then.
 * @returns the report; backends that do not work are part of it.
 * @throws IlrecError if a name is not one of node-gpu, webgpu, node, wasm and cpu.
 * @example
 * ```ts
 * import { doctorReport } from 'tfjs-ilrec/node';
 *
 * const { backends } = await doctorReport(['wasm']);
 * console.log(backends[0].backend, backends[0].ready); // wasm true
 * ```
 */
export async function doctorReport(names: readonly BackendName[] = AUTO_ORDER): Promise<DoctorReport> {
  const unknown = names.find((name) => !AUTO_ORDER.includes(name));
  if (unknown !== undefined)
    throw new IlrecError(`doctorReport: names must be among ${AUTO_ORDER.join(', ')}, got '${String(unknown)}'`);
  const backends: BackendReport[] = [];
  for (const name of names) backends.push(await examine(name));
  const isTaken = (name: BackendName): boolean =>
    backends.some(({ backend, ready, adapter }) => backend === name && ready && adapter?.isSoftware !== true);
  const nodeProblem =
    findPackage('@tensorflow/tfjs-node') || findPackage('@tensorflow/tfjs-node-gpu') ? nodeVersionProblem() : undefined;
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    logicalCpus: availableParallelism(),
    tfjsCore: tf.version_core,
    tfjsLayers: tfl.version_layers,
    auto: names.length < AUTO_ORDER.length ? null : (AUTO_ORDER.find(isTaken) ?? null),
    backends,
    notes: nodeProblem === undefined ? [] : [nodeProblem],
  };
}

/**
 * Formats a report of `doctorReport` for a terminal.
 *
 * @param report what `doctorReport` returned.
 * @returns lines of text: the versions, a line for each backend, the automatic choice if all were examined, and the
 *   notes.
 * @example
 * ```ts
 * import { doctorReport, formatDoctorReport } from 'tfjs-ilrec/node';
 *
 * const [versions, wasm] = formatDoctorReport(await doctorReport(['wasm'])).split('\n');
 * console.log(versions.startsWith('Node '), wasm.includes('GFLOP/s')); // true true
 * ```
 */
export function formatDoctorReport(report: DoctorReport): string {
  const width = Math.max(...report.backends.map(({ backend }) => backend.length));
  const lines = report.backends.map(({ backend, ready, gigaflops, adapter, packages, problem }) => {
    const versions = Object.entries(packages).map(([name, version]) => `${name} ${version ?? 'missing'}`);
    const on = adapter === undefined ? '' : ` on ${adapter.name}${adapter.isSoftware ? ', a software adapter' : ''}`;
    const state = ready ? `${versions.join(', ')}, ${gigaflops} GFLOP/s${on}` : (problem ?? 'not ready');
    return `${ready ? '✔' : '✘'} ${backend.padEnd(width)}  ${state}`;
  });
  const { node, platform, logicalCpus, tfjsCore, tfjsLayers, auto, notes } = report;
  return [
    `Node ${node} on ${platform}, ${logicalCpus} logical CPUs; tfjs-core ${tfjsCore}, tfjs-layers ${tfjsLayers}`,
    ...lines,
    ...(report.backends.length === 1
      ? []
      : [
          `auto: ${auto === null ? `nothing is ready; run "${BACKENDS.wasm.install}"` : `${auto}, ${choiceOf(report)}`}`,
        ]),
    ...notes,
  ].join('\n');
}

/** The reason for the automatic choice. */
function choiceOf({ auto, backends }: DoctorReport): string {
  const order = AUTO_ORDER.map((name) => (name === 'webgpu' ? 'webgpu on a GPU' : name)).join(', ');
  const hasSoftware = backends.some(({ adapter }) => adapter?.isSoftware === true);
  const passedOver =
    hasSoftware && auto !== 'node-gpu'
      ? '; webgpu has a software adapter here, slower than wasm, and is used only when asked for'
      : '';
  return `the first that is ready of ${order}${passedOver}`;
}

async function examine(backend: BackendName): Promise<BackendReport> {
  const { packages: names, install, repair } = BACKENDS[backend];
  const found = names.map((name) => findPackage(name));
  const packages = Object.fromEntries(names.map((name, i) => [name, found[i]?.version ?? null]));
  const missing = names.filter((_, i) => found[i] === undefined);
  if (missing.length > 0)
    return { backend, ready: false, packages, problem: `not installed: ${missing.join(', ')}; run "${install}"` };
  const result = await probe(backend);
  if ('gigaflops' in result) {
    const { gigaflops, adapter } = result;
    return {
      backend,
      ready: true,
      packages,
      gigaflops,
      ...(adapter === undefined ? {} : { adapter: { name: nameOf(adapter), isSoftware: isSoftware(adapter) } }),
    };
  }
  return { backend, ready: false, packages, problem: `installed but not working (${result.error}); ${repair}` };
}

async function probe(backend: BackendName): Promise<ProbeResult> {
  const wasm = findPackage('@tensorflow/tfjs-backend-wasm');
  const request: ProbeRequest = {
    backend,
    tfjsName: BACKENDS[backend].tfjsName,
    core: pathToFileURL(createRequire(import.meta.url).resolve('@tensorflow/tfjs-core')).href,
    entries: BACKENDS[backend].packages.map((name) => findPackage(name)?.entry ?? name),
    wasmFolder: wasm === undefined ? '' : join(wasm.folder, 'dist') + '/',
  };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROBE], {
      env: { ...process.env, NODE_OPTIONS: '', ILREC_PROBE: JSON.stringify(request), TF_CPP_MIN_LOG_LEVEL: '2' },
      timeout: PROBE_TIMEOUT_MS,
    });
    return JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as ProbeResult;
  } catch (error) {
    const { signal, killed } = error as { signal?: string; killed?: boolean };
    return {
      error: killed
        ? `no answer in ${PROBE_TIMEOUT_MS / 1000} s`
        : signal
          ? `its process died of ${signal}`
          : 'its process failed',
    };
  }
}
