/** One file of bench/cases on one backend; called by bench/run.ts. */
import { writeFileSync } from 'node:fs';
import { useBackend } from 'tfjs-ilrec/node';
import type { BenchCase } from './harness';

const [file, backend, out] = process.argv.slice(2);
try {
  await useBackend(backend as 'wasm');
} catch (error) {
  console.error(`bench: ${file} skips backend ${backend}: ${(error as Error).message}`);
  process.exit(0);
}
const { benchCase } = (await import(`./cases/${file}`)) as { benchCase: BenchCase };
const rows = await benchCase.run(backend);
for (const { name, setting, ratio, goal, met } of rows)
  console.error(`${name} ${backend}, ${setting}: ${ratio.toPrecision(3)} (goal ${goal}: ${met ? 'met' : 'not met'})`);
writeFileSync(out, JSON.stringify(rows));
process.exit(0);
