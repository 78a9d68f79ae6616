import { expect } from 'chai';
import { type PlainOptions, readPlain } from '../../src/data/plain_table';
import type { InteractionData } from '../../src/data/types';

const read = (
  text: string,
  name = 'shop.csv',
  titles?: { name: string; text: string },
  options: PlainOptions = {},
): InteractionData => readPlain({ interactions: { name, text }, titles, ...options });
const readWith = (options: PlainOptions, text: string): InteractionData => read(text, 'shop.csv', undefined, options);
const listed = (data: InteractionData): Record<string, string[]> =>
  Object.fromEntries(
    data.userIds.map((user, row) => [user, [...data.sequences[row]].map((item) => data.itemIds[item])]),
  );

describe('readPlain', () => {
  it('sorts by time, negative and fractional too, and keeps the order of the file in ties', () => {
    const data = read('time,user,extra,item\n3,u,,c\n-1.5,u,,a\n2,v,,x\n3,u,,b\n1e9,u,,a\n');
    expect(data.name).to.equal('shop');
    expect(listed(data)).to.deep.equal({ u: ['a', 'c', 'b', 'a'], v: ['x'] });
  });
  it('reads TSV and JSONL with ids that are numbers', () => {
    expect(listed(read('user_id\titem_id\ttimestamp\nu\ta,b\t1\n', 'x.tsv'))).to.deep.equal({ u: ['a,b'] });
    expect(
      listed(read('{"user": 7, "item": "b", "time": 2}\r\n\r\n{"time": "1", "item": 3, "user": "7"}', 'x.jsonl')),
    ).to.deep.equal({ 7: ['3', 'b'] });
  });
  it('drops rows that are there twice and takes space off ids, and says so', () => {
    const data = read('user,item,time\nu,a,1\nu, a,1\nu,a,2\n');
    expect(listed(data)).to.deep.equal({ u: ['a', 'a'] });
    expect(data.notes).to.deep.equal([
      '1 ids of shop.csv had surrounding space, which was removed.',
      '1 rows of shop.csv repeat user, item and time of an earlier row and were dropped.',
    ]);
  });
  it('reads titles of any script', () => {
    const data = read('user,item,time\nu,a,1\nu,b,2\n', 'shop.csv', {
      name: 'items.csv',
      text: 'item,title\r\nb,"吉他, 6弦 ""经典"""\r\nz,unsold\r\n',
    });
    expect(data.titles).to.deep.equal([null, '吉他, 6弦 "经典"']);
    expect(data.notes).to.deep.equal(['1 of 2 items have no title.']);
  });
  it('names line, value and rule', () => {
    expect(() => read('user,item,time\nu,a,yesterday\n')).to.throw(
      'readPlain: shop.csv line 2: time must be a finite number, got "yesterday"; write Unix seconds or any number that grows with time, or a date such as 2021-03-04 12:00:00',
    );
    expect(() => read('user,item,time\nu,a,\n')).to.throw('line 2: time must be a finite number, got ""');
    expect(() => read('user,item,time\nu,a,Infinity\n')).to.throw('got "Infinity"');
    expect(() => read('user,item,time\n\nu, ,1\n')).to.throw(
      'readPlain: shop.csv line 3: item must be an id, got " "; write a text or number, or remove the line',
    );
    expect(() => read('user,thing,time\nu,a,1\n')).to.throw(
      'shop.csv line 1: the header must name the item, got "user,thing,time"; say which it is with columns, as in --columns item=NAME, or --columns user,item for a file without a header',
    );
    expect(() => read('user,item,time\n')).to.throw('shop.csv must have at least one interaction, got only a header');
    expect(() => read('{"user": 1, "thing": 2}', 'x.jsonl')).to.throw(
      'readPlain: x.jsonl line 1: the keys must name the item, got "user,thing"; say which it is with columns, as in --columns item=NAME',
    );
    expect(() => read('{"user": 1, "item": 2}\n{"user": 1, "item": 3, "time": 4}', 'x.jsonl')).to.throw(
      'readPlain: x.jsonl line 2 must have a key of the time like all lines or like none, got "user,item,time"; add or remove it',
    );
    expect(() => read('{"user": null, "item": 2, "time": 1}', 'x.jsonl')).to.throw(
      'x.jsonl line 1: user must be an id, got null',
    );
    expect(() => read('{"user": 1, "item": 2, "time": 1}\n{oops', 'x.jsonl')).to.throw(
      'x.jsonl line 2 must be one JSON object, got "{oops"; repair the line',
    );
    expect(() =>
      read('user,item,time\nu,a,1\n', 'shop.csv', { name: 't.csv', text: 'item,title\na,A\n a,B\n' }),
    ).to.throw('t.csv line 3: item must occur only once, got "a" again; keep one of the lines');
    expect(() =>
      read('user,item,time\nu,a,1\n', 'shop.csv', { name: 't.jsonl', text: '{"item": "a", "title": 4}' }),
    ).to.throw('t.jsonl line 1: title must be a text, got 4');
  });

  it('finds the delimiter, also where the first line of Excel names it', () => {
    for (const delimiter of [',', ';', '\t', '|', '::']) {
      const text = 'u,a,2\nu,b,1\n'.replaceAll(',', delimiter);
      expect(listed(read(`user,item,time\n${text}`.replaceAll(',', delimiter)))).to.deep.equal({ u: ['b', 'a'] });
      expect(listed(readWith({ columns: ['user', 'item', 'time'] }, text))).to.deep.equal({ u: ['b', 'a'] });
    }
    expect(listed(read('sep=;\r\nuser;item;time\r\nu;a,1;1\r\n'))).to.deep.equal({ u: ['a,1'] });
    expect(() => read('sep=;\nuser;item;time\nu;a;x\n')).to.throw('line 3: time must be');
    expect(listed(read('user;item;time;note\nu;a;1;"1,5; 2,5, 3"\nu;b;2;"a,b,c"\n'))).to.deep.equal({ u: ['a', 'b'] });
  });
  it('finds columns by their usual names, in any case and with a byte order mark', () => {
    for (const header of [
      'userId,movieId,timestamp',
      '\ufeffUSER ID , Product_ID,order date',
      '"customer_id","sku","order_date"',
      'reviewerID,asin,unixReviewTime',
      'visitorid,itemid,timestamp',
      'user_id,parent_asin,timestamp',
    ])
      expect(listed(read(`${header}\nu,b,2\nu,a,1\n`)), header).to.deep.equal({ u: ['a', 'b'] });
  });
  it('takes names of the header, and columns in order for a file without one', () => {
    const options = { columns: { user: 'Who', item: 'what', time: 'when bought' } };
    expect(listed(readWith(options, 'when_bought,WHAT,who,item\n2,b,u,x\n1,a,u,x\n'))).to.deep.equal({
      u: ['a', 'b'],
    });
    expect(listed(readWith({ columns: { time: '-' } }, 'user,item,time\nu,b,2\nu,a,1\n'))).to.deep.equal({
      u: ['b', 'a'],
    });
    expect(listed(readWith({ columns: ['-', 'item', 'user', 'time'] }, '7,b,u,2\n8,a,u,1\n'))).to.deep.equal({
      u: ['a', 'b'],
    });
    expect(listed(read('{"k": "u", "item": 1}', 'x.jsonl', undefined, { columns: { user: 'k' } }))).to.deep.equal({
      u: ['1'],
    });
  });
  it('refuses columns that do not fit, and names the way out', () => {
    const cases: [PlainOptions, string, string][] = [
      [
        {},
        'id,user_id,item_id,timestamp\n100,u,a,1\n',
        'line 1: only one column may be the item, got "id" and "item_id"; say which with columns, as in --columns item=item_id, or rename one',
      ],
      [{}, 'user,item,time,timestamp\nu,a,1,1\n', 'only one column may be the time, got "time" and "timestamp"'],
      [{}, 'user,item,Item,time\nu,a,b,1\n', 'only one column may be the item, got "item" and "Item"'],
      [{ columns: { item: 'sku' } }, 'user,item\nu,a\n', 'columns must name a column of the table, got item=sku'],
      [{ columns: ['user', 'item'] }, 'u,a,1\n', 'line 1 must have 2 fields like columns, got 3'],
      [
        { columns: ['user', 'item', 'time'] },
        'userId,movieId,timestamp\nu,a,1\n',
        'line 1 must be a row, because columns is a list, got the header "userId,movieId,timestamp"; leave columns out, or map names as in --columns item=sku',
      ],
      [{ columns: ['user', 'time'] }, 'u,1\n', 'readPlain: columns must name the item, got "user,time"'],
      [{ columns: ['user', 'item', 'item'] }, 'u,1,2\n', 'columns must name each role once, got item twice'],
      [{ columns: ['user', 'item', 'tme'] }, 'u,1,2\n', 'columns must be of user, item, time, rating, event, title'],
      [{ columns: { user: 'a', item: 'a' } }, 'a\nu\n', 'columns must give each role its own column, got "a" twice'],
      [{}, 'u,a,1\nu,b,2\n', '--columns user,item for a file without a header'],
    ];
    for (const [options, text, message] of cases) expect(() => readWith(options, text), text).to.throw(message);
    const lines = '{"id":100,"user_id":"u1","item_id":"a","timestamp":1}\n';
    expect(() => read(lines, 'x.jsonl')).to.throw('line 1: only one column may be the item, got "id" and "item_id"');
    expect(() => read('{"user":"u1","item":"A","time":3,"timestamp":1700000001}', 'x.jsonl')).to.throw(
      'only one column may be the time, got "time" and "timestamp"',
    );
    expect(() => read('{"user":1,"item":2}\n{"user":1,"item":2,"sku":3}', 'x.jsonl')).to.throw(
      'x.jsonl line 2: only one column may be the item',
    );
    expect(() => read('[{"user":1,"item":2}]', 'x.json')).to.throw('one JSON object per line, got a list');
    expect(() => read('{"user":1,"item":2}', 'x.jsonl', undefined, { columns: ['user', 'item'] })).to.throw(
      'columns must map names, because the rows have keys',
    );
  });
  it('keeps the order of a file without times, and says so', () => {
    const data = read('user,item,price\nu,b,2\nu,a,1\nu,b,2\n');
    expect(listed(data)).to.deep.equal({ u: ['b', 'a', 'b'] });
    expect(data.notes).to.deep.equal([
      'shop.csv has no column of times that is known, so its rows are taken in the order of the file. Columns: user, item, price.',
    ]);
  });
  it('leaves out low ratings and other events, and counts them', () => {
    const text = 'user,item,rating,event\nu,a,4,view\nu,b,3.5,view\nu,c,5,buy\nu,d,1e1,look\n';
    const data = readWith({ minRating: 4, events: ['view', 'buy'] }, text);
    expect(listed(data)).to.deep.equal({ u: ['a', 'c'] });
    expect(data.notes?.slice(0, 2)).to.deep.equal([
      '1 rows of shop.csv with a rating below 4 were left out.',
      '1 rows of shop.csv with other events were left out: look.',
    ]);
    expect(() => readWith({ minRating: 4 }, text)).to.throw('line 5: rating must be a number, got "1e1"');
    expect(() => readWith({ minRating: 4 }, 'user,item\nu,a\n')).to.throw('the header must name the rating');
    expect(() => readWith({ minRating: 6 }, 'user,item,rating\nu,a,5\n')).to.throw(
      'readPlain: shop.csv must have a row with a rating of at least 6, got none; ask for less',
    );
    expect(() => readWith({ events: ['purchase'] }, text)).to.throw(
      'must have a row with one of the events purchase, got none, only view, buy, look; ask for less',
    );
    expect(() => readWith({ minRating: NaN }, text)).to.throw('minRating must be a number, got NaN');
  });
  it('takes titles from a column of the interactions, below those of a table of titles', () => {
    const text = 'user,item,time,title\nu,a,1,Tent\nu,b,2,\nu,a,3,Tent\nu,b,4,Boots\n';
    expect(read(text).titles).to.deep.equal(['Tent', 'Boots']);
    const titles = { name: 'items.csv', text: 'sku;name\na;Big tent\n' };
    expect(read(text, 'shop.csv', titles).titles).to.deep.equal(['Big tent', 'Boots']);
    const several = read('user,item,time,title\nu,a,1,Great!\nu,a,2,Bad\n');
    expect(several.titles).to.deep.equal(['Great!']);
    expect(several.notes?.[0]).to.equal(
      '1 items of shop.csv have several titles, and the first is kept; if they are no titles of items, leave the column out: --columns title=-',
    );
    expect(readWith({ columns: { title: '-' } }, 'user,item,title\nu,a,x\n').titles).to.equal(undefined);
  });
  it('has one id for 1.0 and 1 where all ids are whole numbers, in titles too', () => {
    const text = 'user,item,time\n1.0,10,1\n1.0,11,2\n1.0,12.0,3\n1,12,4\n2,10,1\n2,11,2\n2,12,3\n';
    const titles = { name: 'items.csv', text: 'item,title\n10.0,Ten\n11,Eleven\n12,Twelve\n' };
    const data = read(text, 'shop.csv', titles);
    expect(listed(data)).to.deep.equal({ 1: ['10', '11', '12', '12'], 2: ['10', '11', '12'] });
    expect(data.titles).to.deep.equal(['Ten', 'Eleven', 'Twelve']);
    expect(data.notes).to.deep.equal([
      'The ids of users are whole numbers, some written as floats: 1.0 and 1 are one id, 1.',
      'The ids of items are whole numbers, some written as floats: 1.0 and 1 are one id, 1.',
    ]);
    const versions = read('user,item,time\nu,1.0,1\nu,1,2\nu,x,3\n');
    expect(versions.itemIds).to.deep.equal(['1.0', '1', 'x']);
    expect(versions.notes).to.deep.equal(['1 and 1.0 are two items; write them alike if they are one.']);
  });
  it('has two ids for the texts 1.0 and 1 of JSON, says so, and one for the numbers', () => {
    const lines = '{"user":"u","item":"1.0"}\n{"user":"u","item":"1"}\n{"user":"u","item":1.0}\n';
    const data = read(lines, 'x.jsonl');
    expect(listed(data)).to.deep.equal({ u: ['1.0', '1', '1'] });
    expect(data.notes?.[0]).to.equal('1 and 1.0 are two items; write them alike if they are one.');
  });
  it('refuses what stands for a missing value, and numbers that lost digits', () => {
    for (const value of [
      'NaN',
      'nan',
      'null',
      'NULL',
      'None',
      'Infinity',
      '-inf',
      '0x10',
      '<NA>',
      'true',
      '',
      '2.03e+18',
    ]) {
      expect(() => read(`user,item,time\nu,a,1\nu,${value},2\n`), value).to.throw(
        'shop.csv line 3: item must be an id',
      );
      expect(() => read(`user,item,time\n${value},a,1\n`), value).to.throw('shop.csv line 2: user must be an id');
      if (value === '2.03e+18') continue; // a number that only an id cannot be
      expect(() => read(`user,item,time\nu,a,${value}\n`), value).to.throw('line 2: time must be a finite number');
    }
    for (const value of ['null', 'true', '{}', '[1]', '""', '"NaN"'])
      expect(() => read(`{"user":"u","item":${value},"time":1}`, 'x.jsonl'), value).to.throw('item must be an id');
    expect(read('{"user":"u","item":9007199254740993000,"time":1}', 'x.jsonl').itemIds).to.deep.equal([
      '9007199254740993000',
    ]);
    expect(read('user,item\n0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B,NaNa\n').itemIds).to.deep.equal(['NaNa']);
  });
  it('reads fields with a space before a quote, as the case of a spreadsheet', () => {
    const text = 'user,item,time\nu1, "A", 1\nu1,"B",2\nu1, "C", 3\nu2,"A",1\nu2,"C",2\nu2, "B", 3\n';
    expect(read(text).itemIds).to.deep.equal(['A', 'B', 'C']);
  });
});
