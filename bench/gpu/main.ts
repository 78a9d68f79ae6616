/**
 * What a WebGPU adapter does with this package: GFLOP/s of tfjs's and our products, of the vocabulary head, tokens/s of
 * SFT and ILRec, and how much of the adapter's ceiling, measured in the same run, each uses. Runs small where the
 * adapter is software.
 *
 *   npx tsx bench/gpu/main.ts [--small] [--models 10,135] [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs-backend-cpu';
import { registerKernels, unregisterKernels } from 'tfjs-ilrec';
import { measureCeiling } from './ceiling';
import { openDevice } from './device';
import { measureHead } from './head';
import { measureProducts } from './products';
import { measureTraining, modelSizes } from './training';

const { values: options } = parseArgs({
  options: { small: { type: 'boolean' }, models: { type: 'string' }, json: { type: 'string' } },
});
const device = await openDevice();
const isSmall = options.small ?? device.isSoftware;
const seconds = isSmall ? 0.2 : 0.5;
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const shown = (value: number): string => value.toPrecision(3);

print(
  `adapter: ${device.name}${device.isSoftware ? ' (software: these figures say nothing of a GPU)' : ''}; features: ${device.features.join(', ') || 'none'}`,
);
const ceiling = await measureCeiling(device.backend, seconds, isSmall);
print(
  `ceiling: ${shown(ceiling.gigaflops)} GFLOP/s of multiply-adds, ${shown(ceiling.gigabytesPerSecond)} GB/s of copying`,
);
const share = (gigaflops: number): string =>
  `${shown(gigaflops)} (${((100 * gigaflops) / ceiling.gigaflops).toFixed(0)} %)`;

print('products, GFLOP/s and share of the ceiling: tfjs, this package');
const products = await measureProducts(seconds, isSmall);
for (const { shape, stock, own } of products) print(`  ${shape}: ${share(stock)}, ${share(own)}`);

print('the loss of the head with gradients, GFLOP/s of two products of its shape: by logits of tfjs, streamed');
unregisterKernels();
const stock = await measureHead(seconds, isSmall);
registerKernels();
const own = await measureHead(seconds, isSmall);
print(`  ${own.shape}: ${share(stock.gigaflops)}, ${share(own.gigaflops)}`);

print('training with AdamW on all weights, tokens/s (share of the ceiling): SFT, ILRec');
const asked = options.models?.split(',');
const training: object[] = [];
const names = modelSizes(isSmall).map(({ name }) => name.split(' ')[0]);
const strange = asked?.filter((name) => !names.includes(name)) ?? [];
if (strange.length > 0) {
  process.stderr.write(`gpu bench: --models must be among ${names.join(',')}, got ${strange.join(',')}\n`);
  process.exit(1);
}
for (const size of modelSizes(isSmall).filter(({ name }) => asked?.includes(name.split(' ')[0]) ?? true)) {
  try {
    const speed = await measureTraining(device.backend, size, ceiling.gigaflops, isSmall ? 3 : 8);
    training.push(speed);
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
    print(
      `  ${speed.model}, ${(speed.parameters / 1e6).toPrecision(3)} M weights: ${shown(speed.sft)} (${percent(speed.sftShare)}), ${shown(speed.ilrec)} (${percent(speed.ilrecShare)}); losses ${speed.losses.map(shown).join(', ')}`,
    );
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    training.push({ model: size.name, failed: reason });
    print(`  ${size.name}: failed (${reason})`);
  }
}
if (options.json !== undefined)
  writeFileSync(
    options.json,
    `${JSON.stringify({ adapter: device.name, isSoftware: device.isSoftware, features: device.features, ceiling, products, head: { stock, own }, training }, null, 2)}\n`,
  );
process.exit(training.some((each) => 'failed' in each) ? 1 : 0);
