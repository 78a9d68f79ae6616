// `npm run build:simd` compiles the SIMD kernels and writes them as base64 to src/kernels/wasm/simd_binary.ts. `npm ci` runs it in a clone.
// There are four forms: tfjs's memory may be shared between threads, and newer engines multiply and add in one instruction.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const source = fileURLToPath(new URL('index.ts', import.meta.url));
const target = fileURLToPath(new URL('../src/kernels/wasm/simd_binary.ts', import.meta.url));
const COMMON = [
  '--runtime',
  'stub',
  '--importMemory',
  '--noAssert',
  '--optimizeLevel',
  '3',
  '--enable',
  'simd',
  '--disableWarning',
  '112',
];
const SHARED = ['--enable', 'threads', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'];
const RELAXED = ['--enable', 'relaxed-simd'];
const FORMS = { plain: [], relaxed: RELAXED, shared: SHARED, sharedRelaxed: [...SHARED, ...RELAXED] };

async function compile(options) {
  let binary;
  const { error, stderr } = await asc.main([source, '--outFile', 'kernels.wasm', ...COMMON, ...options], {
    readFile: (name) => read(name),
    writeFile: (_, contents) => void (binary = contents),
    listFiles: () => [],
  });
  if (error) throw new Error(`build:simd: ${error.message}\n${stderr.toString()}`);
  return Buffer.from(binary).toString('base64');
}

function read(name) {
  try {
    return readFileSync(name, 'utf8');
  } catch {
    return null; // the compiler tries several paths
  }
}

const lines = [
  '// Written by assembly/build.mjs from assembly/*.ts; do not edit.',
  '/** The SIMD kernels as WebAssembly, base64. */',
  'export const SIMD_BINARIES = {',
];
for (const [form, options] of Object.entries(FORMS)) lines.push(`  ${form}: '${await compile(options)}',`);
writeFileSync(`${target}.tmp`, [...lines, '} as const;', ''].join('\n'));
renameSync(`${target}.tmp`, target);
