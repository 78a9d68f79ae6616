/**
 * Asks whether the specs notice a fault: makes one small change to the sources at a time, runs the specs that should fail, and says which changes
 * survive. Exits with 1 where one does. The list is tools/mutations.mjs.
 *
 *   npm run mutate                  all of them, a few minutes
 *   npm run mutate -- clipNorm trie those whose name or file holds one of these words
 *   npm run mutate -- --check       only that every entry still fits the sources, a second
 *
 * Works on a copy in the temporary folder, so your files stay as they are. Runs on cpu and wasm.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mutations } from './mutations.mjs';

/** A change may make a loop endless; then its spec is stopped and counts as failed. */
const MINUTES_PER_CHANGE = 10;

const project = join(dirname(fileURLToPath(import.meta.url)), '..');
const words = process.argv.slice(2).filter((word) => word !== '--check');
const chosen = mutations.filter(
  ({ name, file }) => words.length === 0 || words.some((word) => `${name} ${file}`.includes(word)),
);

const misfits = chosen.flatMap(({ name, file, find, replace }) => {
  const count = readFileSync(join(project, file), 'utf8').split(find).length - 1;
  if (count !== 1) return `${name}: ${file} must hold the text to find once, got ${count} times: ${find}`;
  return find === replace ? `${name}: the replacement must differ from the text to find` : [];
});
if (chosen.length === 0) misfits.push(`no change has one of these words in its name or file: ${words.join(', ')}`);
if (misfits.length > 0) {
  console.error(`mutate: tools/mutations.mjs must fit the sources\n${misfits.join('\n')}`);
  process.exit(1);
}
if (process.argv.includes('--check')) {
  console.log(`${chosen.length} changes fit the sources`);
  process.exit(0);
}

const copy = mkdtempSync(join(tmpdir(), 'ilrec-mutate-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
const left = ['node_modules', 'dist', 'runs', '.git', '.cache'];
cpSync(project, copy, { recursive: true, filter: (path) => !left.includes(relative(project, path)) });
symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));

/** Runs specs in the copy. @returns the titles of those that failed, at least one where the run failed. */
function failuresOf(specs) {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const mocha = join(copy, 'node_modules/mocha/bin/mocha.js');
  const options = ['--bail', '--reporter', 'json', '--reporter-option', `output=${report}`];
  const { status, stderr, error } = spawnSync(process.execPath, [mocha, ...options, ...specs], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, ILREC_SPEC_BACKENDS: 'cpu,wasm' },
    maxBuffer: 2 ** 30,
    timeout: MINUTES_PER_CHANGE * 60_000,
  });
  if (error?.code === 'ETIMEDOUT') return ['(no end)'];
  if (status === 0) return [];
  try {
    return JSON.parse(readFileSync(report, 'utf8')).failures.map(({ fullTitle }) => fullTitle);
  } catch {
    throw new Error(`mutate: mocha must run ${specs.join(' ')}, got exit code ${status}\n${stderr}`);
  }
}

const allSpecs = [...new Set(chosen.flatMap(({ specs }) => specs))];
console.log(`${allSpecs.length} specs without a change ...`);
const failing = failuresOf(allSpecs);
if (failing.length > 0) {
  console.error(`mutate: the specs must pass before the sources are changed, got a failure: ${failing[0]}`);
  process.exit(1);
}

const survivors = [];
for (const { name, file, find, replace, specs } of chosen) {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  let failures;
  try {
    failures = failuresOf(specs);
  } finally {
    writeFileSync(path, source);
  }
  if (failures.length === 0) survivors.push(name);
  console.log(failures.length === 0 ? `SURVIVED  ${name} (${file})` : `killed    ${name}, by: ${failures[0]}`);
}
console.log(`\n${chosen.length - survivors.length} killed, ${survivors.length} survived`);
process.exitCode = survivors.length === 0 ? 0 : 1;
