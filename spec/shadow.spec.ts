import { expect } from 'chai';
import { overrideOnce, shadow, type ShadowLevel } from '../src/shadow';

class Target {
  readonly prefix = 'bare';
  name(suffix: string): string {
    return this.prefix + suffix;
  }
}

/** Puts a wrapper on that notes its letter around what is inside. */
function wrap(target: Target, letter: string, level?: ShadowLevel): () => void {
  return shadow(target, 'name', (original) => (suffix) => `${letter}(${original(suffix)})`, level);
}

describe('shadow', () => {
  it('wraps the method of one instance, bound to it, and restores it', () => {
    const [target, other] = [new Target(), new Target()];
    const restore = wrap(target, 'a');
    const { name } = target;
    expect(name('!')).to.equal('a(bare!)');
    expect(other.name('!')).to.equal('bare!');
    expect(Object.keys(target)).to.deep.equal(['prefix']);
    restore();
    expect(target.name('!')).to.equal('bare!');
    expect(Object.hasOwn(target, 'name')).to.equal(false);
  });

  it('lets wrappers be taken away in any order', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const target = new Target();
      const letters = ['a', 'b', 'c'];
      const restores = letters.map((letter) => wrap(target, letter));
      const left = new Set(letters);
      for (const index of order) {
        restores[index]();
        restores[index]();
        left.delete(letters[index]);
        expect(target.name('!')).to.equal([...left].reduce((inner, letter) => `${letter}(${inner})`, 'bare!'));
      }
      expect(Object.hasOwn(target, 'name')).to.equal(false);
    }
  });

  it('keeps adapters inside of recomputations inside of taps, whichever came first', () => {
    const target = new Target();
    wrap(target, 'tap');
    wrap(target, 'recomputation', 'recomputation');
    const restore = wrap(target, 'adapter', 'adapter');
    wrap(target, 'later adapter', 'adapter');
    expect(target.name('!')).to.equal('tap(recomputation(later adapter(adapter(bare!))))');
    restore();
    expect(target.name('!')).to.equal('tap(recomputation(later adapter(bare!)))');
  });

  it('puts a method of the instance itself back', () => {
    const target = new Target();
    const own = (suffix: string): string => `own${suffix}`;
    target.name = own;
    const restore = wrap(target, 'a');
    expect(target.name('!')).to.equal('a(own!)');
    restore();
    expect(target.name).to.equal(own);
  });

  it('refuses what is no method', () => {
    const target: { name: unknown } = { name: 3 };
    expect(() => shadow(target, 'name', (original) => original)).to.throw(
      'shadow: name must be a function, got number',
    );
  });

  it('replaces a method of a class once, for its objects and those of subclasses', () => {
    class Counter {
      constructor(readonly start: number) {}
      plus(n: number): number {
        return this.start + n;
      }
    }
    class Loud extends Counter {}
    const twice = (_: Counter, plus: (...args: unknown[]) => unknown, args: unknown[]): number =>
      2 * (plus(...args) as number);
    overrideOnce(Counter.prototype, 'plus', twice);
    overrideOnce(Counter.prototype, 'plus', twice);
    expect([new Counter(1).plus(2), new Loud(3).plus(4)]).to.deep.equal([6, 14]);
  });
});
