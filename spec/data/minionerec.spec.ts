import { expect } from 'chai';
import { readMiniOneRec } from '../../src/data/minionerec';

const HEADER = 'user_id,history_item_title,item_title,history_item_id,item_id,history_item_sid,item_sid\n';
const INDEX = {
  name: 'Gear.index.json',
  text: '{"10": ["<a_1>", "<b_1>"], "11": ["<a_1>", "<b_2>"], "12": ["<a_2>", "<b_1>"]}',
};
const valid = { name: 'valid.csv', text: `${HEADER}A1,['Nut'],"Bolt, 5""",[10],11,['<a_1><b_1>'],<a_1><b_2>\n` };
const test = {
  name: 'test.csv',
  text: `${HEADER}A1,"['Nut', 'Bolt']",Vise,"[10, 11]",12,"['<a_1><b_1>', '<a_1><b_2>']",<a_2><b_1>\n`,
};
const broken = (row: string) => () =>
  readMiniOneRec({ windows: [{ name: 'test.csv', text: `${HEADER}${row}\n` }], index: INDEX });

describe('readMiniOneRec', () => {
  it('chains the windows of the splits there are and says which is missing', () => {
    const data = readMiniOneRec({ windows: [valid, test], missing: ['train'], index: INDEX });
    expect(data.name).to.equal('Gear');
    expect(data.userIds).to.deep.equal(['A1']);
    expect([...data.sequences[0]]).to.deep.equal([0, 1, 2]);
    expect(data.titles).to.deep.equal([null, 'Bolt, 5"', 'Vise']);
    expect(data.semanticIds?.[2]).to.deep.equal(['<a_2>', '<b_1>']);
    expect(data.notes).to.deep.equal([
      "The split train is missing: each sequence starts with the user's first window in valid.csv and test.csv.",
      'Sequences are split leave-one-out, not by the published chronological split.',
    ]);
  });
  it('keeps the published rows and takes their targets off the end of what is trained on', () => {
    const train = { name: 'train.csv', text: `${HEADER}A1,[],Nut,[11],10,[],\n` };
    const split = { split: 'published', index: INDEX } as const;
    const whole = readMiniOneRec({ ...split, windows: [train, valid, test], splits: ['train', 'valid', 'test'] });
    expect(whole.sequences.map((items) => [...items])).to.deep.equal([[1, 0]]);
    expect(whole.cases).to.deep.equal({
      valid: [{ history: Int32Array.of(0), target: 1, user: 0 }],
      test: [{ history: Int32Array.of(0, 1), target: 2, user: 0 }],
    });
    expect(whole.notes).to.deep.equal([
      'The rows of valid.csv and test.csv are evaluated as published; their targets are not trained on.',
    ]);
  });
  it('trains on the validation targets where the train split is missing, and says so', () => {
    const data = readMiniOneRec({
      split: 'published',
      index: INDEX,
      windows: [valid, test],
      splits: ['valid', 'test'],
      missing: ['train'],
    });
    expect(data.sequences.map((items) => [...items])).to.deep.equal([[0, 1]]);
    expect(data.cases).to.deep.equal({ valid: [], test: [{ history: Int32Array.of(0, 1), target: 2, user: 0 }] });
    expect(data.notes?.at(-1)).to.equal(
      'The rows of test.csv are evaluated as published; their targets are not trained on. The train split is missing, so the rows of valid.csv are trained on and there is no validation.',
    );
    expect(() =>
      readMiniOneRec({
        split: 'published',
        index: INDEX,
        windows: [valid],
        splits: ['valid'],
        missing: ['train', 'test'],
      }),
    ).to.throw('readMiniOneRec: the published split must have test.csv, got none; use leave-one-out instead');
  });
  it('refuses a published split whose targets are not the last items', () => {
    const early = { name: 'test.csv', text: `${HEADER}A1,[],Nut,[12],10,[],\n` };
    const late = { name: 'valid.csv', text: `${HEADER}A1,[],Nut,"[12, 10]",11,[],\n` };
    expect(() =>
      readMiniOneRec({
        split: 'published',
        index: INDEX,
        windows: [late, early],
        splits: ['valid', 'test'],
        missing: ['train'],
      }),
    ).to.throw(
      'readMiniOneRec: the held-out targets must be the last items of user "A1", got [0] where the chained windows end with [1]; use leave-one-out instead',
    );
  });
  it('takes semantic ids and titles from the info file where there is no index', () => {
    const data = readMiniOneRec({
      windows: [valid],
      info: { name: 'Gear.info.txt', text: '<a_1><b_1>\tNut\t10\r\n<a_1><b_2>\tBolt\t11\r\n' },
    });
    expect(data.itemIds).to.deep.equal(['10', '11']);
    expect(data.titles).to.deep.equal(['Nut', 'Bolt']);
    expect(data.semanticIds?.[1]).to.deep.equal(['<a_1>', '<b_2>']);
  });
  it('does without index and info', () => {
    const data = readMiniOneRec({ windows: [valid, test] });
    expect(data.itemIds).to.deep.equal(['10', '11', '12']);
    expect(data.semanticIds).to.equal(undefined);
  });
  it('keeps ids beyond 2^53 - 1 apart, in lists, columns and the index', () => {
    const index = { name: 'G.index.json', text: '{"9007199254740992": ["<a_1>"], "9007199254740993": ["<a_2>"]}' };
    const text = `${HEADER}A1,[],x,"[9007199254740993, 9007199254740992]",9007199254740993,[],\n`;
    expect([...readMiniOneRec({ windows: [{ name: 'test.csv', text }], index }).sequences[0]]).to.deep.equal([1, 0, 1]);
  });
  it('reads 5.0 as 5 where all items are whole numbers, and says when 5.0 and 5 are two', () => {
    const of = (rows: string): ReturnType<typeof readMiniOneRec> =>
      readMiniOneRec({ windows: [{ name: 'test.csv', text: `user_id,history_item_id,item_id\n${rows}` }] });
    expect(of('u,[3.0],5.0\nu,"[3, 5]",7\n').itemIds).to.deep.equal(['3', '5', '7']);
    const two = of("u,['x'],5.0\nu,\"['x', '5']\",7\n");
    expect(two.itemIds).to.deep.equal(['x', '5.0', '5', '7']);
    expect(two.notes?.at(-1)).to.contain('The item ids 5 and 5.0 are text and therefore two');
  });
  it('refuses ids that are none', () => {
    for (const item of ['NaN', 'null', 'True', '0x10'])
      expect(broken(`A1,[],Vise,[10],${item},[],`)).to.throw(
        `readMiniOneRec: test.csv line 2: item_id must be an id, got "${item}"; write a text or a whole number`,
      );
    expect(broken('nan,[],Vise,[10],12,[],')).to.throw('line 2: user_id must be an id, got "nan"');
    for (const item of ["''", "'nan'", '1.5'])
      expect(broken(`A1,[],Vise,[${item}],12,[],`)).to.throw('line 2: each item of history_item_id must be an id');
    for (const item of ['None', 'nan', '0x10', '010'])
      expect(broken(`A1,[],Vise,[${item}],12,[],`)).to.throw('line 2: history_item_id must be a Python list');
    expect(() => readMiniOneRec({ windows: [valid], info: { name: 'i.txt', text: '<a_1>\tNut\tNaN\n' } })).to.throw(
      'i.txt line 1 must be semantic id, title and item id',
    );
  });
  it('names line, value and rule', () => {
    expect(broken('A1,[],Vise,[10],99,[],')).to.throw(
      'readMiniOneRec: test.csv line 2 must have only items of Gear.index.json, got "99"; use the index made for these windows',
    );
    expect(broken('A1,[],Vise,"[10, oops]",12,[],')).to.throw(
      'readMiniOneRec: test.csv line 2: history_item_id must be a Python list such as [12, 7] (column 6: an element must be a quoted string or a number, got "o"), got "[10, oops]"; write the list again',
    );
    expect(broken('A1,[],Vise,[10],12,[],<a_9><b_9>')).to.throw(
      'line 2: item_sid must be "<a_2><b_1>", the semantic id of item 12 in Gear.index.json, got "<a_9><b_9>"',
    );
    expect(broken(',[],Vise,[10],12,[],')).to.throw('line 2: user_id must not be blank');
    expect(broken('A1,[],Vise,[10],,[],')).to.throw('line 2: item_id must not be blank');
    expect(broken('')).to.throw('test.csv must have at least one window, got none');
    expect(() => readMiniOneRec({ windows: [{ name: 'test.csv', text: 'user_id,item_id\nA1,3\n' }] })).to.throw(
      'readMiniOneRec: test.csv line 1: the header must name a column history_item_id, got "user_id,item_id"; rename or add one',
    );
    expect(() => readMiniOneRec({ windows: [valid], info: { name: 'i.txt', text: 'Nut\t10\n' } })).to.throw(
      'i.txt line 1 must be semantic id, title and item id, separated by tabs, got "Nut\\t10"',
    );
  });
});
