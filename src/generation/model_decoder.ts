import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { CausalDecoder, DecoderState } from './decoder';

/** Options of `createModelDecoder`. */
export interface ModelDecoderOptions {
  /** Name or index of the output with the logits [B, T, V]. Default: the only output of rank 3. */
  output?: string | number;
  /**
   * Makes the model's inputs from token ids and mask, both [R, T]; the mask is 1 at tokens and 0 at padding. Default:
   * one input gets the ids. Of several, an input with "mask" in its name gets the mask, one with "pos" the positions 0
   * to T - 1, and the remaining one the ids.
   */
  inputs?: (ids: tf.Tensor2D, mask: tf.Tensor2D) => tf.Tensor | tf.Tensor[];
  /** Token that pads rows on the right. Default 0. */
  padTokenId?: number;
  /** Rows that the model runs on at once, 1 or more; their logits at all positions are in memory. Default 32. */
  batchSize?: number;
}

interface State extends DecoderState {
  /** All tokens so far, of B rows after `prefill` and of B * W rows after `step`. */
  sequences: number[][];
  /** [B, V] or [B * W, V] */
  logits: tf.Tensor2D;
}

/**
 * Makes a decoder of any tfjs causal language model.
 *
 * It has no key-value cache: each step runs `model.predict` on the whole prefix of each beam. Models of `causalLM` and
 * `loadPretrained` take `createCausalDecoder`, which has one. The logits of the last position serve as hidden states.
 * If the head ends in a softmax, their logarithms do. Rows are padded on the right, which a causal model does not see.
 * A model with a fixed length T runs on T tokens.
 *
 * @param model token ids [B, T] to logits or probabilities [B, T, V].
 * @param options output, inputs, padding and batch size; see `ModelDecoderOptions`.
 * @returns a decoder for `constrainedBeamSearch`, `generate` and `beamSearchRecommender`.
 * @throws IlrecError when the model is stateful, the output or an input cannot be found by name, or `batchSize` is out
 *   of range. The decoder throws one when a prompt is empty, or longer with its continuation than a model of fixed
 *   length.
 * @example
 * ```ts
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import { createModelDecoder, generate } from 'tfjs-ilrec';
 *
 * const model = tfl.sequential();
 * model.add(tfl.layers.embedding({ inputDim: 11, outputDim: 8, inputShape: [null] }));
 * model.add(tfl.layers.gru({ units: 8, returnSequences: true, recurrentInitializer: 'glorotUniform' }));
 * model.add(tfl.layers.dense({ units: 11 }));
 * const [[{ tokens }]] = await generate(createModelDecoder(model), [[1, 4, 2]], { maxNewTokens: 3 });
 * console.log(tokens.length); // 3
 * ```
 */
export function createModelDecoder(model: tfl.LayersModel, options: ModelDecoderOptions = {}): CausalDecoder {
  return new ModelDecoder(model, options);
}

class ModelDecoder implements CausalDecoder {
  readonly vocabSize: number;
  private readonly output: number;
  private readonly inputs: NonNullable<ModelDecoderOptions['inputs']>;
  private readonly padTokenId: number;
  private readonly batchSize: number;
  /** T of a model with a fixed length, null otherwise. */
  private readonly fixedLength: number | null;
  /** B of a model with a fixed batch, null otherwise. */
  private readonly fixedBatch: number | null;
  /** Whether the head ends in a softmax; null before the first call. */
  private hasProbabilities: boolean | null = null;

  constructor(
    private readonly model: tfl.LayersModel,
    { output, inputs, padTokenId = 0, batchSize = 32 }: ModelDecoderOptions,
  ) {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new IlrecError(`createModelDecoder: batchSize must be an integer of at least 1, got ${batchSize}`);
    if (model.layers.some((layer) => layer.stateful)) {
      throw new IlrecError(
        'createModelDecoder: the model must not be stateful, got layer ' +
          `"${model.layers.find((layer) => layer.stateful)?.name}", whose state would pass from one beam to ` +
          'another; build it with stateful: false',
      );
    }
    this.output = outputOf(model, output);
    this.vocabSize = model.outputs[this.output].shape[2] as number;
    this.inputs = inputs ?? inputsByName(model);
    this.padTokenId = padTokenId;
    const sequence = model.inputs.find(({ shape }) => shape.length >= 2 && shape[1] !== null);
    this.fixedLength = sequence?.shape[1] ?? null;
    this.fixedBatch = model.inputs[0].shape[0] ?? null;
    this.batchSize = this.fixedBatch ?? batchSize;
  }

  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState {
    const empty = prompts.findIndex((prompt) => prompt.length === 0);
    if (prompts.length === 0 || empty >= 0)
      throw new IlrecError(`prefill: every prompt needs a token, got none at prompt ${Math.max(0, empty)}`);
    const sequences = prompts.map((prompt) => Array.from(prompt));
    const state: State = { batchSize: prompts.length, beamWidth, sequences, logits: this.lastLogits(sequences) };
    return state;
  }

  hidden(state: DecoderState): tf.Tensor2D {
    return stateOf(state).logits;
  }

  step(opaque: DecoderState, tokens: Int32Array, parents: Int32Array): void {
    const state = stateOf(opaque);
    const { batchSize, beamWidth } = state;
    const beamsBefore = state.sequences.length / batchSize; // per prompt
    const sequences = Array.from(tokens, (token, row) => [
      ...state.sequences[Math.floor(row / beamWidth) * beamsBefore + parents[row]],
      token,
    ]);
    const logits = this.lastLogits(sequences);
    state.logits.dispose();
    state.logits = logits;
    state.sequences = sequences;
  }

  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D {
    return tf.tidy(() =>
      tokens === undefined ? tf.clone(hidden) : tf.gather(hidden, tf.tensor1d(tokens, 'int32'), 1),
    );
  }

