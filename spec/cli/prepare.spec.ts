import { expect } from 'chai';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ilrecCommand } from '../support/command_line';
import { temporaryFolder } from '../support/folders';
import { integers } from '../support/random';

const [USERS, ITEMS, ROWS] = [23, 17, 300];

/** The same interactions for every format: user, item and second. */
const rows = Array.from({ length: ROWS }, (_, i) => ({
  user: i % USERS,
  item: integers(ROWS, 7, ITEMS)[i],
  second: 978_300_000 + 86_400 * ((i * 89) % ROWS),
}));

describe('ilrec prepare', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  /** Runs prepare and returns the sequences that it wrote, as ids. */
  const prepared = async (...words: string[]): Promise<{ user: string; items: string[] }[]> => {
    const { status, stderr } = await ilrecCommand('prepare', '--out', at('out'), ...words);
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    const read = async <T>(name: string): Promise<T[]> =>
      (await readFile(at(`out/${name}`), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as T);
    const ids = (await read<{ id: string }>('items.jsonl')).map(({ id }) => id);
    const sequences = await read<{ user: string; items: number[] }>('interactions.jsonl');
    return sequences.map(({ user, items }) => ({ user, items: items.map((item) => ids[item]) }));
  };
  /** What `prepared` must find, with other names of users and items. */
  const expected = (user: (i: number) => string, item: (i: number) => string): { user: string; items: string[] }[] =>
    Array.from({ length: USERS }, (_, u) => ({
      user: user(u),
      items: rows
        .filter((row) => row.user === u)
        .sort((a, b) => a.second - b.second)
        .map((row) => item(row.item)),
    }));
  /** The commands after prepare, as the documentation has them; returns the recommended ids. */
  const recommended = async (history: string): Promise<string[]> => {
    const run = await mkdtemp(at('run-'));
    let printed = '';
    for (const words of [
      ['train', '--data', at('out'), '--method', 'markov', '--out', join(run, 'markov')],
      ['evaluate', '--run', join(run, 'markov')],
      ['recommend', '--run', join(run, 'markov'), '--history', history, '--k', '5', '--json'],
    ]) {
      const { status, stdout, stderr } = await ilrecCommand(...words);
      expect(status, stderr).to.equal(0);
      printed = stdout;
    }
    return (JSON.parse(printed) as { items: { id: string }[] }).items.map(({ id }) => id);
  };
  const dateOf = (second: number): string => new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');

  it("takes MovieLens 1M's ratings.dat as it is", async () => {
    const text = rows
      .map(({ user, item, second }) => `${user + 1}::${item + 1}::${1 + (item % 5)}::${second}\n`)
      .join('');
    await writeFile(at('ratings.dat'), text);
    const words = ['--format', 'movielens', '--input', at('ratings.dat')];
    expect(await prepared(...words)).to.deep.equal(
      expected(
        (u) => `${u + 1}`,
        (i) => `${i + 1}`,
      ),
    );
    expect(await recommended('3,5')).to.have.length(5);
    await writeFile(at('plain.dat'), text); // a table of one's own that looks the same
    expect(
      await prepared('--format', 'csv', '--input', at('plain.dat'), '--columns', 'user,item,rating,time'),
    ).to.deep.equal(
      expected(
        (u) => `${u + 1}`,
        (i) => `${i + 1}`,
      ),
    );
  });
  it('takes a slice of Amazon Reviews 2023 as it is', async () => {
    const lines = rows.map(({ user, item, second }) =>
      JSON.stringify({
        rating: 5,
        title: 'Nice, "really"',
        text: 'a\nb',
        asin: `C${item}`,
        parent_asin: `B00${item}`,
        user_id: `AE${user}`,
        timestamp: second * 1000 + 7,
      }),
    );
    await writeFile(at('All_Beauty.jsonl.gz'), gzipSync(`${lines.join('\n')}\n`));
    const words = ['--format', 'amazon', '--input', at('All_Beauty.jsonl.gz')];
    expect(await prepared(...words)).to.deep.equal(
      expected(
        (u) => `AE${u}`,
        (i) => `B00${i}`,
      ),
    );
    expect(await recommended('B001,B004')).to.have.length(5);
  });
  it('takes an export with semicolons and ISO dates as it is', async () => {
    const lines = rows.map(({ user, item, second }) => `${second};"C;${user}";SKU-${item};${dateOf(second)};"1,5"`);
    await writeFile(at('export.csv'), `\ufeffOrder No;Customer ID;SKU;Order Date;Price\r\n${lines.join('\r\n')}\r\n`);
    const found = await prepared('--format', 'csv', '--input', at('export.csv'));
    expect(found).to.deep.equal(
      expected(
        (u) => `C;${u}`,
        (i) => `SKU-${i}`,
      ),
    );
    expect(await recommended('SKU-1,SKU-4')).to.have.length(5);
    const { stdout } = await ilrecCommand(
      ...['prepare', '--format', 'csv', '--input', at('export.csv'), '--out', at('my out/shop')],
    );
    expect(stdout).to.match(
      /\n\nWrote .*my out\/shop\. Next: npx ilrec train --data '.*my out\/shop' --out runs\/shop\n$/,
    );
  });
  it('maps names, filters ratings and events, and prints no advice with --json', async () => {
    const lines = rows.map(
      ({ user, item, second }, i) => `${i % 2 ? 'buy' : 'view'},${i % 3},${user},${item},${second}`,
    );
    await writeFile(at('x.csv'), `what,points,who,id,when\n${lines.join('\n')}\n`);
    const words = ['prepare', '--format', 'csv', '--input', at('x.csv'), '--out', at('out'), '--json'];
    const columns = ['--columns', 'user=who, time=when, event=what, rating=points'];
    const { stdout } = await ilrecCommand(...words, ...columns, '--min-rating', '1', '--events', 'buy');
    expect(JSON.parse(stdout)).to.deep.include({ interactions: 100 }); // rows 1, 5, 7, 11, ... of 300
    for (const [flags, message] of [
      [['--columns', 'user=who,item'], '--columns must be pairs such as user=customer,item=sku'],
      [['--columns', 'user=a,user=b'], '--columns must name each role once, got user twice; remove one'],
      [['--columns', 'who=user'], 'readPlain: columns must be of user, item, time, rating, event, title, got "who"'],
      [['--min-rating', 'four'], '--min-rating must be a number, got four'],
    ] as const) {
      const { status, stderr } = await ilrecCommand(...words, ...flags);
      expect(status).to.equal(1);
      expect(stderr).to.contain(message);
    }
  });
  it('lists formats, columns and times in its help, and what is required', async () => {
    const { stdout } = await ilrecCommand('prepare', '--help');
    for (const part of [
      'movielens ',
      'amazon ',
      'steam ',
      'retailrocket ',
      '--columns user,item,rating,time',
      '.zst',
      'nanoseconds',
    ])
      expect(stdout).to.contain(part);
    expect(stdout.match(/required: /g)).to.have.length(3);
  });
});
