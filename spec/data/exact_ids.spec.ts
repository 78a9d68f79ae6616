import { expect } from 'chai';
import fc from 'fast-check';
import { readLcRec } from '../../src/data/lc_rec';
import { readMiniOneRec } from '../../src/data/minionerec';
import { readPlain } from '../../src/data/plain_table';
import { readRecBole } from '../../src/data/recbole';
import type { InteractionData } from '../../src/data/types';
import { readWindows } from '../../src/data/windows';
import { IlrecError } from '../../src/errors';
import { readItemVectors } from '../../src/preparation/read_item_vectors';

/** An id as a file writes it, a text or a number, and the id that it is. */
interface Written {
  readonly text?: string;
  readonly number?: string;
  readonly id: string;
}

const whole = fc.oneof(
  fc.bigInt({ min: -20n, max: 20n }),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
  fc.bigInt({ min: 10n ** 20n, max: 10n ** 24n }),
);
const numbers: fc.Arbitrary<Written> = fc
  .tuple(whole, fc.constantFrom('', '.0', '.00', 'e0', '0e-1'))
  .map(([value, ending]) => ({ number: `${value}${ending}`, id: String(value) }));
const texts: fc.Arbitrary<Written> = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
    fc.string({ unit: fc.constantFrom(' ', ',', '"', "'", '\\', '[', ']', '\n', '\t', ':', 'a', 'é'), minLength: 1 }),
    whole.map(String),
    whole.map((value) => `0${value}`),
    fc.double().map(String),
    fc.constantFrom('1.0', 'NaN', 'null', 'true', '0x10', '', ' 1', '__proto__', 'constructor'),
  )
  .map((text) => ({ text, id: text.trim() }));
const someIds = (one: fc.Arbitrary<Written>): fc.Arbitrary<Written[]> => fc.array(one, { minLength: 1, maxLength: 6 });

const json = ({ text, number }: Written): string => number ?? JSON.stringify(text);
const csv = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** Reads the ids back: the same ones, none joined and none split, or else a refusal. */
const holds = (ids: readonly Written[], read: () => Iterable<string>): void => {
  let got: string[];
  try {
    got = [...read()];
  } catch (error) {
    expect(error).to.be.instanceOf(IlrecError);
    return;
  }
  expect(new Set(got)).to.deep.equal(new Set(ids.map(({ id }) => id)));
};
const interactions = (data: InteractionData): string[] => [...data.sequences[0]].map((item) => data.itemIds[item]);

describe('ids of every format', () => {
  it('are read from JSONL as they are written, or refused', () => {
    fc.assert(
      fc.property(someIds(fc.oneof(numbers, texts)), (ids) => {
        const text = ids.map((id, time) => `{"user": "u", "item": ${json(id)}, "time": ${time}}`).join('\n');
        holds(ids, () => interactions(readPlain({ interactions: { name: 'x.jsonl', text } })));
        const users = ids.map((id, time) => `{"item": "a", "user": ${json(id)}, "time": ${time}}`).join('\n');
        holds(ids, () => readPlain({ interactions: { name: 'x.jsonl', text: users } }).userIds);
      }),
    );
  });
  it('are read from lists and keys of LC-Rec', () => {
    fc.assert(
      fc.property(someIds(fc.oneof(numbers, texts)), (ids) => {
        const inter = { name: 'A.inter.json', text: `{"u": [${ids.map(json).join(', ')}]}` };
        holds(ids, () => interactions(readLcRec({ inter })));
        const index = { name: 'A.index.json', text: `{${ids.map(({ id }) => `${JSON.stringify(id)}: ["<a_1>"]`)}}` };
        holds(ids, () => interactions(readLcRec({ inter, index })));
        const users = { name: 'A.inter.json', text: `{${ids.map(({ id }) => `${JSON.stringify(id)}: [1]`)}}` };
        holds(ids, () => readLcRec({ inter: users }).userIds);
      }),
    );
  });
  it('are read from the lists of window tables', () => {
    // JSON's escapes mean the same in Python.
    const columns = { user: 'user_id', history: 'history_item_id', target: 'item_id' };
    fc.assert(
      fc.property(someIds(fc.oneof(numbers, texts)), (ids) => {
        const rows = `user_id,history_item_id,item_id\nu,${csv(`[${ids.map(json).join(', ')}]`)},end\n`;
        const windows = [{ name: 'train.csv', text: rows }];
        const written = [...ids, { id: 'end' }];
        holds(written, () => interactions(readMiniOneRec({ windows })));
        holds(written, () => interactions(readWindows({ windows, splits: ['train'], columns })));
      }),
    );
  });
  it('are read from the columns of RecBole and of window tables', () => {
    const cell = texts.filter(({ text = '' }) => !/[\t\n\r"]/.test(text));
    fc.assert(
      fc.property(someIds(cell), (ids) => {
        const header = 'user_id:token\titem_id:token\ttimestamp:float\n';
        const rows = ids.map(({ text }, time) => `u\t${text}\t${time}`).join('\n');
        holds(ids, () => interactions(readRecBole({ inter: { name: 'A.inter', text: header + rows } })));
        const users = ids.map(({ text }) => `${csv(text ?? '')},[],a\n`).join('');
        const windows = [{ name: 'train.csv', text: `user_id,history_item_id,item_id\n${users}` }];
        holds(ids, () => readMiniOneRec({ windows }).userIds);
      }),
    );
  });
  it('are read from item vectors', () => {
    fc.assert(
      fc.property(someIds(fc.oneof(numbers, texts)), (ids) => {
        const text = ids.map((id) => `{"id": ${json(id)}, "vector": [1]}`).join('\n');
        holds(ids, () => readItemVectors('read', { name: 'v.jsonl', text }).keys());
      }),
    );
  });
  it('beyond 2^53 - 1 make as many users and items as there are (JSONL)', () => {
    const text = [9007199254740992n, 9007199254740993n, 9007199254740994n, 9007199254740993n]
      .map((item, time) => `{"user": 2033735037361704961, "item": ${item}, "time": ${time}}\n`)
      .join('');
    const last = '{"user": 2033735037361704962, "item": 9007199254740994, "time": 1}';
    const data = readPlain({ interactions: { name: 'interactions.jsonl', text: text + last } });
    expect(data.userIds).to.deep.equal(['2033735037361704961', '2033735037361704962']);
    expect(data.itemIds).to.deep.equal(['9007199254740992', '9007199254740993', '9007199254740994']);
    expect(data.sequences.map((items) => [...items])).to.deep.equal([[0, 1, 2, 1], [2]]);
  });
});
