import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { columnOf, CsvParser, readCsv } from '../../src/data/csv_rows';

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
  it('reads the same in pieces of any size', () => {
    const field = fc.string({ unit: fc.constantFrom('a', ' ', ';', ':', '"', '\n', '\r\n', '\r', '🎸') });
    const table = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(table, fc.integer({ min: 1, max: 9 }), fc.constantFrom('::', ';'), (rows, size, delimiter) => {
        const quote = (value: string): string => `"${value.replaceAll('"', '""')}"`;
        const text = rows.map((row) => row.map(quote).join(delimiter) + '\n').join('');
        const parser = new CsvParser('read', 'f.csv', { delimiter });
        const found: string[][] = [];
        for (let at = 0; at < text.length; at += size)
          for (const { fields } of parser.push(text.slice(at, at + size), false)) found.push(fields);
        for (const { fields } of parser.push('', true)) found.push(fields);
        expect(found).to.deep.equal(rows);
      }),
    );
  });
  it('reads fields whose quotes stand between spaces, and numbers their lines', () => {
    expect(read('a,b\n1, "2 ""3"""\n 4 , "5" \n"6" , " ""7"" "\n')).to.deep.equal([
      ['a', 'b'],
      ['1', '2 "3"'],
      [' 4 ', '5'],
      ['6', ' "7" '],
    ]);
    expect(() => read('a,b\n1, "2, 3"\n')).to.throw(
      'read: f.csv line 2 must close a quote in its field, got " \\"2"; remove the space before the quote',
    );
  });
  it('reads old and mixed line breaks, or refuses them', () => {
    expect(read('a,b\r1,2\r"3\r",4\r')).to.deep.equal([
      ['a', 'b'],
      ['1', '2'],
      ['3\r', '4'],
    ]);
    expect(read('a,b\r\n1,2\n3,4\r\n')).to.deep.equal([
      ['a', 'b'],
      ['1', '2'],
      ['3', '4'],
    ]);
    expect(() => read('a,b\n1,2\r3,4\n')).to.throw(
      'read: f.csv line 2 must end with the line breaks of the other lines, got "2\\r3"; use one kind of line break, or quote the field',
    );
    expect(() => read('a,b\n1,2\n3,\0\n')).to.throw(
      'read: f.csv line 3 must be text, got a NUL character; save the file as UTF-8',
    );
  });
  it('takes quotes as text where the dialect has none', () => {
    const parser = new CsvParser('read', 'f.dat', { delimiter: '::', quotes: false });
    expect([...parser.push('1::"Great" Cats::x\n2::"::y\n', true)].map(({ fields }) => fields)).to.deep.equal([
      ['1', '"Great" Cats', 'x'],
      ['2', '"', 'y'],
    ]);
  });
  it('gives up on a stray quote instead of reading the whole file into it', () => {
    const parser = new CsvParser('read', 'f.csv', { delimiter: ',' });
    expect(() => [...parser.push(`a,b\n1,"2\n${'3,4\n'.repeat(3e6)}`, false)]).to.throw(
      'line 2 must close every quote',
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
