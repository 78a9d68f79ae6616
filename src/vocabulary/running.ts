import * as tf from '@tensorflow/tfjs-core';

/** A tensor that outlives the tidies in which it is replaced by its next value. */
export class Running<T extends tf.Tensor = tf.Tensor2D> {
  constructor(private current: T) {
    tf.keep(current);
  }

  get value(): T {
    return this.current;
  }

  set(next: T): void {
    const previous = this.current;
    this.current = tf.keep(next);
    previous.dispose();
  }

  dispose(): void {
    this.current.dispose();
  }
}
