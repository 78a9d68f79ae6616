// Prints what the docstrings of the public functions and classes lack, by file: `npx tsx spec/api/missing.ts [part of a path]`.
// With --write it lists that in undocumented.json, which the spec lets pass.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/installed_package';
import { missingDocs } from './docstrings';
import { readPublicApi } from './public_api';

const [argument = ''] = process.argv.slice(2);
const { exports } = readPublicApi();
const all = missingDocs(readPublicApi());
if (argument === '--write') {
  const lines = all.map(({ name, file, lacks }) => `${file} ${name}: ${lacks}`);
  writeFileSync(join(repository, 'spec/api/undocumented.json'), `${JSON.stringify(lines, null, 2)}\n`);
}
const missing = argument === '--write' ? all : all.filter(({ file }) => file.includes(argument));
const unfinished = exports.filter((each) => missing.some(({ name, file }) => name === each.name && file === each.file));
let last = '';
for (const { name, file } of unfinished) {
  if (file !== last) console.log(file);
  last = file;
  const lacks = missing.filter((each) => each.name === name && each.file === file).map((each) => each.lacks);
  console.log(`  ${name}: ${lacks.join(', ')}`);
}
console.log(`${missing.length} missing in ${unfinished.length} of ${exports.length} functions and classes`);
