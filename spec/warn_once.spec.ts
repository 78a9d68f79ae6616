import { expect } from 'chai';
import { warnOnce } from '../src/warn_once';

describe('warnOnce', () => {
  it('prints each message once', () => {
    const printed: unknown[] = [];
    const { warn } = console;
    console.warn = (message: unknown) => void printed.push(message);
    try {
      for (const message of ['a: first', 'b: second', 'a: first']) warnOnce(message);
    } finally {
      console.warn = warn;
    }
    expect(printed).to.deep.equal(['a: first', 'b: second']);
  });
});
