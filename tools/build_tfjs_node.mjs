/**
 * Installs @tensorflow/tfjs-node into this project's node_modules without its ordinary download: its addon is built from the C++ source of the npm package
 * against the TensorFlow of PyPI's wheel. For machines that reach npm and PyPI alone; everybody else runs "npm install @tensorflow/tfjs-node".
 *
 *   node tools/build_tfjs_node.mjs [--tensorflow 2.21.0]
 *
 * Needs python3 with pip, make and a C++ compiler. Library, headers and addon are kept in $XDG_CACHE_HOME/tfjs-ilrec (default ~/.cache), by version.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { tensorflow: { type: 'string', default: '2.21.0' } } });
const project = join(dirname(fileURLToPath(import.meta.url)), '..');
const tfjsVersion = JSON.parse(
  readFileSync(join(project, 'node_modules/@tensorflow/tfjs-core/package.json'), 'utf8'),
).version;
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tfjs-ilrec');
const tensorflow = join(cache, `tensorflow-${options.tensorflow}-${process.arch}`);
const built = join(
  cache,
  `tfjs-node-${tfjsVersion}-tensorflow-${options.tensorflow}-node-${process.versions.modules}-${process.arch}`,
);

/** Runs a command; its output is shown only where it fails. */
function run(command, args, folder = project) {
  try {
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, CI: '' } });
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().split('\n').slice(-30).join('\n');
    throw new Error(
      `${output}\nbuild_tfjs_node: "${[command, ...args].join(' ')}" must succeed, got ${error.status ?? error.code}; the lines above say why`,
    );
  }
}

/** Makes a folder whole or not at all. */
function make(folder, fill) {
  if (existsSync(folder)) return;
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(`${folder}.`);
  try {
    fill(aside);
    renameSync(aside, folder);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exitCode = 1;
});

make(tensorflow, (folder) => {
  const wheel = join(folder, 'wheel');
  run('python3', [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--dest',
    wheel,
    `tensorflow-cpu==${options.tensorflow}`,
  ]);
  run('python3', ['-m', 'zipfile', '-e', join(wheel, readdirSync(wheel)[0]), wheel]);
  mkdirSync(join(folder, 'lib'));
  for (const library of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'])
    renameSync(join(wheel, 'tensorflow', library), join(folder, 'lib', library));
  symlinkSync('libtensorflow_cc.so.2', join(folder, 'lib', 'libtensorflow.so')); // the names that the ordinary download has
  symlinkSync('libtensorflow_cc.so.2', join(folder, 'lib', 'libtensorflow.so.2'));
  symlinkSync('libtensorflow_framework.so.2', join(folder, 'lib', 'libtensorflow_framework.so'));
  renameSync(join(wheel, 'tensorflow', 'include'), join(folder, 'include'));
  rmSync(wheel, { recursive: true });
});

make(built, (folder) => {
  run('npm', [
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `@tensorflow/tfjs-node@${tfjsVersion}`,
  ]);
  const tfjsNode = join(folder, 'tfjs-node');
  renameSync(join(folder, 'node_modules/@tensorflow/tfjs-node'), tfjsNode);
  rmSync(join(folder, 'node_modules/@tensorflow'), { recursive: true }); // tfjs itself is the project's
  rmSync(join(tfjsNode, 'node_modules'), { recursive: true, force: true });
  renameSync(join(folder, 'node_modules'), join(tfjsNode, 'node_modules'));
  symlinkSync(tensorflow, join(tfjsNode, 'deps'));
  const headers = dirname(dirname(process.execPath)); // else node-gyp downloads them
  const nodeFolder = existsSync(join(headers, 'include/node/node.h')) ? [`--nodedir=${headers}`] : [];
  run('npx', ['node-pre-gyp', 'install', '--build-from-source', ...nodeFolder], tfjsNode);
});

const installed = join(project, 'node_modules/@tensorflow/tfjs-node');
rmSync(installed, { recursive: true, force: true });
cpSync(join(built, 'tfjs-node'), installed, { recursive: true, verbatimSymlinks: true });
run(process.execPath, [
  '-e',
  "const tf = require('@tensorflow/tfjs-node'); if (tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0] !== 11) process.exit(1)",
]);
console.log(`@tensorflow/tfjs-node ${tfjsVersion} on TensorFlow ${options.tensorflow} is in node_modules`);
