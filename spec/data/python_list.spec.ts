import { expect } from 'chai';
import fc from 'fast-check';
import { parsePythonList } from '../../src/data/python_list';

/** repr() of a string, as CPython chooses its quotes and escapes. */
function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = [...text].map((char) => {
    const code = char.codePointAt(0) as number;
    if (char === '\\' || char === quote) return `\\${char}`;
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    if (char === '\r') return '\\r';
    if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : char;
  });
  return quote + body.join('') + quote;
}

describe('parsePythonList', () => {
  it('reads both quotes, escapes, numbers and a trailing comma', () => {
    expect(
      parsePythonList(`['a', "b's", 'c\\'s "d"', 3, -1.5, 2e3, '\\x41\\u00e9\\U0001f3b8\\101\\q', ]`),
    ).to.deep.equal(['a', "b's", `c's "d"`, 3, -1.5, 2000, 'Aé🎸A\\q']);
    expect(parsePythonList(' [ ] ')).to.deep.equal([]);
  });
  it('rounds no number, and reads only those that Python writes', () => {
    expect(parsePythonList('[9007199254740993, -9007199254740993, 1e20, 1.0, 0, 0.5]')).to.deep.equal([
      '9007199254740993',
      '-9007199254740993',
      '100000000000000000000',
      1,
      0,
      0.5,
    ]);
    for (const text of ['[007]', '[0x10]', '[1_000]', '[None]', '[nan]', '[True]', '[np.int64(1)]', '[1L]'])
      expect(() => parsePythonList(text)).to.throw(SyntaxError);
  });
  it('reads back whatever repr writes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.string({ unit: fc.constantFrom("'", '"', '\\', ',', '[', ']', '\n', 'x', 'é') }),
          ),
          { maxLength: 8 },
        ),
        (strings) => {
          expect(parsePythonList(`[${strings.map(repr).join(', ')}]`)).to.deep.equal(strings);
        },
      ),
    );
  });
  it('names the column and the rule', () => {
    const rule = (text: string): string => {
      try {
        parsePythonList(text);
        return 'fine';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(rule('')).to.equal('column 1: there must be "[", got the end');
    expect(rule('[1 2]')).to.equal('column 4: there must be ",", got "2"');
    expect(rule("['a]")).to.equal("column 5: the string must end with ', got the end");
    expect(rule('[a]')).to.equal('column 2: an element must be a quoted string or a number, got "a"');
    expect(rule('[1] x')).to.equal('column 5: nothing may follow the list, got "x"');
    expect(rule("['\\x4']")).to.equal('column 5: \\x must have 2 hexadecimal digits of a character, got "4"');
    expect(rule('[1,')).to.equal('column 4: an element must be a quoted string or a number, got the end');
  });
});
