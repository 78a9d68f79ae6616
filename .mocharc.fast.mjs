/**
 * The fast lane, `npm run test:fast`: cpu and wasm, two files at a time. It leaves out
 *   - the folders and files whose specs train whole runs, or start other processes or a browser;
 *   - cases and suites with "@slow" in their title, which take a second or more for another reason.
 * All else is in it. `npm test` runs everything.
 */
import everything from './.mocharc.mjs';

const LEFT_OUT = ['api', 'backends', 'browser', 'cli', 'parity', 'runs', 'examples.spec.ts', 'package.spec.ts'];

process.env.ILREC_SPEC_BACKENDS ??= 'cpu,wasm';

export default {
  ...everything,
  ignore: LEFT_OUT.map((name) => (name.endsWith('.ts') ? `spec/${name}` : `spec/${name}/**`)),
  grep: '@slow',
  invert: true,
  parallel: true,
  jobs: 2,
};
