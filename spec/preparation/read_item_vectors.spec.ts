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
  it('keeps ids beyond 2^53 - 1 apart and rounds only vectors', () => {
    expect(
      read(
        '{"id": 9007199254740992, "vector": [1]}\n{"id": 9007199254740993.0, "vector": [0.12500000000000000000001]}\n' +
          '{"ID": "9007199254740994", "vector": [12345678901234567890]}',
      ),
    ).to.deep.equal([
      ['9007199254740992', [1]],
      ['9007199254740993', [0.125]],
      ['9007199254740994', [Math.fround(Number('12345678901234567890'))]],
    ]);
  });
  it('refuses ids that are none, and fields that are there twice', () => {
    for (const id of ['null', 'true', '""', '1.5', '"NaN"', '{}', '[1]'])
      expect(() => read(`{"id": ${id}, "vector": [1]}`)).to.throw('v.jsonl line 1 must have an item id as "id"');
    expect(() => read('{"id": NaN, "vector": [1]}')).to.throw('v.jsonl line 1 must be one JSON object');
    expect(() => read('{"id": 1, "vector": ["1"]}')).to.throw('must have a list of finite numbers as "vector"');
    expect(() => read('{"id": 1, "vector": [1], "id": 2}')).to.throw('line 1 must not repeat a key, got "id" again');
    expect(() => read('{"id": 1, "ID": 2, "vector": [1]}')).to.throw(
      'read: v.jsonl line 1 must have only one field id, got ["id","ID"]; remove the others',
    );
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