  dispose(state: DecoderState): void {
    stateOf(state).logits.dispose();
  }

  /** Logits of each sequence's last token, [R, V]. */
  private lastLogits(sequences: readonly (readonly number[])[]): tf.Tensor2D {
    const longest = sequences.reduce((most, { length }) => Math.max(most, length), 0);
    if (this.fixedLength !== null && longest > this.fixedLength) {
      throw new IlrecError(
        `createModelDecoder: the model takes ${this.fixedLength} tokens, got ${longest} of a prompt and its ` +
          'continuation; shorten the prompts',
      );
    }
    const length = this.fixedLength ?? longest;
    return tf.tidy(() => {
      const chunks: tf.Tensor2D[] = [];
      for (let start = 0; start < sequences.length; start += this.batchSize) {
        chunks.push(tf.tidy(() => this.chunkLogits(sequences.slice(start, start + this.batchSize), length)));
      }
      return this.asLogits(chunks.length === 1 ? chunks[0] : tf.concat(chunks, 0));
    });
  }

  private chunkLogits(sequences: readonly (readonly number[])[], length: number): tf.Tensor2D {
    const rows = this.fixedBatch ?? sequences.length;
    const ids = new Int32Array(rows * length).fill(this.padTokenId);
    const mask = new Float32Array(rows * length);
    sequences.forEach((sequence, row) => {
      ids.set(sequence, row * length);
      mask.fill(1, row * length, row * length + sequence.length);
    });
    const outputs = this.model.predict(
      this.inputs(tf.tensor2d(ids, [rows, length], 'int32'), tf.tensor2d(mask, [rows, length])),
      { batchSize: rows },
    );
    const logits = Array.isArray(outputs) ? outputs[this.output] : outputs; // [R, T, V]
    const last = tf.tensor1d(
      sequences.map((sequence, row) => row * length + sequence.length - 1),
      'int32',
    );
    return tf.gather(tf.reshape(logits, [rows * length, this.vocabSize]), last);
  }

  private asLogits(values: tf.Tensor2D): tf.Tensor2D {
    this.hasProbabilities ??= areProbabilities(values, this.model.outputs[this.output]);
    return this.hasProbabilities ? (tf.log(tf.maximum(values, 1e-37)) as tf.Tensor2D) : values;
  }
}

/** The state that this decoder made. */
function stateOf(state: DecoderState): State {
  return state as State;
}

/** Whether each row is a distribution. WebGPU cannot read synchronously: there, whether the last layer is a softmax. */
function areProbabilities(values: tf.Tensor2D, output: tfl.SymbolicTensor): boolean {
  if (tf.getBackend() === 'webgpu')
    return /"softmax"/i.test(JSON.stringify([output.sourceLayer.getClassName(), output.sourceLayer.getConfig()]));
  const [least, furthest] = tf.tidy(() =>
    tf.stack([tf.min(values), tf.max(tf.abs(tf.sub(tf.sum(values, 1), 1)))]).dataSync(),
  );
  return least >= 0 && furthest < 1e-3;
}

function outputOf(model: tfl.LayersModel, named: string | number | undefined): number {
  const { outputs } = model;
  const names = outputs.map(({ sourceLayer }, i) => model.outputNames[i] ?? sourceLayer.name);
  const possible = [...outputs.keys()].filter((i) => outputs[i].shape.length === 3 && outputs[i].shape[2] !== 1);
  const index = named === undefined ? possible[0] : typeof named === 'number' ? named : names.indexOf(named);
  if ((named === undefined && possible.length !== 1) || outputs[index]?.shape.length !== 3) {
    const seen = outputs
      .map(({ shape }, i) => `${names[i]} [${shape.map((size) => size ?? '?').join(', ')}]`)
      .join(', ');
    throw new IlrecError(
      `createModelDecoder: one output must give logits [B, T, V], got ${seen}; name it with the option output`,
    );
  }
  return index;
}

function inputsByName(model: tfl.LayersModel): NonNullable<ModelDecoderOptions['inputs']> {
  const names = model.inputs.map(({ sourceLayer }) => sourceLayer.name);
  if (names.length === 1 && model.inputs[0].rank === 2) return (ids) => ids;
  const kinds = names.map((name) => (/mask/i.test(name) ? 'mask' : /pos/i.test(name) ? 'positions' : 'ids'));
  if (kinds.filter((kind) => kind === 'ids').length !== 1 || model.inputs.some(({ rank }) => rank !== 2)) {
    const seen = model.inputs
      .map(({ shape }, i) => `${names[i]} [${shape.map((size) => size ?? '?').join(', ')}]`)
      .join(', ');
    throw new IlrecError(
      'createModelDecoder: one input must take the token ids [B, T], and others a mask or positions, got ' +
        `${seen}; make them with the option inputs`,
    );
  }
  return (ids, mask) => {
    const [rows, length] = ids.shape;
    const positions = (): tf.Tensor => tf.tile(tf.reshape(tf.range(0, length, 1, 'int32'), [1, length]), [rows, 1]);
    return kinds.map((kind) => ({ mask: () => mask, positions, ids: () => ids })[kind]());
  };
}
