import { expect } from 'chai';
import { linesOf, parseJsonObject, show } from '../../src/data/text_file';

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
  });
});
