import type { BackendName } from './backend_table_node';
import { placeDawn } from './dawn';
import type { AdapterFacts } from './webgpu_device';

/** The probe's input: JSON in the environment variable ILREC_PROBE. */
export interface ProbeRequest {
  readonly backend: BackendName;
  readonly tfjsName: string;
  /** The file URL of tfjs-core. */
  readonly core: string;
  /** The file URLs of the backend's packages. */
  readonly entries: readonly string[];
  readonly wasmFolder: string;
}

/** The probe's output: JSON, as its last line. */
export type ProbeResult =
  { readonly gigaflops: number; /** Of WebGPU. */ readonly adapter?: AdapterFacts } | { readonly error: string };

/**
 * A program for a process of its own: loads one backend, multiplies two 512 x 512 matrices and prints the speed, or the
 * first line of the error.
 */
export const PROBE = `
const { backend, tfjsName, core, entries, wasmFolder } = JSON.parse(process.env.ILREC_PROBE);
const placeDawn = ${String(placeDawn)};
const load = async (url) => { const module = await import(url); return { ...module, ...module.default }; };
const answer = (result) => process.stdout.write('\\n' + JSON.stringify(result), () => process.exit(0));
try {
  const util = process.getBuiltinModule?.('node:util') ?? {};
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
  const tf = await load(core);
  for (const entry of entries) {
    const module = await load(entry);
    if (module.setWasmPaths) module.setWasmPaths(wasmFolder);
    if (module.create && module.globals) placeDawn(module);
  }
  if (!(await tf.setBackend(tfjsName))) throw new Error('tfjs refuses to start it');
  await tf.ready();
  if (backend === 'node-gpu' && !tf.backend().isUsingGpuDevice) throw new Error('TensorFlow sees no GPU');
  let adapter;
  if (backend === 'webgpu') {
    const { info = {}, isFallbackAdapter } = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    // copied one by one, as JSON.stringify skips getters of the prototype
    const { vendor, architecture, description, isFallbackAdapter: isFallback } = info;
    adapter = { info: { vendor, architecture, description, isFallbackAdapter: isFallback }, isFallbackAdapter };
  }
  const size = 512;
  const a = tf.fill([size, size], 0.5);
  let best = Infinity;
  for (let i = 0; i < 4; i++) {
    const start = performance.now();
    const [value] = await tf.matMul(a, a).data();
    best = Math.min(best, performance.now() - start);
    if (value !== size / 4) throw new Error('it multiplies wrongly');
  }
  answer({ gigaflops: Number((2 * size ** 3 / best / 1e6).toPrecision(2)), adapter });
} catch (error) {
  answer({ error: String(error?.message ?? error).split('\\n')[0] });
}
`;
