import { expect } from 'chai';
import { readItemVectors } from '../../src/preparation/read_item_vectors';

const read = (text: string): [string, number[]][] =>
  [...readItemVectors('read', { name: 'v.jsonl', text })].map(([id, vector]) => [id, [...vector]]);

describe('readItemVectors', () => {
  it('reads one vector per line, ids as text or number', () => {
    expect(read('{"id": "a", "vector": [1, -2.5]}\r\n\r\n{"vector": [0, 3], "id": 7}')).to.deep.equal([
      ['a', [1, -2.5]],
      ['7', [0, 3]],
    ]);
  });
  it('names line, value and rule', () => {
    expect(() => read('{"id": "a", "vector": [1, null]}')).to.throw(
      'read: v.jsonl line 1 must have a list of finite numbers as "vector", got [1,null]; write {"id": ..., "vector": [...]}',
    );
    expect(() => read('{"id": "a", "vector": []}')).to.throw('must have a list of finite numbers');
    expect(() => read('{"id": "a", "vector": [1]}\n{"id": "b", "vector": [1, 2]}')).to.throw(
      'v.jsonl line 2 must have a vector of 1 numbers like the lines before, got 2; use one encoder for all items',
    );
    expect(() => read('{"id": "a", "vector": [1]}\n{"id": " a", "vector": [1]}')).to.throw(
      'v.jsonl line 2 must not repeat an item, got "a" again',
    );
    expect(() => read('{"vector": [1]}')).to.throw('v.jsonl line 1 must have an item id as "id", got undefined');
    expect(() => read('')).to.throw('v.jsonl must not be empty');
  });
});
