import { expect } from 'chai';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { InteractionData } from '../../src/data/types';
import { type DataFormat, readDataset, type ReadDatasetOptions } from '../../src/preparation/read_dataset_node';
import { messageOf, temporaryFolder } from '../support/folders';

describe('published tables', () => {
  const folder = temporaryFolder();
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    const file = join(folder.path, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, path.endsWith('.gz') ? gzipSync(content) : content);
  };
  const read = (
    format: DataFormat,
    input: string,
    options: Partial<ReadDatasetOptions> = {},
  ): Promise<InteractionData> => readDataset({ format, input: join(folder.path, input), ...options });
  const listed = ({ userIds, itemIds, sequences }: InteractionData): Record<string, string[]> =>
    Object.fromEntries(userIds.map((user, row) => [user, [...sequences[row]].map((item) => itemIds[item])]));
  const lines = (...rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

  it('reads MovieLens 100K', async () => {
    await put('ml-100k/u.data', '196\t242\t3\t881250949\n196\t302\t5\t881250940\n186\t242\t4\t881250950\n');
    await put('ml-100k/ua.base', '196\t242\t3\t881250949\n');
    const genres = new Array(19).fill('0').join('|');
    await put(
      'ml-100k/u.item',
      Buffer.from(
        `242|Kolya (1996)|24-Jan-1997||http://x|${genres}\n302|"Misérables", Les (1995)|||y|${genres}\n`,
        'latin1',
      ),
    );
    const data = await read('movielens', 'ml-100k');
    expect(data.name).to.equal('ml-100k');
    expect(listed(data)).to.deep.equal({ 196: ['302', '242'], 186: ['242'] });
    expect(data.titles).to.deep.equal(['Kolya (1996)', '"Misérables", Les (1995)']);
    expect(listed(await read('movielens', 'ml-100k', { minRating: 4 }))).to.deep.equal({ 196: ['302'], 186: ['242'] });
    expect(listed(await read('movielens', 'ml-100k/ua.base'))).to.deep.equal({ 196: ['242'] });
  });
  it('reads MovieLens 1M and 10M', async () => {
    await put('ml-1m/ratings.dat', '1::1193::5::978300760\n1::661::3.5::978302109\n');
    await put('ml-1m/movies.dat', Buffer.from('661::"Amélie" (2001)::Comedy|Drama\n1193::A, B::Drama\n', 'latin1'));
    const data = await read('movielens', 'ml-1m/ratings.dat');
    expect(listed(data)).to.deep.equal({ 1: ['1193', '661'] });
    expect(data.titles).to.deep.equal(['A, B', '"Amélie" (2001)']);
    expect(data.notes).to.deep.equal([]);
  });
  it('reads MovieLens 20M to 32M', async () => {
    await put('ml-32m/ratings.csv', 'userId,movieId,rating,timestamp\n1,17,4.0,944249077\n1,25,1.0,944250228\n');
    await put('ml-32m/movies.csv', 'movieId,title,genres\n17,"Sense and Sensibility, ""x"" (1995)",Drama\n25,L,\n');
    const data = await read('movielens', 'ml-32m');
    expect(data.titles).to.deep.equal(['Sense and Sensibility, "x" (1995)', 'L']);
  });
  it('reads Amazon Reviews 2023: reviews, ratings only, and 5-core', async () => {
    const review = (user: string, item: string, timestamp: number): object => ({
      rating: 5.0,
      title: 'Such a lovely scent',
      text: 'x, "y"\n',
      images: [{ small: 'z' }],
      asin: `${item}-red`,
      parent_asin: item,
      user_id: user,
      timestamp,
      helpful_vote: 0,
      verified_purchase: true,
    });
    const rows = lines(
      review('AG', 'B2', 1588687728923),
      review('AG', 'B1', 1588687728000),
      review('AH', 'B1', 1588687728001),
    );
    await put('a/All_Beauty.jsonl.gz', rows);
    await put(
      'a/meta_All_Beauty.jsonl.gz',
      lines({ title: 'Spray', parent_asin: 'B1' }, { title: null, parent_asin: 'B2' }),
    );
    await put('a/meta_Books.jsonl.gz', lines({ title: 'A book', parent_asin: 'B2' }));
    const data = await read('amazon', 'a');
    expect(data.name).to.equal('All_Beauty');
    expect(listed(data)).to.deep.equal({ AG: ['B1', 'B2'], AH: ['B1'] });
    expect(data.titles).to.deep.equal([null, 'Spray']);
    await put('b/All_Beauty.csv.gz', 'user_id,parent_asin,rating,timestamp,history\nAG,B2,5.0,2,B1\nAG,B1,1.0,1,\n');
    expect(listed(await read('amazon', 'b', { minRating: 3 }))).to.deep.equal({ AG: ['B2'] });
  });
  it('reads Amazon Reviews 2018, whose items occur twice', async () => {
    const review = (user: string, item: string, time: number): object => ({
      overall: 5.0,
      verified: true,
      reviewTime: '09 1, 2016',
      reviewerID: user,
      asin: item,
      reviewerName: 'x',
      unixReviewTime: time,
    });
    await put('a/Gift_Cards_5.json.gz', lines(review('A3', 'B00', 1472688000), review('A3', 'B01', 1472601600)));
    await put(
      'a/meta_Gift_Cards.json.gz',
      lines({ asin: 'B00', title: 'Card' }, { asin: 'B00', title: 'Other' }, { asin: 'B01', brand: 'x' }),
    );
    const data = await read('amazon', 'a/Gift_Cards_5.json.gz');
    expect(listed(data)).to.deep.equal({ A3: ['B01', 'B00'] });
    expect(data.titles).to.deep.equal(['Card', null]);
  });
  it("reads UCSD's Steam, with names that people chose, and Kaggle's purchases", async () => {
    const review = (user: string, item: string, date: string): string =>
      `{u'username': u'${user}', u'hours': 0.1, u'user_id': u'7', u'product_id': u'${item}', u'date': u'${date}', u'text': u"It's \\u00fc"}\n`;
    await put(
      's/steam_reviews.json.gz',
      review('nan', '20', '2017-12-17') + review('nan', '10', '2016-01-02') + review(' ', '10', '2016-01-02'),
    );
    await put(
      's/steam_games.json.gz',
      `{u'app_name': u'Half-Life', u'title': u'HL', u'id': u'10'}\n{u'app_name': u'x'}\n{u'title': u'Y', u'id': u'20'}\n`,
    );
    const data = await read('steam', 's');
    expect(listed(data)).to.deep.equal({ nan: ['10', '20'] });
    expect(data.titles).to.deep.equal(['Y', 'Half-Life']);
    expect(data.notes).to.include('1 rows of steam_reviews.json.gz without a user were left out.');
    await put(
      'k/steam-200k.csv',
      '151,"The Elder, V",purchase,1.0,0\n151,"The Elder, V",play,273.0,0\n151,Dota,purchase,1,0\n',
    );
    const purchases = await read('steam', 'k');
    expect(listed(purchases)).to.deep.equal({ 151: ['The Elder, V', 'Dota'] });
    expect(purchases.notes?.[0]).to.equal('1 rows of steam-200k.csv with other events were left out: play.');
  });
  it('reads RetailRocket, all events or those asked for', async () => {
    await put(
      'r/events.csv',
      'timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433224214164,257597,transaction,248676,1\n',
    );
    expect(listed(await read('retailrocket', 'r'))).to.deep.equal({ 257597: ['355908', '248676'] });
    const views = await read('retailrocket', 'r/events.csv', { events: ['view'] });
    expect(listed(views)).to.deep.equal({ 257597: ['355908'] });
  });
  it('says what a folder lacks, and which options do not fit', async () => {
    await put('e/notes.md', 'x');
    const refusal = async (promise: Promise<unknown>): Promise<string> =>
      (await messageOf(promise)).replaceAll(folder.path, 'DIR');
    expect(await refusal(read('movielens', 'e'))).to.equal(
      'readDataset: DIR/e must have a file ratings.csv, ratings.dat or u.data, got none; give the folder of the unpacked dataset as input',
    );
    await put('e/Books.jsonl.gz', lines({}));
    await put('e/Toys.jsonl.gz', lines({}));
    expect(await refusal(read('amazon', 'e'))).to.equal(
      'readDataset: DIR/e must have only one such file, got Books.jsonl.gz, Toys.jsonl.gz; give the file itself as input or move the others away',
    );
    expect(await refusal(read('steam', 'e', { columns: { user: 'x' } }))).to.equal(
      'readDataset: columns must be left out with format steam; they are for csv and windows',
    );
    expect(await refusal(read('recbole', 'e', { minRating: 4 }))).to.contain(
      'minRating must be left out with format recbole',
    );
    expect(await refusal(read('lc-rec', 'e', { events: ['view'] }))).to.contain(
      'events must be left out with format lc-rec',
    );
    expect(await refusal(read('windows', 'e', { columns: { item: 'x' } }))).to.contain(
      'columns must be of user, history, target',
    );
  });
});
