import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, IlrecError } from '../errors';
import type { TokenRestriction } from '../rewards/valid_items';
import { disposeCapture, findTaps, ModelTaps, type TapOptions } from '../taps';
import type { PairBatch } from './preference_pairs';
import type { RowLogProbsOptions } from './row_log_probs';
import { ResponseBatch, type TappedBatch } from './tapped_batch';

export interface ReferenceReaderOptions {
  /** The public function that asks; errors start with it. */
  readonly name: string;
  readonly model: tfl.LayersModel;
  readonly restrictTo?: TokenRestriction;
  readonly taps?: TapOptions;
}

/** Reads log-probabilities of a model that is not trained. It taps the model until `dispose`. */
export class ReferenceReader {
  private readonly taps: ModelTaps;

  constructor(private readonly options: ReferenceReaderOptions) {
    const { name, model, restrictTo, taps } = options;
    this.taps = calledAs(
      name,
      () =>
        new ModelTaps(model, findTaps(model, { ...taps, needsBlocks: false }), {
          name,
          numBlocks: 0,
          keepInputIds: restrictTo !== undefined,
          loss: null,
          metrics: [],
          onCompiled: () => undefined,
        }),
    );
  }

  /** What `logProbsOf` makes of the model's pass over a batch: `rowLogProbs` [B], or `tokenLogProbs` [P]. */
  async read(
    { inputIds, labels, batchSize, sequenceLength }: PairBatch,
    logProbsOf: (batch: TappedBatch, options: RowLogProbsOptions) => tf.Tensor1D,
  ): Promise<Float32Array> {
    const { name, model, restrictTo } = this.options;
    const result = tf.tidy(() => {
      const shape: [number, number] = [batchSize, sequenceLength];
      this.taps.onPassBegin('evaluate');
      model.predictOnBatch(tf.tensor2d(inputIds, shape, 'int32')); // `apply` would report a pass of its own
      const capture = this.taps.take();
      if (capture === null) throw new IlrecError(`${name}: the forward pass of the reference did not reach its head`);
      try {
        const ys = tf.tensor2d(
          Int32Array.from(labels, (label) => Math.max(label, -1)),
          shape,
          'int32',
        );
        const batch = new ResponseBatch({ taps: this.taps, capture, labels: ys, ignoreIndex: -1, step: 0 });
        return calledAs(name, () => logProbsOf(batch, { restrictTo }));
      } finally {
        disposeCapture(capture);
        this.taps.onPassEnd();
      }
    });
    return await result.data<'float32'>().finally(() => result.dispose());
  }

  dispose(): void {
    this.taps.detach();
  }
}
