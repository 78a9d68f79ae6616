import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openDuckDb } from '../../src/data/duckdb_node';
import { type PlainPaths, readPlainPaths } from '../../src/data/plain_table_node';
import { type PlainOptions, PlainReader, readPlain } from '../../src/data/plain_table';
import { messageOf, temporaryFolder } from '../support/folders';
import { integers } from '../support/random';
import { skipBecause } from '../support/skip';

const clicks = (rows: number, time: (i: number) => unknown): string => {
  const [users, items] = [integers(rows, 3, 11), integers(rows, 5, 7)];
  return Array.from({ length: rows }, (_, i) => `u${users[i]},i${items[i]},${i % 5},${String(time(i))}\n`).join('');
};
const HEADER = 'user,item,rating,time\n';

/** Tables that parsers read differently, and clean ones that DuckDB reads by itself. */
const TABLES: Record<string, string> = {
  seconds: HEADER + clicks(300, (i) => 1_600_000_000 + ((i * 37) % 100)),
  nanoseconds: HEADER + clicks(300, (i) => `16000000000000000${10 + ((i * 37) % 60)}`),
  microseconds: HEADER + clicks(50, (i) => 16_000_000_000_000_00n + BigInt((i * 37) % 60)),
  'long whole numbers': HEADER + clicks(50, (i) => 95_000_000_000_000_00n + BigInt((i * 37) % 60)),
  decimals: HEADER + clicks(300, (i) => (((i * 37) % 100) / 8).toFixed(3)),
  'negative and zero': HEADER + clicks(40, (i) => ['-1.5', '0', '-0', '3', '-0.0'][i % 5]),
  dates: HEADER + clicks(300, (i) => new Date(1.6e12 + ((i * 3701) % 9000)).toISOString().slice(0, 23)),
  'dates with zones': HEADER + clicks(30, (i) => new Date(1.6e12 + ((i * 37) % 90)).toISOString()),
  'days alone': HEADER + clicks(40, (i) => `2021-03-${10 + (i % 20)}`),
  'days of no month': HEADER + clicks(40, (i) => `2021-02-${10 + i}`),
  'German dates': HEADER + clicks(40, (i) => `${10 + (i % 20)}.03.2021`),
  'hour 24': `${HEADER}u,a,1,2021-03-04 24:00:00\n`,
  'mixed units': `${HEADER}u,a,1,1600000000\nu,b,1,1600000000000\n`,
  'numbers and dates': `${HEADER}u,a,1,1600000000\nu,b,1,2021-03-04\n`,
  'no times': 'user,item\nu,b\nu,a\nu,b\nv,a\n',
  quotes: `${HEADER}"u ""1""","a,\nb",1,"3"\nu2,"12"" pipe",1,2\n"u2",12" pipe,1,1\n`,
  'space before a quote': `${HEADER}u, "a",1,1\nu,"a",1,2\nu,"b" ,1,3\n`,
  'comma after a space and a quote': `${HEADER}u, "a,b",1,1\n`,
  'text after a quote': `${HEADER}u,"a"b,1,1\n`,
  'open quote': `${HEADER}u,"a,1,1\nu,b,1,2\n`,
  backslash: `${HEADER}u,"a\\",1,1\nu,"b",1,2\n`,
  'spaces around ids': `${HEADER} u,a ,1,1\nu,b,1,2\n`,
  'other spaces': `${HEADER}\u00a0u,a\t,1,1\nu,b,1,2\n`,
  'floats as ids': `${HEADER}1.0,10,1,1\n1,10.0,1,2\n2,11,1,3\n`,
  'ids that look alike': `${HEADER}U,é,1,1\nu,e\u0301,1,2\nu,É,1,3\nu,E,1,4\nu,01,1,5\nu,1,1,6\n`,
  'missing ids': `${HEADER}u,a,1,1\nu,NaN,1,2\n`,
  'blank ids': `${HEADER}u,a,1,1\nu,"",1,2\n`,
  'blank times': `${HEADER}u,a,1,1\nu,a,1,\n`,
  'short row': `${HEADER}u,a,1\n`,
  'long row': `${HEADER}u,a,1,1,1\n`,
  'blank lines': `\n${HEADER}\nu,a,1,1\n\n\nu,b,1,2`,
  CRLF: `${HEADER}u,a,1,2\nu,b,1,1\n`.replaceAll('\n', '\r\n'),
  'mixed line breaks': `${HEADER}u,a,1,2\r\nu,b,1,1\n`,
  'bare CR': `${HEADER}u,a,1,1\rv,b,1,2\n`,
  'old line breaks': `${HEADER}u,a,1,2\nu,b,1,1\n`.replaceAll('\n', '\r'),
  NUL: `${HEADER}u,a\0,1,1\n`,
  'NUL beside': 'user,item,time,note\nu,a,1,\0\n',
  'byte order mark': `\ufeff${HEADER}u,a,1,1\n`,
  semicolons: `${HEADER}"u;1",a,1,2\nu,b,1,1\n`.replaceAll(',', ';'),
  'line of Excel': `sep=;\n${HEADER}u,a,1,2\n`.replaceAll(',', ';'),
  'double colons': `${HEADER}u,"a,1,2\nu,"b" c,1,1\n`.replaceAll(',', '::'),
  'titles of items': 'user,item,time,title\nu,a,1,A\nu,b,2,B\n',
  repeats: HEADER + 'u,a,1,1\nu,b,1,1\nu,a,2,1\nu,a,1,2\nv,a,1,1\nu,a,1,1\n',
  'odd ratings': `${HEADER}u,a,5.,1\nu,b, 4 ,2\nu,c,.5,3\nu,d,1e1,4\n`,
  'SQL in a name': `user,item,time,"x'); DROP TABLE raw; --"\nu,a,1,1\n`,
};

