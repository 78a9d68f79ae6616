import * as tf from '@tensorflow/tfjs-core';

/** A tensor that lives through several tidies and is replaced by its next value in each. */
export class Running<T extends tf.Tensor = tf.Tensor2D> {
  constructor(private current: T) {
    tf.keep(current);
  }

  get value(): T {
    return this.current;
  }

  set(next: T): void {
    const before = this.current;
    this.current = tf.keep(next);
    before.dispose();
  }

  dispose(): void {
    this.current.dispose();
  }
}
