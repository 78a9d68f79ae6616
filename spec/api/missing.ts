// Prints what the docstrings of the public functions and classes lack, by file: `npx tsx spec/api/missing.ts [part of a path]`.
import { missingDocs } from './docstrings';
import { readPublicApi } from './public_api';

const [part = ''] = process.argv.slice(2);
const { exports } = readPublicApi();
const missing = missingDocs(readPublicApi()).filter(({ file }) => file.includes(part));
const unfinished = exports.filter((each) => missing.some(({ name, file }) => name === each.name && file === each.file));
let last = '';
for (const { name, file } of unfinished) {
  if (file !== last) console.log(file);
  last = file;
  const lacks = missing.filter((each) => each.name === name && each.file === file).map((each) => each.lacks);
  console.log(`  ${name}: ${lacks.join(', ')}`);
}
console.log(`${missing.length} missing in ${unfinished.length} of ${exports.length} functions and classes`);