/** Those that DuckDB reads by itself. */
const CLEAN = [
  ...['seconds', 'nanoseconds', 'microseconds', 'decimals', 'negative and zero', 'dates', 'days alone', 'no times'],
  ...['quotes', 'backslash', 'ids that look alike', 'CRLF', 'old line breaks', 'byte order mark', 'semicolons'],
  ...['double colons', 'repeats', 'odd ratings', 'space before a quote', 'SQL in a name'],
];

describe('readPlainPaths', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  /** What a reader returns, or its message. */
  const outcome = async (options: Omit<PlainPaths, 'interactions'>, file = 'x.csv'): Promise<unknown> => {
    try {
      return await readPlainPaths('read', { interactions: at(file), ...options });
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('reads what readPlain reads, also packed and with titles', async () => {
    await writeFile(at('x.csv.gz'), gzipSync(TABLES.quotes));
    await writeFile(at('items.csv'), 'item,title\n"12"" pipe",Pipe\n');
    const titles = { name: 'items.csv', text: 'item,title\n"12"" pipe",Pipe\n' };
    const expected = readPlain({ interactions: { name: 'x.csv.gz', text: TABLES.quotes }, titles });
    expect(await outcome({ titles: at('items.csv') }, 'x.csv.gz')).to.deep.equal(expected);
  });

  describe('with DuckDB', () => {
    const { take } = PlainReader.prototype;
    let taken: boolean[] = []; // whether DuckDB's rows were taken, call by call

    before(async function () {
      const db = await openDuckDb();
      if (db === null) return skipBecause(this, '@duckdb/node-api is not installed');
      await db.close();
    });
    beforeEach(() => {
      taken = [];
      PlainReader.prototype.take = function (rows) {
        taken.push(take.call(this, rows));
        return taken[taken.length - 1];
      };
    });
    afterEach(() => {
      PlainReader.prototype.take = take;
    });

    const same = async (options: PlainOptions): Promise<void> => {
      const found = await outcome({ ...options, largeFrom: 0 });
      expect(found).to.deep.equal(await outcome({ ...options, largeFrom: Infinity }));
    };

    for (const [name, text] of Object.entries(TABLES))
      it(`reads or refuses the same: ${name}`, async () => {
        await writeFile(at('x.csv'), text);
        await same({});
        expect(taken).to.deep.equal(
          CLEAN.includes(name) ? [true] : name.includes('as ids') || name.includes('spaces') ? [false] : [],
        );
      });

    it('reads or refuses the same with options', async () => {
      for (const name of ['seconds', 'quotes', 'odd ratings']) {
        await writeFile(at('x.csv'), TABLES[name]);
        await same({ minRating: 2 });
        await same({ columns: { time: '-' }, minRating: 100 });
        await same({ columns: ['user', 'item', 'rating', 'time'] });
      }
      await writeFile(at('x.csv'), TABLES.seconds.slice(HEADER.length));
      await same({ columns: ['user', 'item', '-', 'time'] });
      expect(taken.every((took) => took)).to.equal(true);
    });

    it('takes packed tables too', async () => {
      await writeFile(at('x.csv'), gzipSync(TABLES.seconds));
      expect(await outcome({ largeFrom: 0 })).to.deep.equal(
        readPlain({ interactions: { name: 'x.csv', text: TABLES.seconds } }),
      );
      expect(taken).to.deep.equal([true]);
    });

    it('reads Parquet as it reads CSV, and says what is wrong with it', async () => {
      const db = await openDuckDb();
      try {
        for (const name of ['seconds', 'dates', 'no times', 'titles of items', 'floats as ids']) {
          await writeFile(at('x.csv'), TABLES[name]);
          await db?.run(`COPY (FROM read_csv('${at('x.csv')}')) TO '${at('x.parquet')}'`);
          const expected = (await outcome({})) as { notes: string[] };
          for (const largeFrom of [0, Infinity]) {
            const found = (await outcome({ largeFrom }, 'x.parquet')) as { notes: string[] };
            expect({ ...found, notes: [] }, name).to.deep.equal({ ...expected, notes: [] });
          }
        }
      } finally {
        await db?.close();
      }
      await writeFile(at('x.parquet'), 'PAR1 and no more');
      expect(await messageOf(readPlainPaths('read', { interactions: at('x.parquet') }))).to.match(
        /^read: .*x\.parquet must be a whole Parquet file, got ".*"; write it again$/,
      );
      expect(await outcome({ columns: ['user', 'item'] }, 'x.parquet')).to.match(/must be a whole Parquet file/);
    });
  });
});
