import { expect } from 'chai';
import { readPlain } from '../../src/data/plain_table';
import type { InteractionData } from '../../src/data/types';

const read = (text: string, name = 'shop.csv', titles?: { name: string; text: string }): InteractionData =>
  readPlain({ interactions: { name, text }, titles });
const listed = (data: InteractionData): Record<string, string[]> =>
  Object.fromEntries(
    data.userIds.map((user, row) => [user, [...data.sequences[row]].map((item) => data.itemIds[item])]),
  );

describe('readPlain', () => {
  it('sorts by time, negative and fractional too, and keeps the order of the file in ties', () => {
    const data = read('time,user,extra,item\n3,u,,c\n-1.5,u,,a\n2,v,,x\n3,u,,b\n1e9,u,,a\n');
    expect(data.name).to.equal('shop');
    expect(listed(data)).to.deep.equal({ u: ['a', 'c', 'b', 'a'], v: ['x'] });
  });
  it('reads TSV and JSONL with ids that are numbers', () => {
    expect(listed(read('user_id\titem_id\ttimestamp\nu\ta,b\t1\n', 'x.tsv'))).to.deep.equal({ u: ['a,b'] });
    expect(
      listed(read('{"user": 7, "item": "b", "time": 2}\r\n\r\n{"time": "1", "item": 3, "user": "7"}', 'x.jsonl')),
    ).to.deep.equal({ 7: ['3', 'b'] });
  });
  it('drops rows that are there twice and takes space off ids, and says so', () => {
    const data = read('user,item,time\nu,a,1\nu, a,1\nu,a,2\n');
    expect(listed(data)).to.deep.equal({ u: ['a', 'a'] });
    expect(data.notes).to.deep.equal([
      '1 ids of shop.csv had surrounding space, which was removed.',
      '1 rows of shop.csv repeat user, item and time of an earlier row and were dropped.',
    ]);
  });
  it('reads titles of any script', () => {
    const data = read('user,item,time\nu,a,1\nu,b,2\n', 'shop.csv', {
      name: 'items.csv',
      text: 'item,title\r\nb,"吉他, 6弦 ""经典"""\r\nz,unsold\r\n',
    });
    expect(data.titles).to.deep.equal([null, '吉他, 6弦 "经典"']);
    expect(data.notes).to.deep.equal(['1 of 2 items have no title.']);
  });
  it('names line, value and rule', () => {
    expect(() => read('user,item,time\nu,a,yesterday\n')).to.throw(
      'readPlain: shop.csv line 2: time must be a finite number, got "yesterday"; write Unix seconds or any number that grows with time',
    );
    expect(() => read('user,item,time\nu,a,\n')).to.throw('line 2: time must be a finite number, got ""');
    expect(() => read('user,item,time\nu,a,Infinity\n')).to.throw('got "Infinity"');
    expect(() => read('user,item,time\n\nu, ,1\n')).to.throw(
      'readPlain: shop.csv line 3: item must be an id, got " "; write a text or number',
    );
    expect(() => read('user,thing,time\nu,a,1\n')).to.throw(
      'shop.csv line 1: the header must name a column item or item_id or itemid or id, got "user,thing,time"',
    );
    expect(() => read('user,item,time\n')).to.throw('shop.csv must have at least one interaction, got only a header');
    expect(() => read('{"user": 1, "item": 2}', 'x.jsonl')).to.throw(
      'readPlain: x.jsonl line 1 must have a key time or timestamp, got "user,item"; rename or add one',
    );
    expect(() => read('{"user": null, "item": 2, "time": 1}', 'x.jsonl')).to.throw(
      'x.jsonl line 1: user must be an id, got null',
    );
    expect(() => read('{"user": 1, "item": 2, "time": 1}\n{oops', 'x.jsonl')).to.throw(
      'x.jsonl line 2 must be one JSON object, got "{oops"; repair the line',
    );
    expect(() =>
      read('user,item,time\nu,a,1\n', 'shop.csv', { name: 't.csv', text: 'item,title\na,A\n a,B\n' }),
    ).to.throw('t.csv line 3: item must occur only once, got "a" again; keep one of the lines');
    expect(() =>
      read('user,item,time\nu,a,1\n', 'shop.csv', { name: 't.jsonl', text: '{"item": "a", "title": 4}' }),
    ).to.throw('t.jsonl line 1: title must be a text, got 4');
  });
});
