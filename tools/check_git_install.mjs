// `npm run check-git-install`: installs the last commit as a git dependency into an empty folder and imports every entry from it.
// Takes about a minute, as npm installs the development dependencies to build.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { name, exports, bin } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'));
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.toLowerCase().startsWith('npm_')));
const folder = mkdtempSync(join(tmpdir(), 'ilrec-git-'));
const run = (command, ...args) => execFileSync(command, args, { cwd: folder, env, encoding: 'utf8' });
try {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  run('npm', 'install', '--no-audit', '--no-fund', `git+${pathToFileURL(process.cwd())}`);
  for (const entry of entries) {
    const specifier = name + entry.slice(1);
    const count = 'console.log(Object.keys(names).length)';
    const imported = run('node', '--input-type=module', '-e', `import * as names from '${specifier}'; ${count}`);
    const required = run('node', '--input-type=commonjs', '-e', `const names = require('${specifier}'); ${count}`);
    if (Number(imported) === 0 || imported !== required)
      throw new Error(`${specifier} must export the same names, got ${imported} by import and ${required} by require`);
  }
  const [command] = Object.keys(bin);
  console.log(`${name} ${run(join('node_modules', '.bin', command), '--version').trim()} installs from git`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
