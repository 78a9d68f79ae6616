import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import { readFileSync } from 'node:fs';
import { dts } from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const { dependencies, peerDependencies } = JSON.parse(readFileSync('./package.json', 'utf8'));
const isOneOf = (packages) => (id) => Object.keys(packages).some((name) => id === name || id.startsWith(`${name}/`));
const isPeer = isOneOf(peerDependencies);
const isInstalled = (id) => id.startsWith('node:') || isOneOf(dependencies)(id) || isPeer(id);

const names = ['index', 'node', 'kernels', 'data', 'evaluation'];
const entries = Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]));
const typescript = () => esbuild({ target: 'es2022' });
const files = (ending) => ({
  dir: 'dist',
  entryFileNames: `[name]${ending}`,
  chunkFileNames: `chunks/[name]-[hash]${ending}`,
});
const umd = {
  format: 'umd',
  name: 'ilrec',
  globals: { '@tensorflow/tfjs-core': 'tf', '@tensorflow/tfjs-layers': 'tf' },
};

export default [
  {
    input: { ...entries, cli: 'src/cli/main.ts' },
    external: isInstalled,
    plugins: [typescript(), resolve()],
    // A file per module, so that a bundler drops what a program does not use.
    output: { ...files('.js'), format: 'es', preserveModules: true, preserveModulesRoot: 'src' },
  },
  {
    input: entries,
    external: isInstalled,
    plugins: [typescript(), resolve()],
    output: { ...files('.cjs'), format: 'cjs' },
  },
  {
    input: entries.index,
    external: isPeer,
    plugins: [typescript(), resolve({ browser: true }), commonjs()],
    output: [
      { ...umd, file: 'dist/tfjs-ilrec.umd.js' },
      { ...umd, file: 'dist/tfjs-ilrec.umd.min.js', plugins: [terser()] },
    ],
  },
  {
    input: entries,
    external: isInstalled,
    plugins: [dts()],
    output: ['.d.ts', '.d.cts'].map((ending) => ({ ...files(ending), format: 'es' })),
  },
];
