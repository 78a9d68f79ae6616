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
