import { expect } from 'chai';
import { idOf, linesOf, lookAlikes, parseJsonLine, parseJsonObject, show } from '../../src/data/text_file';

const parse = (text: string): unknown => Object.fromEntries(parseJsonObject('read', { name: 'f.json', text }));

describe('parseJsonObject', () => {
  it('takes a byte order mark, CRLF and nested objects', () => {
    expect(parse('\ufeff{"a": {"a": 1, "b": "}\\"{"},\r\n "b": ["a", "b"]}\r\n')).to.deep.equal({
      a: { a: 1, b: '}"{' },
      b: ['a', 'b'],
    });
  });
  it('names the line of a repeated key, which JSON.parse would swallow', () => {
    expect(() => parse('{"u": [1],\n "v": [2],\n "\\u0075": [3]}')).to.throw(
      'read: f.json line 3 must not repeat a key, got "u" again (first on line 1); merge the two entries',
    );
  });
  it('refuses keys that differ only by surrounding space', () => {
    expect(() => parse('{"u": [1], " u": [2]}')).to.throw(
      'read: f.json must not have keys that differ only by surrounding space, got "u" and " u"; merge the two entries',
    );
    expect(() => parse('{" ": 1}')).to.throw('read: f.json must not have a blank key, got " "');
  });
  it('names a repeated key of an inner object too', () => {
    expect(() => parse('{"0": {"title": "A",\n"title": "B"}}')).to.throw(
      'read: f.json line 2 must not repeat a key, got "title" again (first on line 1); merge the two entries',
    );
  });
  it('refuses keys that stand for a missing value', () => {
    for (const key of ['NaN', 'null', ' None', 'true', '0x10'])
      expect(() => parse(`{"${key}": [1]}`)).to.throw(
        `read: f.json must have an id as each key, got "${key}"; name or remove the entry`,
      );
  });
  it('names the place where JSON breaks', () => {
    expect(() => parse('{"u": [1],\n  "v": [2,]}')).to.throw(
      'read: f.json line 2 column 11 must be valid JSON, got "]}"; repair or download the file again',
    );
    expect(() => parse('{"u": [1')).to.throw(
      'read: f.json line 1 column 9 must be valid JSON, got "the end of the file"',
    );
  });
  it('refuses empty files and other values than objects', () => {
    expect(() => parse(' \n')).to.throw('read: f.json must not be empty, got 2 characters; write the file again');
    expect(() => parse('\ufeff')).to.throw('must not be empty');
    expect(() => parse('[1]')).to.throw('read: f.json must be one JSON object, got [1]');
    expect(() => parse('null')).to.throw('got null');
  });
});

describe('parseJsonLine', () => {
  const line = (text: string): unknown => parseJsonLine('read', 'f.jsonl', text, 3);
  it('keeps numbers beyond 2^53 - 1 as their digits', () => {
    expect(line('{"item": 9007199254740993, "time": 1700000000}')).to.deep.equal({
      item: '9007199254740993',
      time: 1700000000,
    });
  });
  it('refuses a repeated key and what is no object, NaN and 0x10 included', () => {
    expect(() => line('{"item": 1, "item": 2}')).to.throw(
      'read: f.jsonl line 3 must not repeat a key, got "item" again; remove one of them',
    );
    for (const text of ['{"item": NaN}', '{"item": 0x10}', '{"item": 007}', '{"item": +1}', '{"item": 1', '[1]', '1'])
      expect(() => line(text)).to.throw('read: f.jsonl line 3 must be one JSON object, got ');
  });
});

describe('idOf', () => {
  it('takes texts without their surrounding space, and whole numbers', () => {
    expect([' a, "b" ', '007', '1.0', 7, -0, '0xABCDEF0123456789AB', 'nullable'].map(idOf)).to.deep.equal([
      'a, "b"',
      '007',
      '1.0',
      '7',
      '0',
      '0xABCDEF0123456789AB',
      'nullable',
    ]);
  });
  it('takes no missing value, no fraction and no list', () => {
    const values = ['', ' ', 'NaN', 'null', 'None', 'True', '-inf', '0x1F', 1.5, NaN, Infinity, null, true, [1], {}];
    for (const value of [...values, undefined]) expect(idOf(value), show(value)).to.equal(null);
  });
});

describe('lookAlikes', () => {
  it('says when 1 and 1.0 are two', () => {
    expect(lookAlikes('item', ['2', '1.0', '1', '2.0'])).to.deep.equal([
      'The item ids 1 and 1.0 are text and therefore two; write them alike if they are one.',
    ]);
    expect(lookAlikes('item', ['1', '2.0', 'a.0'])).to.deep.equal([]);
  });
});

describe('linesOf', () => {
  it('numbers lines from 1, takes CRLF off and leaves blank lines out', () => {
    expect([...linesOf('read', { name: 'f', text: '\ufeffa\r\n\r\nb \n \nc' })]).to.deep.equal([
      { line: 'a', number: 1 },
      { line: 'b ', number: 3 },
      { line: 'c', number: 5 },
    ]);
  });
});

describe('show', () => {
  it('quotes, and cuts what is long', () => {
    expect(show('a\nb')).to.equal('"a\\nb"');
    expect(show('x'.repeat(100))).to.have.length(63);
    expect(show(undefined)).to.equal('undefined');
    expect(show({ a: [1, null, 'x'], b: {} })).to.equal('{"a":[1,null,"x"],"b":{}}');
  });
  it('reads no more of a value than it shows', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) deep = [deep];
    expect(show(deep)).to.equal(`${'['.repeat(60)}...`);
    expect(show(new Array<number>(1e6).fill(1))).to.equal(`[${'1,'.repeat(29)}1...`);
  });
});
