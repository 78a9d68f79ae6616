import { expect } from 'chai';
import { readWindows, type WindowFiles } from '../../src/data/windows';

const HEADER = 'uid,hist_id,iid,timestamp\n';
const columns = { user: 'uid', history: 'hist_id', target: 'iid' };
const TRAIN = `${HEADER}1,"[3, 7]",5,10\n2,"[7]",3,11\n1,"[3, 7, 5]",9,12\n1,"[9, 4]",3,13\n`;
const VALID = `${HEADER}2,"[7, 3]",4,20\n`;
const TEST = `${HEADER}1,"[4, 3]",7,30\n8,"[9]",5,31\n`;
const file = (name: string, text: string): WindowFiles['windows'][number] => ({ name, text });
const read = (options: Partial<WindowFiles> = {}): ReturnType<typeof readWindows> =>
  readWindows({
    windows: [file('train.csv', TRAIN), file('valid.csv', VALID), file('test.csv', TEST)],
    splits: ['train', 'valid', 'test'],
    columns,
    ...options,
  });

describe('readWindows', () => {
  it('trains on the rows of train, chained where they overlap, and evaluates the others as they are', () => {
    const { userIds, sequences, cases, itemIds, notes } = read({ split: 'published' });
    const ids = (items: ArrayLike<number>): string[] => Array.from(items, (item) => itemIds[item]);
    expect(sequences.map(ids)).to.deep.equal([
      ['3', '7', '5', '9'],
      ['9', '4', '3'],
      ['7', '3'],
    ]);
    expect(userIds).to.deep.equal(['1', '1 (2)', '2']);
    expect(cases?.valid.map(({ history, target }) => [ids(history), itemIds[target]])).to.deep.equal([
      [['7', '3'], '4'],
    ]);
    expect(cases?.test.map(({ history, target, user }) => [ids(history), itemIds[target], user])).to.deep.equal([
      [['4', '3'], '7', 0],
      [['9'], '5', 2],
    ]);
    expect(notes).to.deep.equal([
      'The rows of valid and test are evaluated as published; only the rows of train are trained on.',
      'Rows of train that continue no other row of their user: 1. Each begins a sequence of its own.',
    ]);
  });

  it('chains all rows of a user for leave-one-out', () => {
    const { userIds, sequences, cases } = read();
    expect(userIds).to.deep.equal(['1', '2', '8']);
    expect(sequences.map((sequence) => sequence.length)).to.deep.equal([7, 3, 2]);
    expect(cases).to.equal(undefined);
  });

  it('takes the catalogue and its titles from the table of items', () => {
    const items = file('item.csv', 'rawid,title,IID\nA,"Tent, small",3\nB,,5\nC,Rope,7\nD,Lamp,9\nE,Mug,4\nF,Map,11\n');
    const { itemIds, titles } = read({ items, split: 'published' });
    expect(itemIds).to.deep.equal(['3', '5', '7', '9', '4', '11']);
    expect(titles).to.deep.equal(['Tent, small', null, 'Rope', 'Lamp', 'Mug', 'Map']);
    expect(() => read({ items: file('item.csv', 'title,iid\nTent,3\n') })).to.throw(
      'readWindows: train.csv line 2 must have only items of item.csv, got "7"; add the item there',
    );
    expect(() => read({ items: file('item.csv', 'title,iid\nTent,3\nBoat,3\n') })).to.throw(
      'readWindows: item.csv line 3: iid must occur only once, got "3" again; keep one of the lines',
    );
  });

  it('names further sequences as no user is named', () => {
    const train = file('train.csv', `${HEADER}1,[3],4,1\n1,[5],6,2\n1 (2),[3],4,3\n`);
    const test = file('test.csv', `${HEADER}1,[3],4,1\n`);
    const { userIds } = read({ windows: [train, test], splits: ['train', 'test'], split: 'published' });
    expect(userIds).to.deep.equal(['1', '1 (3)', '1 (2)']);
  });

  it('refuses items and titles that are none or doubled', () => {
    const items = (text: string) => () => read({ items: file('item.csv', text) });
    expect(items('title,iid\nTent,NaN\n')).to.throw(
      'readWindows: item.csv line 2: iid must be an id, got "NaN"; write a text or a whole number',
    );
    expect(items('title,Title,iid\nTent,Boat,3\n')).to.throw(
      'readWindows: item.csv line 1: the header must name only one column of titles, got "title,Title"; name the right one "title"',
    );
  });

  it('says what is wrong, with the line', () => {
    const of = (text: string): Partial<WindowFiles> => ({ windows: [file('train.csv', text)], splits: ['train'] });
    expect(() => read(of(`${HEADER},"[1]",2,3\n`))).to.throw('readWindows: train.csv line 2: uid must not be blank');
    expect(() => read(of(`${HEADER}1,"[1]", ,3\n`))).to.throw('readWindows: train.csv line 2: iid must not be blank');
    expect(() => read(of(`${HEADER}1,"1, 2",2,3\n`))).to.throw(
      'readWindows: train.csv line 2: hist_id must be a Python list such as [12, 7]',
    );
    expect(() => read(of('user,hist_id,iid\n'))).to.throw('readWindows: train.csv');
    expect(() => read({ ...of(TRAIN), split: 'published' })).to.throw(
      'readWindows: the published split must have rows of test, got none; use leave-one-out instead',
    );
    expect(() => read({ windows: [], splits: [] })).to.throw('readWindows: the dataset must have at least one window');
  });
});
