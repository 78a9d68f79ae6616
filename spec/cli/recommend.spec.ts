import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parquetReadObjects } from 'hyparquet';
import type { Recommendation } from '../../src/recommender/recommend_items';
import { ilrecCommand, type Ran } from '../support/command_line';
import { temporaryFolder } from '../support/folders';
import { smallConfig } from '../support/small_shop';
import '../support/backends';

/** Ids and titles as shops have them; everyone takes the items in turn. */
const ITEMS = [
  ['A, big', 'Lamp, red'],
  ['B', 'Tent'],
  ['C c', 'Water Bottle'],
  ['D', 'Stove'],
  ['"E" inch', 'Mug'],
  ['F', 'Mug'],
  ['G,H', 'Rope \u001b[31mred\u202e'],
  ['9007199254740993', 'Big number'],
] as const;
const N = ITEMS.length;

describe('ilrec recommend and similar', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;

  async function prepare(): Promise<void> {
    const rows = Array.from({ length: 16 }, (_, user) =>
      Array.from({ length: 4 }, (_, i) => `u${user},${cell(ITEMS[(user + i) % N][0])},${i}`),
    ).flat();
    await writeFile(at('orders.csv'), ['user,item,time', ...rows].join('\n'));
    await writeFile(
      at('items.csv'),
      ['item,title', ...ITEMS.map(([id, title]) => `${cell(id)},${cell(title)}`)].join('\n'),
    );
    const words = ['--input', at('orders.csv'), '--titles', at('items.csv'), '--out', at('data')];
    expect((await ilrecCommand('prepare', '--format', 'csv', ...words)).status).to.equal(0);
  }

  async function train(method: string, config: object = {}): Promise<void> {
    await writeFile(at('config.json'), JSON.stringify(config));
    const words = ['--data', at('data'), '--out', at(method), '--method', method, '--config', at('config.json')];
    const { status, stderr } = await ilrecCommand('train', ...words, '--backend', 'wasm');
    expect(status, stderr).to.equal(0);
  }

  const ask = (...words: string[]): Promise<Ran> => ilrecCommand('recommend', ...words, '--backend', 'wasm');
  const asked = (run: string, ...words: string[]): Promise<Ran> => ask('--run', at(run), ...words);

  interface Answer {
    items: Recommendation[];
    basis: string;
    skipped: string[];
  }

  async function answer(run: string, ...words: string[]): Promise<Answer> {
    const { status, stdout, stderr } = await asked(run, ...words, '--json');
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as Answer;
  }

  describe('after counting', () => {
    beforeEach(async () => {
      await prepare();
      await train('markov');
    });

    it('takes a history in every form, also with commas and quotes in ids and titles', async () => {
      const afterLamp = await answer('markov', '--history', 'A, big');
      expect(afterLamp.items[0].id).to.equal('B');
      expect(afterLamp.items).to.have.length(N - 1); // without the item seen
      const same = [
        ['--item', 'A, big'],
        ['--history', '"A, big"'],
        ['--history', '["A, big"]'],
        ['--history', 'lamp,  RED'],
        ['--history', ' A, big ,'],
      ];
      for (const words of same) expect(await answer('markov', ...words), words.join(' ')).to.deep.equal(afterLamp);

      const afterMug = await answer('markov', '--item', 'A, big', '--item', '"E" inch', '--item', 'G,H');
      expect(afterMug.items[0].id).to.equal('9007199254740993');
      await writeFile(at('lines.txt'), '\ufeffA, big\r\n\r\n  "E" inch\r\nG,H\r\n');
      await writeFile(at('list.json'), JSON.stringify(['A, big', '"E" inch', 'G,H']));
      const others = [
        ['--history', 'A, big,"E" inch,G,H'],
        ['--history', '"A, big","""E"" inch","G,H"'],
        ['--history-file', at('lines.txt')],
        ['--history-file', at('list.json')],
      ];
      for (const words of others) expect(await answer('markov', ...words), words.join(' ')).to.deep.equal(afterMug);
    });

    it('keeps the meaning of a plain list of ids', async () => {
      expect((await answer('markov', '--history', 'B,D')).items[0].id).to.equal('"E" inch');
    });

    it('reads a history from stdin', async () => {
      const words = ['recommend', '--run', at('markov'), '--history', '-', '--backend', 'cpu', '--json'];
      const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...words]);
      let stdout = '';
      child.stdout.on('data', (text) => (stdout += String(text)));
      child.stdin.end('["B", "A, big"]\n');
      expect(await new Promise((resolve) => child.once('exit', resolve))).to.equal(0);
      const { items } = JSON.parse(stdout) as Answer;
      expect(items[0].id).to.equal('C c'); // B comes after the last item, but it is in the history
    });

    it('prints a table with a header, says what the numbers are, and escapes control characters', async () => {
      const { stdout } = await asked('markov', '--history', 'F', '--k', '2');
      // G,H followed F twice in training: (2 + 1/8) / 3 of all, and of 23/24 without F itself
      expect(stdout).to.equal(
        [
          'rank  item    probability  title',
          '   1  G,H          0.7391  Rope \\x1b[31mred\\u202e',
          '   2  A, big       0.0435  Lamp, red',
          `probability: share of the softmax over the ${N - 1} items that may be listed\n`,
        ].join('\n'),
      );
    });

    it('suggests items for an unknown one, or leaves it out', async () => {
      const messageOf = async (...words: string[]): Promise<string> => {
        const { status, stderr } = await asked('markov', ...words);
        expect(status).to.equal(1);
        return stderr.replace(/^backend: .*\n/, '');
      };
      expect(await messageOf('--history', 'Wter Botle')).to.equal(
        'recommend: a history must name items of the catalogue by id or title, got "Wter Botle"; did you mean "C c", ' +
          '"Water Bottle"? (skipUnknown, --skip-unknown, leaves unknown items out)\n',
      );
      expect(await messageOf('--item', 'g,h')).to.include('; did you mean "G,H", "Rope \\x1b[31mred\\u202e"?');
      expect(await messageOf('--item', 'bottle')).to.include('; did you mean "C c", "Water Bottle"?');
      expect(await messageOf('--history', '\u001b[2J,B,xyzzy')).to.match(
        /got "\\x1b\[2J" and 1 more that it does not have; the ids and titles are in items\.jsonl of the run \(/,
      );
      expect(await messageOf('--history', 'mug')).to.match(
        /got "mug", the title of 2 items; use one of the ids ""E" inch", "F"\n$/,
      );
      const { skipped, items } = await answer('markov', '--history', 'xyzzy,B', '--skip-unknown');
      expect(skipped).to.deep.equal(['xyzzy']);
      expect(items[0].id).to.equal('C c');
      const { stderr } = await asked('markov', '--history', 'xyzzy,B', '--skip-unknown');
      expect(stderr).to.include('1 unknown item left out: "xyzzy"\n');
    });

    it('lists the most popular items without a history, and says so', async () => {
      for (const words of [
        ['--history', ''],
        ['--history', 'xyzzy', '--skip-unknown'],
      ]) {
        const { stdout, stderr } = await asked('markov', ...words, '--k', String(N));
        expect(stderr).to.include('The history is empty: these are the items with the most training interactions.\n');
        expect(stdout).to.match(/probability: share of the training interactions\n$/);
        expect((await answer('markov', ...words, '--k', String(N))).basis).to.equal('cold-start');
      }
    });

    it('says why a list is short', async () => {
      const { stderr } = await asked('markov', '--history', 'B', '--k', String(N));
      expect(stderr).to.include(
        `The list has ${N - 1} items instead of ${N}: 1 of the catalogue's ${N} are in the history; --seen allow lists them too.\n`,
      );
      const { items } = await answer('markov', '--history', 'B', '--k', String(N), '--seen', 'allow');
      expect(items).to.have.length(N);
    });

    it('refuses options that do not go together', async () => {
      const cases: [string[], RegExp][] = [
        [[], /^recommend needs one of --history, --history-file, --item and --users, got none; --history "" is for /],
        [['--history', 'B', '--item', 'B'], /^recommend needs one of .*, got --history and --item$/],
        [['--users', at('data')], /^--users needs --out, the file to write; give one that ends in \.csv/],
        [['--history', 'B', '--out', 'list.csv'], /^--out is for the lists of --users, got it beside --history; /],
        [
          ['--users', at('data'), '--out', at('x.xls')],
          /^recommendUsers: out must end in \.csv, \.jsonl or \.parquet, /,
        ],
        [
          ['--history-file', at('none')],
          /^--history-file must be a file that can be read, got .*none; check the path$/,
        ],
        [['--history', '[9007199254740993]'], /^--history must hold ids that JSON keeps exact, got the number 9007199/],
        [['--history', 'B', '--k', '9'], /^recommend: k must be an integer from 1 to 8, got 9$/],
      ];
      for (const [words, expected] of cases) {
        const { status, stderr } = await asked('markov', ...words);
        expect(status, words.join(' ')).to.equal(1);
        expect(stderr.replace(/^backend: .*\n/, '').trimEnd()).to.match(expected);
      }
    });

    it('refuses similar items where the method has no vectors', async () => {
      const { status, stderr } = await ilrecCommand('similar', 'B', '--run', at('markov'), '--backend', 'wasm');
      expect(status).to.equal(1);
      expect(stderr).to.include("similar: the run's method must have vectors of items, got markov, which has none; ");
    });

    it('writes the lists of many users as CSV, JSONL and Parquet, from every form of users', async () => {
      await writeFile(at('users.jsonl'), '{"user": "ann", "history": ["A, big"]}\n{"user": 7, "items": [1, 2]}\n');
      await writeFile(at('users.csv'), 'history;user\n"[""A, big""]";ann\nB|C c;7\n');
      await writeFile(at('python.csv'), "user\thistory\nann\t['A, big']\n7\tB,C c\n");
      await writeFile(at('rows.csv'), 'user,item,time\n7,C c,2\nann,"A, big",1\n7,B,1\n');
      const single = [
        await answer('markov', '--history', 'A, big', '--k', '3'),
        await answer('markov', '--history', 'B,C c', '--k', '3'),
      ];
      const expected = single.map(({ items, basis, skipped }, i) => ({ user: ['ann', '7'][i], basis, skipped, items }));
      for (const users of ['users.jsonl', 'users.csv', 'python.csv', 'rows.csv']) {
        const words = ['--users', at(users), '--out', at('lists.jsonl'), '--k', '3', '--json'];
        const { status, stdout, stderr } = await asked('markov', ...words);
        expect(status, stderr).to.equal(0);
        expect(JSON.parse(stdout)).to.deep.equal({
          out: at('lists.jsonl'),
          users: 2,
          items: 6,
          coldStarts: 0,
          skipped: 0,
        });
        const lines = (await readFile(at('lists.jsonl'), 'utf8')).trimEnd().split('\n');
        const found = lines.map((line) => JSON.parse(line) as { user: string });
        expect(
          found.sort((a, b) => b.user.localeCompare(a.user)),
          users,
        ).to.deep.equal(expected);
      }
      const rows = expected.flatMap(({ user, basis, items }) =>
        items.map(({ id, ...item }, i) => ({ user, rank: i + 1, item: id, ...item, basis })),
      );
      await asked('markov', '--users', at('users.jsonl'), '--out', at('lists.parquet'), '--k', '3');
      const file = await readFile(at('lists.parquet'));
      const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer;
      expect(await parquetReadObjects({ file: buffer })).to.deep.equal(rows);
      const { stdout } = await asked('markov', '--users', at('users.jsonl'), '--out', at('lists.csv'), '--k', '3');
      expect(stdout).to.equal(`2 lists, 6 items: ${at('lists.csv')}\n`);
      const [header, ...lines] = (await readFile(at('lists.csv'), 'utf8')).trimEnd().split('\n');
      expect(header).to.equal('user,rank,item,title,score,probability,basis');
      expect(lines).to.have.length(6);
      expect(lines[0]).to.equal(`ann,1,B,Tent,${rows[0].score},${rows[0].probability},history`);

      const whole = await asked('markov', '--users', at('data'), '--out', at('all.jsonl'), '--k', '2', '--json');
      expect(JSON.parse(whole.stdout)).to.include({ users: 16, items: 32 });
    });

    it('counts cold starts and unknown items of many users, and refuses a user twice', async () => {
      await writeFile(at('users.jsonl'), '{"user": "ann", "history": []}\n{"user": "bob", "history": ["zz", "B"]}\n');
      const words = ['--users', at('users.jsonl'), '--out', at('lists.jsonl'), '--k', '2'];
      expect((await asked('markov', ...words)).stderr).to.include('recommendUsers: a history must name items');
      const { stdout, stderr } = await asked('markov', ...words, '--skip-unknown', '--json');
      expect(JSON.parse(stdout)).to.include({ users: 2, items: 4, coldStarts: 1, skipped: 1 });
      expect(stderr).to.include('1 user has no known item: the most popular items.\n1 unknown item was left out of');
      await writeFile(at('users.jsonl'), '{"user": "ann", "history": []}\n{"user": "ann", "history": ["B"]}\n');
      expect((await asked('markov', ...words)).stderr).to.match(/hold a user's history once, got "ann" again; join /);
    });
  });

  it('gives as many items as asked for, whatever the beams, with probabilities of tokens', async () => {
    await prepare();
    const config = smallConfig({ items: { style: 'ids' }, training: { epochs: 1 }, evaluation: { beamWidth: 2 } });
    await train('sft', config);
    const { stdout, stderr } = await asked('sft', '--history', 'B', '--k', String(N), '--seen', 'allow');
    expect(stdout.trimEnd().split('\n')).to.have.length(N + 2);
    expect(stdout).to.match(/\nprobability: of the item's tokens, among everything that the model could write\n$/);
    expect(stderr).to.include(`The search has ${N} beams instead of 2, so that the list is full.\n`);
    const { items } = await answer('sft', '--history', 'B', '--k', '3');
    for (const { score, probability } of items) expect(probability).to.be.closeTo(Math.exp(score), 1e-12);
    const alike = await ilrecCommand('similar', 'tent', '--run', at('sft'), '--k', '3', '--backend', 'wasm');
    expect(alike.stdout).to.match(/^rank {2}item +similarity {2}title\n( +\d .+\n){3}$/);
    const wrong = await ilrecCommand('similar', 'tnt', '--run', at('sft'), '--backend', 'wasm');
    expect(wrong.stderr).to.match(
      /^similar: the item must be one of the catalogue, by id or title, got "tnt"; did you mean "B", "Tent"\?$/m,
    );
  });

  it('prints scores where another model counts in the search', async () => {
    await prepare();
    const evaluation = { fusion: { method: 'markov', weight: 0.5 } };
    await train('sft', smallConfig({ items: { style: 'ids' }, training: { epochs: 1 }, evaluation }));
    const { stdout } = await asked('sft', '--history', 'B', '--k', '2');
    expect(stdout).to.match(/^rank {2}item +score {2}title\n( +\d .+ -\d+\.\d{4} .+\n){2}$/);
  });
});
