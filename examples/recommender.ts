/** Fits a recommender on a list of interactions, saves it, and recommends from the saved folder. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recommender, useBackend } from 'tfjs-ilrec/node';

await useBackend('wasm');
const interactions = Array.from({ length: 60 }, (_, user) =>
  Array.from({ length: 6 }, (_, time) => ({ user, item: `item-${(user + time) % 12}`, time })),
).flat(); // everyone takes twelve items in turn

const fitted = await Recommender.fit(interactions, {
  method: 'sft',
  config: { model: { hiddenSize: 16 }, training: { epochs: 20, validationUsers: 20 } },
  onProgress: ({ step, totalSteps, validation }) =>
    validation && console.log(`step ${step} of ${totalSteps}: NDCG@10 ${validation['ndcg@10'].toFixed(2)}`),
});
const folder = join(await mkdtemp(join(tmpdir(), 'recommender-')), 'run');
await fitted.save(folder); // npx ilrec recommend --run FOLDER --history item-3,item-4
fitted.dispose();

const recommender = await Recommender.load(folder);
for (const { item, probability } of await recommender.recommend(['item-3', 'item-4'], 3))
  console.log(item, probability?.toFixed(3));
const alike = await recommender.similar('item-4', 3);
console.log(`like item-4: ${alike.map(({ item }) => item).join(', ')}`);
recommender.dispose();
