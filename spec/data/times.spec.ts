import { expect } from 'chai';
import fc from 'fast-check';
import { TimeColumn } from '../../src/data/times';

/** Places of the values in the order of time. */
const order = (...values: unknown[]): number[] => {
  const column = new TimeColumn('read', 'f.csv');
  values.forEach((value, i) => column.add(value, i + 2));
  const compare = column.finish();
  return values.map((_, i) => i).sort((a, b) => compare(a, b));
};
const same = (a: unknown, b: unknown): boolean => {
  const column = new TimeColumn('read', 'f.csv');
  column.add(a, 2);
  column.add(b, 3);
  return column.finish()(0, 1) === 0;
};

describe('TimeColumn', () => {
  it('orders numbers, exact to the nanosecond', () => {
    expect(order(3, '-1.5', ' 2 ', '1e3', 0.5)).to.deep.equal([1, 4, 2, 0, 3]);
    // doubles near 1.6e18 are 256 apart
    expect(order('1614855600000000003', '1614855600000000001', '1614855600000000002')).to.deep.equal([1, 2, 0]);
    expect(same('1614855600000000001', '1614855600000000002')).to.equal(false);
    expect(order('1614855600000000', '1614855600000001', '0')).to.deep.equal([2, 0, 1]);
  });
  it('orders ISO dates, with zones and fractions', () => {
    expect(order('2021-03-04 12:00', '2021-03-04', '2021-3-4T11:59:59.999999999', '2020-02-29')).to.deep.equal([
      3, 1, 2, 0,
    ]);
    expect(same('2021-03-04T12:00:00Z', '2021-03-04 13:30:00 +01:30')).to.equal(true);
    expect(same('2021-03-04T12:00:00.5Z', '2021-03-04T12:00:00.500 UTC')).to.equal(true);
    expect(order('2021-03-04 12:00:00.000000002', '2021-03-04 12:00:00.000000001')).to.deep.equal([1, 0]);
    expect(order('1969-12-31', '0021-01-01', '2021/01/01')).to.deep.equal([1, 0, 2]);
  });
  it('agrees with Date on ISO dates', () => {
    const date = fc.date({ min: new Date(-6e13), max: new Date(2e14), noInvalidDate: true });
    fc.assert(
      fc.property(date, date, (a, b) => {
        expect(order(a.toISOString(), b.toISOString())).to.deep.equal(+a <= +b ? [0, 1] : [1, 0]);
      }),
    );
  });
  it('tells day and month apart by the other rows', () => {
    expect(order('01.02.2021', '31.01.2021')).to.deep.equal([1, 0]);
    expect(order('04.03.2021 12:30', '04.03.2021 09:00:01', '03.04.2021')).to.deep.equal([1, 0, 2]);
    expect(order('01/02/2021', '25/01/2021', '02/01/2021')).to.deep.equal([2, 1, 0]); // day first
    expect(order('2/1/2021', '1/25/2021', '1/2/2021')).to.deep.equal([2, 1, 0]); // month first
    expect(order('1/25/2021 1:00 PM', '1/25/2021 12:59 PM', '1/25/2021 12:00 AM')).to.deep.equal([2, 1, 0]);
  });
  it('refuses dates that can be read in two ways', () => {
    expect(() => order('03/04/2021', '05/06/2021')).to.throw(
      'read: f.csv: the dates must be readable in one way, got "03/04/2021" on line 2, which is day/month/year or month/day/year, and no row of the file tells; write dates such as 2021-03-04',
    );
    expect(() => order('13/01/2021', '01/02/2021', '01/13/2021')).to.throw(
      'read: f.csv: the times must all have one form, got "13/01/2021" on line 2 (the day before the month) and "01/13/2021" on line 4 (the month before the day); convert one of them',
    );
  });
  it('refuses two forms in one file', () => {
    expect(() => order('1614855600', '1614855600000')).to.throw(
      'read: f.csv: the times must all have one form, got "1614855600" on line 2 (Unix seconds) and "1614855600000" on line 3 (Unix milliseconds); convert one of them',
    );
    const forms = ['1614855600', '1614855600000', '1614855600000000', '1614855600000000000', '2021-03-04'];
    forms.push('2021-03-04 12:00Z', '04.03.2021');
    for (const a of forms)
      for (const b of forms) if (a !== b) expect(() => order(a, b), `${a} ${b}`).to.throw('one form');
    expect(order('0', '1614855600000')).to.deep.equal([0, 1]); // 0 is the same time in every unit
  });
  it('refuses what is no time', () => {
    for (const value of [
      '',
      ' ',
      'NaN',
      'null',
      '0x10',
      'Infinity',
      '1,5',
      '2021-13-01',
      '2021-02-29',
      '2021-01-01 24:00',
    ])
      expect(() => order(value), value).to.throw('read: f.csv line 2: time must be a finite number, got');
    for (const value of ['31.04.2021', '04.03.21', '1/1/2021 13:00 PM', '2021-03-04 12:00 MEZ', '2021-01-01Z', '1e999'])
      expect(() => order(value), value).to.throw('time must be');
    for (const value of [null, true, NaN, Infinity, {}, [1], undefined])
      expect(() => order(value), String(value)).to.throw('time must be');
  });
});
