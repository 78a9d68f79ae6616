/**
 * Runs mocha with the arguments given, without the remarks that libraries write to the terminal. `npm test` and `npm run test:fast` use it; plain
 * `npx mocha` works too and shows them.
 *
 * These remarks have no switch of their own. Every other line of stderr passes, errors of the same libraries too.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';
import { createInterface } from 'node:readline';

const REMARKS = [
  /^WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR$/, // TensorFlow
  /^[IW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+\.cc:\d+\] /, // TensorFlow: information and warnings
  /^[IW]\d{4} 00:00:\d+\.\d+ +\d+ \S+\.cc:\d+\] /, // the same, before its log is set up
  /^Warning: max\w+ artificially reduced from \d+ to \d+ /, // Dawn
  /^(INFO|WARNING): \[Loader Message\] /, // Vulkan
  /^MESA(-[\w-]+)?: (info|warning): /i, // Vulkan's drivers of Mesa
  /^Layer \S+ was passed non-serializable keyword arguments: /, // tfjs-layers, which saves a model of a layer that is called with a mask
  /^WARNING: \S+ is not a conformant Vulkan implementation, testing use only\.$/, // lavapipe
];

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const child = spawn(process.execPath, [mocha, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'pipe'] });
process.on('SIGINT', () => undefined); // the terminal sends it to mocha too, which then ends
process.on('SIGTERM', () => child.kill('SIGTERM'));
createInterface({ input: child.stderr }).on('line', (line) => {
  if (!REMARKS.some((remark) => remark.test(line))) process.stderr.write(`${line}\n`);
});
child.on('close', (code, signal) => {
  if (signal !== null) process.stderr.write(`mocha was ended by ${signal}\n`);
  process.exitCode = code ?? 1;
});
