import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import {
  adaptiveTemperature,
  type AdaptiveTemperatureInputs,
  type AdaptiveTemperatureOptions,
  checkedAdaptiveTemperature,
} from '../losses/adaptive_temperature';
import { refuseUnknownFields } from './item_softmax';

/** The temperature of MSL's softmax: one number, or one that each training batch moves. */
export class MslTemperature {
  readonly isAdaptive: boolean;
  private current: number;
  /** The temperature after the last training batch, on the device until a checkpoint asks for it. */
  private moved: tf.Scalar | null = null;

  /**
   * @param numFirstTokens tokens that can begin an item.
   * @throws UnnamedError when the number is not above 0, or the option is neither.
   * @throws IlrecError when an option of the adaptive temperature is out of range.
   */
  constructor(
    private readonly option: number | AdaptiveTemperatureOptions,
    private readonly numFirstTokens: number | undefined,
  ) {
    this.isAdaptive = typeof option === 'object' && option !== null;
    if (typeof option === 'object' && option !== null) {
      refuseUnknownFields('temperature', option, [
        'initial',
        'labelProbability',
        'rate',
        'min',
        'max',
      ] satisfies (keyof AdaptiveTemperatureOptions)[]);
      if (numFirstTokens === undefined)
        throw new UnnamedError(
          'an adaptive temperature needs restrictTo with numFirstTokens, such as validItems(...), got none; give the ' +
            'temperature as a number',
        );
      this.current = checkedAdaptiveTemperature(option, numFirstTokens).initial;
    } else {
      if (!(option > 0 && Number.isFinite(option)))
        throw new UnnamedError(`temperature must be above 0, got ${String(option)}; 1 is the default`);
      this.current = option;
    }
  }

  /** tau of a batch; a training batch moves an adaptive one. The caller's tidy frees it. */
  of(inputs: Omit<AdaptiveTemperatureInputs, 'numFirstTokens' | 'previous'>, training: boolean): tf.Scalar {
    const previous = this.moved ?? tf.scalar(this.current);
    if (typeof this.option === 'number' || this.numFirstTokens === undefined || !training) return tf.clone(previous);
    const { numFirstTokens } = this;
    const next = adaptiveTemperature({ ...inputs, numFirstTokens, previous }, this.option);
    this.moved?.dispose();
    this.moved = tf.keep(tf.clone(next));
    return next;
  }

  async read(): Promise<number> {
    if (this.moved !== null) [this.current] = await this.moved.data();
    return this.current;
  }

  write(value: number): void {
    this.moved?.dispose();
    this.moved = null;
    this.current = value;
  }

  /** Keeps the number and frees the tensor. */
  free(): void {
    const { moved } = this;
    this.moved = null;
    if (moved === null) return;
    if (tf.getBackend().startsWith('webgpu')) void this.keep(moved);
    else {
      [this.current] = moved.dataSync();
      moved.dispose();
    }
  }

  /** WebGPU reads later. */
  private async keep(moved: tf.Scalar): Promise<void> {
    [this.current] = await moved.data();
    moved.dispose();
  }
}
