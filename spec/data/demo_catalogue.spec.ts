import { expect } from 'chai';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { leaveOneOut } from '../../src/data/leave_one_out';

describe('demoCatalogue', () => {
  const shop = demoCatalogue();
  const { train, test } = leaveOneOut(shop);
  const popularity = new Float64Array(shop.itemIds.length);
  for (const sequence of train) for (const item of sequence) popularity[item]++;

  it('has the size asked for, 5 to 15 orders each, none twice, and titles that differ', () => {
    expect(shop.itemIds).to.have.length(400);
    expect(shop.userIds).to.have.length(3000);
    expect(new Set(shop.titles).size).to.equal(400);
    for (const sequence of shop.sequences) {
      expect(sequence.length).to.be.within(5, 15);
      expect(new Set(sequence).size).to.equal(sequence.length);
    }
    expect(Math.min(...popularity)).to.be.greaterThan(0);
  });
  it('is the same for the same seed only', () => {
    const small = (seed: number) => demoCatalogue({ seed, numItems: 40, numUsers: 10 });
    expect(small(1)).to.deep.equal(small(1));
    expect(small(1)).to.not.deep.equal(small(2));
  });
  it('is skewed: a tenth of the items has more than a fifth of the orders', () => {
    const sorted = [...popularity].sort((a, b) => b - a);
    const total = sorted.reduce((a, b) => a + b);
    expect(sorted.slice(0, 40).reduce((a, b) => a + b) / total).to.be.within(0.2, 0.6);
  });
  it('rewards order: the last item tells more than popularity, and its kind with the one before tells more than alone', () => {
    const kindOf = (item: number): string =>
      /([\p{L}-]+ ){1,5}([\p{L}-]+), /u.exec(shop.titles?.[item] as string)?.[2] ?? '';
    const hits = (context: (history: Int32Array) => string, event: (item: number) => string): number => {
      const counts = new Map<string, Map<string, number>>();
      for (const sequence of train)
        for (let t = 2; t < sequence.length; t++) {
          const row = counts.get(context(sequence.subarray(0, t))) ?? new Map<string, number>();
          counts.set(
            context(sequence.subarray(0, t)),
            row.set(event(sequence[t]), (row.get(event(sequence[t])) ?? 0) + 1),
          );
        }
      let right = 0;
      shop.sequences.forEach((sequence, user) => {
        const row = [...(counts.get(context(sequence.subarray(0, -1))) ?? [])].sort((a, b) => b[1] - a[1]);
        if (row[0]?.[0] === event(test[user])) right++;
      });
      return right / test.length;
    };
    const last = (history: Int32Array): number => history[history.length - 1];
    const none = hits(() => '', kindOf);
    const one = hits((history) => kindOf(last(history)), kindOf);
    const two = hits((history) => `${kindOf(history[history.length - 2])} ${kindOf(last(history))}`, kindOf);
    expect(one).to.be.greaterThan(2 * none);
    expect(two).to.be.greaterThan(1.2 * one);
    expect(two).to.be.lessThan(0.7); // noise
  });
  it('refuses sizes it cannot fill', () => {
    expect(() => demoCatalogue({ numItems: 39 })).to.throw(
      'demoCatalogue: numItems must be an integer from 40 to 20000, got 39; 400 is the default',
    );
    expect(() => demoCatalogue({ numUsers: 0 })).to.throw(
      'demoCatalogue: numUsers must be an integer of 1 or more, got 0; 3000 is the default',
    );
  });
});
