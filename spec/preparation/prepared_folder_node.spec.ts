import { expect } from 'chai';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { prepareInteractions } from '../../src/preparation/prepare';
import { prepareData } from '../../src/preparation/prepare_data_node';
import { loadPrepared, writePrepared } from '../../src/preparation/prepared_folder_node';
import { readDataset, type DataFormat } from '../../src/preparation/read_dataset_node';
import { IlrecError } from '../../src/errors';

const CSV = 'user,item,time\nu,a,1\nu,b,2\nu,c,3\nv,c,1\nv,b,2\nv,a,3\n';

describe('prepareData', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ilrec-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });
  const put = async (path: string, text: string | Uint8Array): Promise<void> => {
    await mkdir(join(dir, path, '..'), { recursive: true });
    await writeFile(join(dir, path), text);
  };
  /** The message of what the promise rejects with, which must be a user's error. */
  const refusal = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
    } catch (error) {
      expect(error).to.be.instanceOf(IlrecError);
      return (error as Error).message.replaceAll(dir, 'DIR');
    }
    throw new Error('nothing was refused');
  };

  it('writes a folder that loads as what it returned, and again over an earlier one', async () => {
    await put('in/interactions.csv', CSV);
    await put('in/items.csv', 'item,title\na,Über-Gitarre\nb,\n');
    for (const kCore of [0, 2]) {
      const written = await prepareData({
        format: 'csv',
        input: join(dir, 'in'),
        out: join(dir, 'out'),
        kCore,
        maxHistory: 4,
      });
      expect(await loadPrepared(join(dir, 'out'))).to.deep.equal(written);
      expect(written.titles).to.deep.equal(['Über-Gitarre', null, null]);
      expect(written.report.kCore).to.equal(kCore);
    }
    expect(await readdir(dir)).to.deep.equal(['in', 'out']);
    expect((await readFile(join(dir, 'out/interactions.jsonl'), 'utf8')).split('\n')[1]).to.equal(
      '{"user":"v","items":[2,1,0]}',
    );
  });
  it('writes the same bytes for the same seed', async () => {
    const data = demoCatalogue({ numItems: 40, numUsers: 60, seed: 3 });
    const first = await writePrepared(prepareInteractions(data, { seed: 1 }), join(dir, 'a'));
    const second = await writePrepared(prepareInteractions(data, { seed: 1 }), join(dir, 'b'));
    const other = await writePrepared(prepareInteractions(data, { seed: 2 }), join(dir, 'c'));
    expect(first.checksum).to.equal(second.checksum);
    expect(first.checksum).to.not.equal(other.checksum);
  });
  it('takes vectors and titles from files', async () => {
    await put('shop.csv', CSV);
    await put(
      'vectors.jsonl',
      '{"id": "a", "vector": [0, 1]}\n{"id": "b", "vector": [0, 1.1]}\n{"id": "c", "vector": [5, 0]}\n{"id": "z", "vector": [5, 0]}\n',
    );
    await put('names.jsonl', '{"item": "a", "title": "A"}\n');
    const data = await prepareData({
      format: 'csv',
      input: join(dir, 'shop.csv'),
      out: join(dir, 'out'),
      vectors: join(dir, 'vectors.jsonl'),
      titles: join(dir, 'names.jsonl'),
      levels: 1,
      codebookSize: 2,
    });
    expect(data.semanticIds[0][0]).to.equal(data.semanticIds[1][0]).and.not.equal(data.semanticIds[2][0]);
    expect(data.report.notes).to.include('1 of the item vectors belong to no item of the catalogue and were not used.');
    await put('vectors.jsonl', '{"id": "a", "vector": [0, 1]}\n');
    expect(
      await refusal(
        prepareData({
          format: 'csv',
          input: join(dir, 'shop.csv'),
          out: join(dir, 'other'),
          vectors: join(dir, 'vectors.jsonl'),
        }),
      ),
    ).to.equal(
      'makeSemanticIds: vectors must have an entry for every item of the catalogue, got none for 2 of 3, such as "b"; add them or leave vectors out',
    );
    expect(await readdir(dir)).to.not.include('other');
  });
  it('leaves nothing behind when it fails, and other folders alone', async () => {
    await put('in/interactions.csv', CSV);
    await put('mine/thesis.txt', 'precious');
    const input = join(dir, 'in');
    expect(await refusal(prepareData({ format: 'csv', input, out: join(dir, 'mine') }))).to.equal(
      'prepareData: out must be a new, empty or prepared folder, got DIR/mine, which holds thesis.txt; choose another folder',
    );
    expect(await refusal(prepareData({ format: 'csv', input, out: input }))).to.contain(
      'must be a new, empty or prepared folder',
    );
    expect(await refusal(prepareData({ format: 'csv', input, out: join(dir, 'mine/thesis.txt') }))).to.equal(
      'prepareData: out must be a folder, got the file DIR/mine/thesis.txt; choose another name',
    );
    expect(await refusal(prepareData({ format: 'csv', input, out: join(dir, 'mine/thesis.txt/out') }))).to.match(
      /^prepareData: the folder DIR\/mine\/thesis\.txt\/out must be writable, got ENOTDIR/,
    );
    expect(await refusal(prepareData({ format: 'csv', input, out: join(dir, 'out'), kCore: 9 }))).to.contain(
      'got 9, which leaves none; use 2 at most',
    );
    await prepareData({ format: 'csv', input, out: join(dir, 'out') });
    await put('out/run.txt', 'precious');
    expect(await refusal(prepareData({ format: 'csv', input, out: join(dir, 'out') }))).to.contain(
      'which holds run.txt',
    );
    expect(await readdir(dir)).to.deep.equal(['in', 'mine', 'out']);
    expect(await readdir(join(dir, 'mine'))).to.deep.equal(['thesis.txt']);
  });
  it('says which file is missing, doubled or unreadable', async () => {
    await put('in/x.txt', 'x');
    const of = (format: DataFormat, input = join(dir, 'in')): Promise<string> =>
      refusal(readDataset({ format, input }));
    expect(await of('lc-rec')).to.equal(
      "readDataset: DIR/in must have a file *.inter.json, got none; give the dataset's folder as input",
    );
    expect(await of('minionerec')).to.equal(
      "readDataset: DIR/in must have a file train.csv, valid.csv, test.csv or *.inter.json, got none; give the dataset's folder as input",
    );
    expect(await of('recbole')).to.contain('must have a file *.inter, got none');
    expect(await of('csv')).to.contain('must have a file interactions.csv, .tsv or .jsonl, got none');
    expect(await of('csv', join(dir, 'nowhere'))).to.equal(
      'readDataset: DIR/nowhere must be a readable file, got nothing at that path; give the path of the dataset',
    );
    expect(await of('parquet' as DataFormat)).to.equal(
      'readDataset: format must be one of lc-rec, minionerec, recbole, csv, windows, movielens, amazon, steam, retailrocket, got parquet; choose one of them',
    );
    await put('in/a.inter.json', '{}');
    await put('in/b.inter.json', '{}');
    expect(await of('lc-rec')).to.equal(
      'readDataset: in must have only one *.inter.json, got a.inter.json, b.inter.json; give the file itself as input or move the others away',
    );
    expect(await of('lc-rec', join(dir, 'in/b.inter.json'))).to.contain('b.inter.json must have at least one user');
    await put('in/interactions.csv', Uint8Array.of(0xff, 0x41));
    expect(await of('csv')).to.equal(
      'readDataset: DIR/in/interactions.csv line 1 must be UTF-8 text, got other bytes; save the file as UTF-8',
    );
    expect(await refusal(readDataset({ format: 'recbole', input: join(dir, 'in'), titles: 'x' }))).to.contain(
      'titles must be left out with format recbole',
    );
  });
  it('finds the splits of MiniOneRec in folders of their own, and its inter.json where there are none', async () => {
    const header = 'user_id,history_item_id,item_id\n';
    await put('in/train/G_5_2016.csv', `${header}u,[1],2\n`);
    await put('in/test/G_5_2016.csv', `${header}u,"[1, 2]",3\n`);
    await put('in/index/G.index.json', '{"1": ["<a_1>"], "2": ["<a_2>"], "3": ["<a_3>"]}');
    await put('in/info/G_5_2016.txt', '<a_1>\tNut\t1\n<a_2>\tBolt\t2\n<a_3>\tVise\t3\n');
    const data = await readDataset({ format: 'minionerec', input: join(dir, 'in') });
    expect([...data.sequences[0]]).to.deep.equal([0, 1, 2]);
    expect(data.titles).to.deep.equal(['Nut', 'Bolt', 'Vise']);
    expect(data.notes?.[0]).to.contain('The split valid is missing');
    await put('two/G.inter.json', '{"u": [1, 2, 3]}');
    expect((await readDataset({ format: 'minionerec', input: join(dir, 'two') })).itemIds).to.deep.equal([
      '1',
      '2',
      '3',
    ]);
  });
  it('writes and reads the rows of a published split, which the checksum covers', async () => {
    const header = 'user_id,history_item_id,item_id\n';
    await put('in/train.csv', `${header}u,[1],2\n`);
    await put('in/valid.csv', `${header}u,"[1, 2]",3\n`);
    await put('in/test.csv', `${header}u,"[2, 3]",1\nv,[3],2\n`);
    const written = await prepareData({
      format: 'minionerec',
      split: 'published',
      input: join(dir, 'in'),
      out: join(dir, 'out'),
      levels: 1,
      codebookSize: 2,
    });
    expect(written.report.cases).to.deep.equal({ valid: 1, test: 2 });
    const loaded = await loadPrepared(join(dir, 'out'));
    expect(loaded.sequences.map((items) => [...items])).to.deep.equal([[0, 1], [2]]);
    expect(loaded.cases).to.deep.equal(written.cases);
    expect(loaded.cases?.test).to.deep.equal([
      { history: Int32Array.of(1, 2), target: 0, user: 0 },
      { history: Int32Array.of(2), target: 1, user: 1 },
    ]);
    await put('out/cases.jsonl', '{"split":"test","history":[1],"target":0}\n');
    expect(await refusal(loadPrepared(join(dir, 'out')))).to.contain(
      'items.jsonl, interactions.jsonl and cases.jsonl of DIR/out must be unchanged',
    );
    expect(await refusal(readDataset({ format: 'lc-rec', split: 'published', input: join(dir, 'in') }))).to.equal(
      'readDataset: split must be leave-one-out with format lc-rec, got published; only minionerec and windows have a published split',
    );
    expect(
      await refusal(
        prepareData({
          format: 'minionerec',
          split: 'published',
          kCore: 2,
          input: join(dir, 'in'),
          out: join(dir, 'out2'),
        }),
      ),
    ).to.contain('kCore must be left out for a published split');
  });
  it('takes no file of another dataset', async () => {
    await put('lc/A.inter.json', '{"u1": [0, 1, 2], "u2": [1, 2, 0]}');
    await put('lc/B.index.json', '{"0": ["<a_9>"], "1": ["<a_8>"], "2": ["<a_7>"]}');
    expect(await refusal(readDataset({ format: 'lc-rec', input: join(dir, 'lc/A.inter.json') }))).to.equal(
      'readDataset: A.inter.json must have a *.index.json of the same name or none, got B.index.json; rename it if it was made for these interactions, or move it away',
    );
    await put('lc/B.inter.json', '{"u1": [1, 2]}');
    const data = await readDataset({ format: 'lc-rec', input: join(dir, 'lc/A.inter.json') });
    expect(data.semanticIds).to.equal(undefined);
    expect(data.notes).to.deep.equal(['Files of another dataset were not used: B.index.json.']);

    await put('rb/A.inter', 'user_id:token\titem_id:token\ttimestamp:float\nu\ta\t1\n');
    await put('rb/B.item', 'item_id:token\ttitle:token_seq\na\tWrong\n');
    expect(await refusal(readDataset({ format: 'recbole', input: join(dir, 'rb') }))).to.contain('got B.item');
    await put('rb/A.item', 'item_id:token\ttitle:token_seq\na\tRight\n');
    expect((await readDataset({ format: 'recbole', input: join(dir, 'rb') })).titles).to.deep.equal(['Right']);

    const header = 'user_id,history_item_id,item_id\n';
    await put('mo/train/G_5_2016.csv', `${header}u,[1],2\n`);
    await put('mo/index/H.index.json', '{"1": ["<a_1>"], "2": ["<a_2>"]}');
    const of = (): Promise<string> => refusal(readDataset({ format: 'minionerec', input: join(dir, 'mo') }));
    expect(await of()).to.contain('G_5_2016.csv must have a *.index.json of the same name or none, got H.index.json');
    await put('mo/index/G.index.json', '{"1": ["<a_3>"], "2": ["<a_4>"]}');
    await put('mo/info/H_5_2016.txt', '<a_1>\tWrong\t1\n');
    expect(await of()).to.contain('got H_5_2016.txt');
    await rm(join(dir, 'mo/info'), { recursive: true });
    expect((await readDataset({ format: 'minionerec', input: join(dir, 'mo') })).semanticIds).to.deep.equal([
      ['<a_3>'],
      ['<a_4>'],
    ]);
    await put('mo/test/H_5_2018.csv', `${header}u,[1],2\n`);
    expect(await of()).to.equal(
      'readDataset: the splits must be of one dataset, got G_5_2016.csv, H_5_2018.csv; move the others away or name them train.csv, valid.csv and test.csv',
    );

    await put('csv/interactions.csv', CSV);
    await put('csv/items.csv', 'item,title\na,A\n');
    await put('csv/titles.csv', 'item,title\na,B\n');
    expect(await refusal(readDataset({ format: 'csv', input: join(dir, 'csv') }))).to.contain(
      'csv must have only one items.* or titles.*, got items.csv, titles.csv',
    );
  });
  it('keeps every id as it is', async () => {
    const ids = fc.uniqueArray(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 5 }),
        fc.bigInt().map(String),
        fc.constantFrom('01', '1.0', '1', ' 1', '1e20', 'null', '"', '\n', '\u2028', '\ufeff', '\ud800', '__proto__'),
      ),
      { minLength: 4, maxLength: 6 },
    );
    const { report } = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 20 }));
    await fc.assert(
      fc.asyncProperty(ids, ids, async (itemIds, userIds) => {
        const sequences = userIds.map(() => Int32Array.of(3, 0, 2));
        const semanticIds = itemIds.map((_, item) => [`<a_${item}>`]);
        const written = { name: itemIds[0], itemIds, userIds, sequences, semanticIds, titles: itemIds, report };
        const loaded = await writePrepared(written, join(dir, 'out')).then(() => loadPrepared(join(dir, 'out')));
        expect({ ...loaded, checksum: undefined }).to.deep.equal({ ...written, checksum: undefined });
      }),
      { numRuns: 15 },
    );
  });
  it('names a damaged line, even where the checksum was made anew', async () => {
    await writePrepared(prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 20 })), join(dir, 'out'));
    const read = (name: string): Promise<string> => readFile(join(dir, 'out', name), 'utf8');
    const [dataset, items, interactions] = await Promise.all(
      ['dataset.json', 'items.jsonl', 'interactions.jsonl'].map(read),
    );
    const load = async (newItems: string, newInteractions: string): Promise<string> => {
      const checksum = createHash('sha256').update(newItems).update(newInteractions).digest('hex');
      await put('out/dataset.json', dataset.replace(/"checksum": "\w+"/, `"checksum": "${checksum}"`));
      await put('out/items.jsonl', newItems);
      await put('out/interactions.jsonl', newInteractions);
      return await refusal(loadPrepared(join(dir, 'out')));
    };
    const second = (text: string, line: string): string => text.replace(/\n.*\n/, `\n${line}\n`);
    for (const line of ['{"id":7,"semanticId":["<a_1>"]}', '{"id":"7"}', '["7"]', 'null', '{"id":"7","semant', '[['])
      expect(await load(second(items, line), interactions)).to.equal(
        `loadPrepared: DIR/out/items.jsonl line 2 must be a row that this release writes, got ${JSON.stringify(line)}; run \`ilrec prepare\` again`,
      );
    for (const line of ['{"user":"u","items":[40]}', '{"user":"u","items":[0.5]}', '{"user":1,"items":[0]}', '{}'])
      expect(await load(items, second(interactions, line))).to.contain('interactions.jsonl line 2 must be a row');
    const [first] = items.split('\n');
    expect(await load(second(items, first), interactions)).to.equal(
      'loadPrepared: DIR/out/items.jsonl must have each item once, got one again; run `ilrec prepare` again',
    );
  });
  it('refuses to load what is missing, changed or of another release', async () => {
    expect(await refusal(loadPrepared(join(dir, 'none')))).to.equal(
      'loadPrepared: DIR/none/dataset.json must be a readable file, got nothing at that path; run `ilrec prepare` with --out at that folder first',
    );
    await writePrepared(prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 20 })), join(dir, 'out'));
    const items = await readFile(join(dir, 'out/items.jsonl'), 'utf8');
    await put('out/items.jsonl', items.replace('gear-01', 'gear-99'));
    expect(await refusal(loadPrepared(join(dir, 'out')))).to.equal(
      'loadPrepared: items.jsonl and interactions.jsonl of DIR/out must be unchanged since they were written, got another checksum; run `ilrec prepare` again',
    );
    const dataset = await readFile(join(dir, 'out/dataset.json'), 'utf8');
    await put('out/dataset.json', dataset.replace('"version": 1', '"version": 9'));
    expect(await refusal(loadPrepared(join(dir, 'out')))).to.match(
      /^loadPrepared: DIR\/out\/dataset\.json must have the fields that this release writes, got at "version": .*; run `ilrec prepare` again$/,
    );
    await put('out/dataset.json', '{');
    expect(await refusal(loadPrepared(join(dir, 'out')))).to.contain('must be valid JSON, got a damaged file');
  });
});
