import { expect } from 'chai';
import { readRecBole } from '../../src/data/recbole';

const read = (text: string, item?: string) =>
  readRecBole({
    inter: { name: 'ml-100k.inter', text },
    ...(item !== undefined && { item: { name: 'ml-100k.item', text: item } }),
  });

describe('readRecBole', () => {
  it('reads typed headers in any order, sorts by time and keeps quotes as they are', () => {
    const data = read(
      'user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n1\t"a"\t5\t20\r\n1\tb\t3\t10.5\r\n',
      'item_id:token\tmovie_title:token_seq\tyear:token\n"a"\tToy Story "2"\t1999\nb\t\t1\n',
    );
    expect(data.name).to.equal('ml-100k');
    expect([...data.sequences[0]].map((item) => data.itemIds[item])).to.deep.equal(['b', '"a"']);
    expect(data.titles).to.deep.equal(['Toy Story "2"', null]);
    expect(data.notes).to.deep.equal(['1 of 2 items have no title.']);
  });
  const HEADER = 'user_id:token\titem_id:token\ttimestamp:float\n';
  it('refuses a column that the header names twice, in upper or lower case', () => {
    for (const twice of ['item_id:token\titem_id:token', 'item_id:token\tItem_ID:float'])
      expect(() => read(`user_id:token\t${twice}\ttimestamp:float\nu1\tA\tX\t1\n`)).to.throw(
        `readRecBole: ml-100k.inter line 1: the header must name item_id only once, got "user_id ${twice.replace(/:\w+/g, '').replace('\t', ' ')} timestamp"; rename or remove one`,
      );
    expect(() => read('user_id:token\titem_id:float\ttimestamp:float\nu\t1.0\t1\n')).to.throw(
      'ml-100k.inter line 1: the header must name item_id:token, got "item_id:float"; ids are tokens',
    );
  });
  it('takes titles from the title, not from a brand', () => {
    const titles = (item: string): unknown => read(`${HEADER}u1\tA\t1\nu1\tB\t2\n`, item).titles;
    expect(
      titles('item_id:token\tbrand_name:token\ttitle:token_seq\nA\tAcme\tRed kettle\nB\tAcme\tBlue pan\n'),
    ).to.deep.equal(['Red kettle', 'Blue pan']);
    expect(titles('item_id:token\tbrand_name:token\nA\tAcme\n')).to.equal(undefined);
    expect(() => titles('item_id:token\ttrack_name:token\tartist_name:token\nA\tSong\tBand\n')).to.throw(
      'readRecBole: ml-100k.item line 1: the header must name only one column of titles, got "track_name artist_name"; name the right one "title"',
    );
  });
  it('refuses ids and times that are none', () => {
    for (const id of ['NaN', 'null', 'true', '0x10', ' '])
      expect(() => read(`${HEADER}u\t${id}\t1\n`)).to.throw(
        `readRecBole: ml-100k.inter line 2: item_id must be an id, got "${id}"; write a text or a whole number`,
      );
    for (const time of ['NaN', 'null', 'true', '0x10', '', 'Infinity', '1e999'])
      expect(() => read(`${HEADER}u\tA\t${time}\n`)).to.throw(
        `readRecBole: ml-100k.inter line 2: time must be a finite number, got "${time}"`,
      );
    expect(() => read(`${HEADER}u\tA\t1\n`, 'item_id:token\ttitle:token_seq\nnan\tA\n')).to.throw(
      'ml-100k.item line 2: item_id must be an id, got "nan"',
    );
  });
  it('says when 1 and 1.0 are two', () => {
    expect(read(`${HEADER}1.0\t7\t1\n1\t7\t2\n`).notes).to.deep.equal([
      'The user ids 1 and 1.0 are text and therefore two; write them alike if they are one.',
    ]);
  });
  it('names line, value and rule', () => {
    expect(() => read('user_id,item_id,timestamp\n1,2,3\n')).to.throw(
      'readRecBole: ml-100k.inter line 1: each column must be named field:type, with type token, float, token_seq or float_seq, and separated by tabs, got "user_id,item_id,timestamp"; write e.g. "user_id:token"',
    );
    expect(() => read('user_id:token\titem_id:token\n1\t2\n')).to.throw(
      'ml-100k.inter line 1: the header must name timestamp:float, got "user_id item_id"; rename or add the column',
    );
    expect(() => read('user_id:token\titem_id:token\ttimestamp:float\n1\t2\n')).to.throw(
      'ml-100k.inter line 2 must have 3 fields like the header, got 2; separate them by tabs',
    );
    expect(() => read('user_id:token\titem_id:token\ttimestamp:float\n1\t2\tx\n')).to.throw(
      'ml-100k.inter line 2: time must be a finite number, got "x"',
    );
    expect(() => read('user_id:token\titem_id:token\ttimestamp:float\n')).to.throw(
      'must have at least one interaction',
    );
    expect(() =>
      read('user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n', 'item_id:token\ttitle:token_seq\n2\tA\n2\tB\n'),
    ).to.throw('ml-100k.item line 3: item_id must occur only once, got "2" again');
  });
});
