// Compiles the SIMD kernels and writes them as base64 into src/kernels/wasm/simd_binary.ts: `npm run build:simd`, which `npm ci` runs in a clone.
// Four forms of one program: tfjs's memory is shared between threads or not, and newer engines multiply and add in one instruction.
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
    return null; // the compiler tries several places
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
