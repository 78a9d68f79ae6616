import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTrainConfig } from '../../src/methods/train_config';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { prepareData } from '../../src/preparation/prepare_data_node';
import { trainRun } from '../../src/runs/train_run';
import { repository } from '../support/installed_package';

/**
 * What the examples of the docstrings find in their folder:
 * - `shop/`: interactions.csv and items.csv, the demo shop with 40 items and 60 users
 * - `data/`: the same, prepared
 * - `runs/popularity`, `runs/sft`: finished runs on it
 * - `checkpoint/`: a tiny random Llama with its tokenizer
 * - `t5-checkpoint/`: a tiny random T5
 */
export async function writeFixtures(folder: string): Promise<void> {
  const [shop, data] = [join(folder, 'shop'), join(folder, 'data')];
  await writeShop(shop);
  await prepareData({ format: 'csv', input: shop, out: data });
  const config = parseTrainConfig({
    model: { hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 },
    training: { epochs: 1, batchSize: 16, maxHistory: 6, validationUsers: 10, checkpointEverySeconds: 0 },
    evaluation: { beamWidth: 10 },
  });
  for (const method of ['popularity', 'sft'] as const)
    await trainRun({ data, out: join(folder, 'runs', method), method, config });
  for (const [golden, name] of [
    ['checkpoints/smollm2', 'checkpoint'],
    ['t5/t5_1_0', 't5-checkpoint'],
  ])
    await cp(join(repository, 'spec/golden', golden), join(folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith('golden.json'),
    });
}

async function writeShop(folder: string): Promise<void> {
  const { userIds, itemIds, titles = [], sequences } = demoCatalogue({ numItems: 40, numUsers: 60 });
  const interactions = sequences.flatMap((items, user) =>
    [...items].map((item, time) => `${userIds[user]},${itemIds[item]},${time}`),
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'interactions.csv'), ['user,item,time', ...interactions, ''].join('\n'));
  const items = itemIds.map((id, item) => `${id},"${titles[item]}"`);
  await writeFile(join(folder, 'items.csv'), ['item,title', ...items, ''].join('\n'));
}
