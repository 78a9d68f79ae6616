import { expect } from 'chai';
import { missingDocs } from './docstrings';
import { readPublicApi } from './public_api';

describe('the docstrings of the public functions and classes', () => {
  it('have a description, parameters, what is returned and thrown, and an example', () => {
    const missing = missingDocs(readPublicApi()).map(({ name, file, lacks }) => `${file} ${name}: ${lacks}`);
    expect(missing).to.deep.equal([]);
  });
});
