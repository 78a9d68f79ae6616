import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { VERSION } from '../src/version';

describe('VERSION', () => {
  it('is that of package.json', () => {
    expect(VERSION).to.equal((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version);
  });
});
