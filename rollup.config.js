import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import { readFileSync } from 'node:fs';
import { dts } from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const { dependencies, peerDependencies, version } = JSON.parse(readFileSync('./package.json', 'utf8'));
const isInstalled = (id) => id.startsWith('node:') || [...Object.keys(dependencies), ...Object.keys(peerDependencies)].some((name) => id === name || id.startsWith(`${name}/`));
const isPeer = (id) => Object.keys(peerDependencies).some((name) => id === name || id.startsWith(`${name}/`));
const typescript = () => esbuild({ target: 'es2022', define: { __VERSION__: JSON.stringify(version) } });
const entries = { index: 'src/index.ts', node: 'src/node.ts' };
const umd = { format: 'umd', name: 'ilrec', globals: { '@tensorflow/tfjs-core': 'tf', '@tensorflow/tfjs-layers': 'tf' }, sourcemap: true };

export default [
  {
    input: { ...entries, cli: 'src/cli/main.ts' },
    external: isInstalled,
    plugins: [typescript(), resolve()],
    output: { dir: 'dist', format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js', sourcemap: true },
  },
  {
    input: entries,
    external: isInstalled,
    plugins: [typescript(), resolve()],
    output: { dir: 'dist', format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: 'chunks/[name]-[hash].cjs', sourcemap: true },
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
  ...['.d.ts', '.d.cts'].map((suffix) => ({
    input: entries,
    external: isInstalled,
    plugins: [dts()],
    output: { dir: 'dist', format: 'es', entryFileNames: `[name]${suffix}`, chunkFileNames: `chunks/[name]-[hash]${suffix}` },
  })),
];
