import { expect } from 'chai';
import fc from 'fast-check';
import { exactNumber, parseExactJson } from '../../src/files/exact_json';

const valueOf = (text: string): unknown => parseExactJson(text).value;

describe('exactNumber', () => {
  it('gives whole numbers beyond 2^53 - 1 as their digits, however they are written', () => {
    expect(exactNumber('9007199254740991')).to.equal(9007199254740991);
    expect(exactNumber('9007199254740992')).to.equal('9007199254740992');
    for (const token of ['9007199254740993', '9007199254740993.0', '+9007199254740993', '9007199254740993e0'])
      expect(exactNumber(token)).to.equal('9007199254740993');
    expect(exactNumber('-90071992547409930')).to.equal('-90071992547409930');
    expect(exactNumber('1e20')).to.equal('100000000000000000000');
    expect(exactNumber('100000000000000000000')).to.equal('100000000000000000000');
    expect(exactNumber('0.12345678901234567890e20')).to.equal('12345678901234567890');
    expect(exactNumber('1e400')).to.equal(exactNumber('10.0e399')).and.equal('1e400');
  });
  it('gives numbers that a double holds as numbers', () => {
    expect(['1', '1.0', '1e0', '10e-1', '0.000000000000000001e18'].map(exactNumber)).to.deep.equal([1, 1, 1, 1, 1]);
    expect(['0.30000001192092896', '1e-7', '.5', '5.', '-1.50'].map(exactNumber)).to.deep.equal([
      0.30000001192092896, 1e-7, 0.5, 5, -1.5,
    ]);
    expect(Math.abs(exactNumber('-0.00000000000000000') as number)).to.equal(0);
  });
  it('keeps fractions that a double would round', () => {
    expect(exactNumber('1.00000000000000001')).to.equal('1.00000000000000001');
    expect(exactNumber('0.10000000000000000001')).to.equal('0.10000000000000000001');
    expect(exactNumber('1e-400')).to.equal('1e-400');
  });
  it('tells any two numbers apart, and no two spellings of one', () => {
    const whole = fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n });
    fc.assert(
      fc.property(whole, whole, fc.nat(3), (a, b, zeros) => {
        const id = (n: bigint): string => String(exactNumber(String(n)));
        expect(id(a) === id(b)).to.equal(a === b);
        expect(id(a)).to.equal(String(a));
        expect(String(exactNumber(`${a}.${'0'.repeat(zeros)}`))).to.equal(String(a));
        expect(String(exactNumber(`${a}${'0'.repeat(zeros)}e-${zeros}`))).to.equal(String(a));
      }),
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        if (!Number.isInteger(x)) expect(exactNumber(JSON.stringify(x))).to.equal(x);
      }),
    );
  });
});

describe('parseExactJson', () => {
  it('makes texts of large numbers wherever they are values, and leaves strings alone', () => {
    expect(
      valueOf('{"a\\"9007199254740993": [9007199254740993, {"b": 1e20 }, "x, 9007199254740993"], "c":\t1.5}'),
    ).to.deep.equal({
      'a"9007199254740993': ['9007199254740993', { b: '100000000000000000000' }, 'x, 9007199254740993'],
      c: 1.5,
    });
    expect(valueOf(' 12345678901234567890 ')).to.equal('12345678901234567890');
  });
  it('finds a repeated key at any depth, with both lines', () => {
    expect(parseExactJson('{"a": 1,\n"b": [{"x": 1,\n\n"\\u0078": 2}]}').repeated).to.deep.equal({
      key: 'x',
      line: 4,
      firstLine: 2,
    });
    expect(parseExactJson('{"a": [{"x": 1}, {"x": 2}, "x", "x"], "x": {"a": "a"}}').repeated).to.equal(null);
  });
  it('reads what JSON.parse reads, and refuses what it refuses', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const plain = JSON.stringify(JSON.parse(text));
        const hasLarge = /\d[eE]|\d{16}/.test(text);
        expect(hasLarge || JSON.stringify(valueOf(text)) === plain).to.equal(true);
      }),
    );
    const unit = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '12345678901234567', '1e20', '-', 'a', ' ', '\\');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 8 }), (text) => {
        const isValid = (parse: (text: string) => unknown): boolean => {
          try {
            parse(text);
            return true;
          } catch (error) {
            expect(error).to.be.instanceOf(SyntaxError);
            return false;
          }
        };
        expect(isValid(valueOf)).to.equal(isValid(JSON.parse));
      }),
      { numRuns: 2000 },
    );
  });
  it('reads lists in lists in lists, 100,000 deep', () => {
    expect(valueOf(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).to.have.length(1);
    expect(() => valueOf('['.repeat(100_000))).to.throw(SyntaxError);
  });
});
