import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { columnOf, readCsv } from '../../src/data/csv_rows';

const read = (text: string, delimiter?: string): string[][] => {
  const { header, rows } = readCsv('read', { name: 'f.csv', text }, delimiter);
  return [header, ...[...rows].map(({ fields }) => fields)];
};

describe('readCsv', () => {
  it('reads quotes, doubled quotes, breaks within quotes, CRLF and a byte order mark', () => {
    expect(read('\ufeffuser, item \r\nü,"a ""b"", c\r\nd"\r\n\r\n,12" pipe')).to.deep.equal([
      ['user', 'item'],
      ['ü', 'a "b", c\r\nd'],
      ['', '12" pipe'],
    ]);
  });
  it('numbers rows by the line they start on', () => {
    const { rows } = readCsv('read', { name: 'f.csv', text: 'a,b\n"x\ny",1\r\nz,2' });
    expect([...rows].map(({ line }) => line)).to.deep.equal([2, 4]);
  });
  it('agrees with csv-parse on whatever a writer may write', () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'é', ' ', ',', '"', '\n', '\r\n', '🎸', '1') });
    const rows = fc
      .integer({ min: 2, max: 5 })
      .chain((width) =>
        fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 7 }),
      );
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n'), (table, newline) => {
        const text = [table[0].map((_, i) => `c${i}`), ...table]
          .map((row) =>
            row
              .map((value) => (/[",\r\n]/.test(value) || value === '' ? `"${value.replaceAll('"', '""')}"` : value))
              .join(','),
          )
          .join(newline);
        expect(read(text)).to.deep.equal(parse(text, { record_delimiter: ['\r\n', '\n', '\r'] }));
      }),
    );
  });
  it('reads tabs', () =>
    expect(read('a\tb\n1,5\t"2"', '\t')).to.deep.equal([
      ['a', 'b'],
      ['1,5', '2'],
    ]));
  it('names the line of what is wrong', () => {
    expect(() => read('a,b\n1,"2\n3')).to.throw(
      'read: f.csv line 2 must close every quote, got one that runs to the end of the file: "\\"2\\n3"; double each quote inside a quoted field',
    );
    expect(() => read('a,b\n1,"2"3\n')).to.throw(
      'read: f.csv line 2 must have "," or the line\'s end after a closing quote, got "3\\n"',
    );
    expect(() => read('a,b\n1,2\n1\n')).to.throw(
      'read: f.csv line 3 must have 2 fields like the header, got 1; quote fields that hold a ","',
    );
    expect(() => read('a,b\n1,2,3\n')).to.throw('line 2 must have 2 fields like the header, got 3');
    expect(() => read('')).to.throw('read: f.csv must not be empty');
  });
});

describe('columnOf', () => {
  it('finds a column by any of its names and refuses none or two', () => {
    expect(columnOf('read', 'f.csv', ['x', 'User_ID'], ['user', 'user_id'])).to.equal(1);
    expect(columnOf('read', 'f.csv', ['x'], ['user'], true)).to.equal(-1);
    expect(() => columnOf('read', 'f.csv', ['x'], ['user', 'user_id'])).to.throw(
      'read: f.csv line 1: the header must name a column user or user_id, got "x"; rename or add one',
    );
    expect(() => columnOf('read', 'f.csv', ['user', 'user_id'], ['user', 'user_id'])).to.throw(
      'must name only one column user or user_id, got "user,user_id"; rename or remove one',
    );
  });
});
