// npm runs this after `npm ci` in a clone, and when it installs this repository as a git dependency.
// Compiles the SIMD kernels. For a git dependency it also builds dist, which the repository does not hold.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';

const binary = 'src/kernels/wasm/simd_binary.ts';
const written = (path) => statSync(path).mtimeMs;
const sources = readdirSync('assembly').map((name) => `assembly/${name}`);
if (!existsSync(binary) || sources.some((source) => written(source) > written(binary))) run('build:simd');

const { INIT_CWD } = process.env; // the folder in which npm was called: another project's, for a dependency
if (INIT_CWD !== undefined && realpathSync(INIT_CWD) !== realpathSync('.')) run('build');

function run(script) {
  execSync(`npm run ${script}`, { stdio: 'inherit' });
}
