import { expect } from 'chai';
import fc from 'fast-check';
import { jsonErrorPlace } from '../../src/files/json_error_place';

describe('jsonErrorPlace', () => {
  it('finds the place of a missing or wrong mark', () => {
    expect(jsonErrorPlace('{"a": 1,\n}')).to.deep.equal({ line: 2, column: 1, found: '}' });
    expect(jsonErrorPlace('{"a" 1}')).to.deep.equal({ line: 1, column: 6, found: '1}' });
    expect(jsonErrorPlace('[1, 2}')).to.deep.equal({ line: 1, column: 6, found: '}' });
    expect(jsonErrorPlace("{'a': 1}")).to.deep.equal({ line: 1, column: 2, found: "'a': 1}" });
    expect(jsonErrorPlace('[1] x')).to.deep.equal({ line: 1, column: 5, found: 'x' });
    expect(jsonErrorPlace('[NaN]')).to.deep.equal({ line: 1, column: 2, found: 'NaN]' });
    expect(jsonErrorPlace('')).to.deep.equal({ line: 1, column: 1, found: 'the end of the file' });
  });
  it('agrees with JSON.parse on what is JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonErrorPlace(text)).to.equal(null);
      }),
    );
    const soup = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '1', '-', 'a', ' ', '\\', 'null'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(soup, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(jsonErrorPlace(text) === null).to.equal(valid);
      }),
      { numRuns: 500 },
    );
  });
});
