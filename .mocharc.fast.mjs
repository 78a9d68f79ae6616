/**
 * The fast lane, `npm run test:fast`: cpu and wasm, two files at a time. It leaves out
 *   - the folders whose specs train whole runs, or start other processes or a browser;
 *   - cases and suites with "@slow" in their title: they take more than a second for no other reason.
 * All else is in it. `npm test` runs everything.
 */
import everything from './.mocharc.mjs';

process.env.ILREC_SPEC_BACKENDS ??= 'cpu,wasm';

export default {
  ...everything,
  ignore: ['backends', 'browser', 'cli', 'parity', 'runs', 'whole'].map((folder) => `spec/${folder}/**`),
  grep: '@slow',
  invert: true,
  parallel: true,
  jobs: 2,
};
