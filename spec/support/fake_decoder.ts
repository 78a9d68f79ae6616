import * as tf from '@tensorflow/tfjs-core';
import type { CausalDecoder, DecoderState } from '../../src/generation/decoder';
import { createRandom } from '../../src/random';
import { normals } from './random';

const HIDDEN_SIZE = 7;

interface FakeState extends DecoderState {
  /** The tokens of each row so far. */
  sequences: number[][];
  hidden: tf.Tensor2D;
}

/**
 * A decoder without a network: the hidden state is a hash of the row's whole sequence, so a wrong parent, a lost token
 * or a swapped user shows in every score after it. It counts its work and the states not yet disposed.
 */
export class FakeDecoder implements CausalDecoder {
  prefilledTokens = 0;
  prefills = 0;
  steps = 0;
  openStates = 0;
  /** Rows and columns of each projection. */
  readonly projections: { rows: number; columns: number }[] = [];
  beamWidths: number[] = [];
  private readonly head: Float32Array; // [V, D]

  constructor(
    readonly vocabSize: number,
    seed = 1,
    private readonly scale = 1,
  ) {
    this.head = normals(vocabSize * HIDDEN_SIZE, seed);
  }

  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): FakeState {
    this.prefills++;
    this.openStates++;
    this.beamWidths.push(beamWidth);
    const sequences = prompts.map((prompt) => Array.from(prompt));
    for (const { length } of sequences) this.prefilledTokens += length;
    return { batchSize: prompts.length, beamWidth, sequences, hidden: this.hiddenOf(sequences) };
  }

  hidden(state: FakeState): tf.Tensor2D {
    return state.hidden;
  }

  step(state: FakeState, tokens: Int32Array, parents: Int32Array): void {
    this.steps++;
    const { batchSize, beamWidth, sequences } = state;
    if (tokens.length !== batchSize * beamWidth || parents.length !== tokens.length)
      throw new Error('step: wrong lengths');
    const before = sequences.length / batchSize; // 1 after prefill
    state.sequences = Array.from(tokens, (token, row) => {
      if (parents[row] < 0 || parents[row] >= before) throw new Error(`step: parent ${parents[row]} of ${before}`);
      return [...sequences[Math.floor(row / beamWidth) * before + parents[row]], token];
    });
    state.hidden.dispose();
    state.hidden = this.hiddenOf(state.sequences);
  }

  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D {
    const columns = tokens?.length ?? this.vocabSize;
    this.projections.push({ rows: hidden.shape[0], columns });
    return tf.tidy(() => {
      const head = tf.tensor2d(this.head, [this.vocabSize, HIDDEN_SIZE]);
      return tf.matMul(hidden, tokens ? tf.gather(head, tokens) : head, false, true);
    });
  }

  dispose(state: FakeState): void {
    this.openStates--;
    state.hidden.dispose();
  }

  /** Logits after a sequence, in float64, [V]. */
  logits(sequence: readonly number[]): number[] {
    const hidden = this.hiddenRow(sequence);
    return Array.from({ length: this.vocabSize }, (_, v) =>
      hidden.reduce((sum, value, d) => sum + value * this.head[v * HIDDEN_SIZE + d], 0),
    );
  }

  private hiddenOf(sequences: readonly (readonly number[])[]): tf.Tensor2D {
    return tf.tensor2d(Float32Array.from(sequences.flatMap((sequence) => this.hiddenRow(sequence))), [
      sequences.length,
      HIDDEN_SIZE,
    ]);
  }

  private hiddenRow(sequence: readonly number[]): number[] {
    const random = createRandom(sequence.reduce((hash, token) => (Math.imul(hash, 31) + token + 1) | 0, 17));
    return Array.from({ length: HIDDEN_SIZE }, () => Math.fround(this.scale * random.normal()));
  }
}
