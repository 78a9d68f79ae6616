import { expect } from 'chai';
import { parsePythonDict } from '../../src/data/python_dict';

const parse = (line: string): Record<string, unknown> => ({ ...parsePythonDict('read', 'f.json', line, 7) });

describe('parsePythonDict', () => {
  it('reads a line of the Steam reviews', () => {
    const line =
      `{u'username': u'Chaos Syren', u'hours': 0.1, u'product_id': u'725280', u'date': u'2017-12-17', ` +
      `u'text': u"It's \\u201cgood\\u201d", u'early_access': False, u'page': 1, u'compensation': None}`;
    expect(parse(line)).to.deep.equal({
      username: 'Chaos Syren',
      hours: 0.1,
      product_id: '725280',
      date: '2017-12-17',
      text: "It's “good”",
      early_access: false,
      page: 1,
      compensation: null,
    });
  });
  it('reads texts with escapes, lists, tuples and long integers', () => {
    expect(
      parse(
        `{'a': 'x\\'\\\\\\n\\x41\\U0001f3b8\\ud83c\\udfb8\\d', 'b': [1, (2, -3.5e2,), {}], 'c': 12345678901234567890L}`,
      ),
    ).to.deep.equal({ a: "x'\\\nA🎸🎸\\d", b: [1, [2, -350], Object.create(null)], c: '12345678901234567890' });
    expect(parse(`{'__proto__': 'x'}`)['__proto__']).to.equal('x');
  });
  it('refuses what is no dict', () => {
    for (const line of [
      '',
      '{',
      '{}x',
      '[1]',
      "{'a'}",
      "{'a': }",
      "{'a': 'b",
      "{'a': b}",
      "{'a': 1 'b': 2}",
      '{"a": 1, "a": 2}',
    ])
      expect(() => parse(line), line).to.throw('read: f.json line 7 must be one Python dict, got');
    expect(() => parse(`{'a': ${'['.repeat(1e5)}`)).to.throw('must be one Python dict');
  });
});
