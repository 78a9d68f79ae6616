import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
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

export interface BackendReport {
  readonly backend: BackendName;
  readonly ready: boolean;
  /** Version of each package, null where it is not installed. */
  readonly packages: Readonly<Record<string, string | null>>;
  /** Speed of a 512³ product, multiply and add counted, where it is ready. */
  readonly gigaflops?: number;
  /** What WebGPU runs on, where it is ready. */
  readonly adapter?: Adapter;
  /** One sentence: what is missing or wrong, and the command or step that mends it. */
  readonly problem?: string;
}

export interface DoctorReport {
  readonly node: string;
  readonly platform: string;
  readonly logicalCpus: number;
  readonly tfjsCore: string;
  readonly tfjsLayers: string;
  /** What `useBackend('auto')` takes; null where nothing is ready or some were not looked at. */
  readonly auto: BackendName | null;
  readonly backends: readonly BackendReport[];
  readonly notes: readonly string[];
}

const PROBE_TIMEOUT_MS = 60_000;

/**
 * Looks at backends, each in a process of its own, so that this one's backend stays as it is.
 *
 * @param names which; default all, and only then is the automatic choice known.
 */
export async function doctorReport(names: readonly BackendName[] = AUTO_ORDER): Promise<DoctorReport> {
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

/** The report as lines for a terminal. */
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

/** Why `auto` takes what it takes. */
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
