import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { DEPARTMENTS } from '../../src/data/demo_words';

/**
 * Writes orders.csv and items.csv of a shop of 60 users with one item of each kind, whose id is the kind and a number,
 * such as tent-1.
 */
export async function writeOrders(folder: string): Promise<void> {
  const kinds = DEPARTMENTS.flat();
  const { sequences, userIds, titles = [] } = demoCatalogue({ numItems: kinds.length, numUsers: 60 });
  const kindOf = (title: string | null): string => kinds.find((kind) => title?.includes(` ${kind},`)) ?? '';
  const ids = titles.map((title) => `${kindOf(title).toLowerCase().replaceAll(' ', '-')}-1`);
  const orders = sequences.flatMap((items, user) =>
    Array.from(items, (item, t) => `${userIds[user]},${ids[item]},${t}`),
  );
  const items = titles.map((title, item) => `${ids[item]},"${title}"`);
  await writeFile(join(folder, 'orders.csv'), ['user,item,time', ...orders, ''].join('\n'));
  await writeFile(join(folder, 'items.csv'), ['item,title', ...items, ''].join('\n'));
}
