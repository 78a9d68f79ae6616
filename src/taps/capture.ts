import * as tf from '@tensorflow/tfjs-core';
import { sameSource, type Source } from './model_graph';

/** What one forward pass left for the loss. */
export interface Capture {
  /** Outputs of the tapped blocks, first to last, [B, T, D] each. */
  readonly hiddenStates: readonly tf.Tensor3D[];
  /** What the head read, [B, T, D]. */
  readonly headInput: tf.Tensor3D;
  /** Other tensors that the layers behind the last block read, [B, T, ...] each. */
  readonly sides: readonly (readonly [Source, tf.Tensor])[];
  /** Token ids [B, T]; null unless they were asked for. */
  readonly inputIds: tf.Tensor | null;
  /** Whether the pass was a training pass; otherwise it was an evaluation. */
  readonly training: boolean;
}

/** The side input of a capture that comes from `source`. */
export function sideOf(capture: Capture, source: Source): tf.Tensor {
  return capture.sides.find(([side]) => sameSource(side, source))?.[1] as tf.Tensor;
}

/** Frees the tensors of a capture. */
export function disposeCapture({ hiddenStates, headInput, sides, inputIds }: Capture): void {
  tf.dispose([...hiddenStates, headInput, ...sides.map(([, side]) => side), ...(inputIds === null ? [] : [inputIds])]);
}

/** A tensor of the model's graph, or one of the two that are known by their role. */
type Place = Source | 'headInput' | 'inputIds';

/** Keeps the tensors of the pass in progress until the loss takes them. */
export class PassRecorder {
  private readonly kept = new Map<string, tf.Tensor>();

  /**
   * @param hiddenStates outputs of the blocks to tap.
   * @param sides what else the layers behind the last block read.
   */
  constructor(
    readonly hiddenStates: readonly Source[],
    private readonly sides: readonly Source[],
  ) {}

  /**
   * Keeps a clone: it stays on the tape, and outlives a nested model's tidy and the tensors that an evaluation frees
   * early.
   */
  keep(place: Place, tensor: tf.Tensor): void {
    const key = keyOf(place);
    this.kept.get(key)?.dispose();
    this.kept.set(key, tf.keep(tf.clone(tensor)));
  }

  /**
   * Keeps token ids so that they can be read back synchronously, which WebGPU cannot do once a layer has uploaded them.
   */
  keepInputIds(ids: tf.Tensor): void {
    tf.tidy(() => this.keep('inputIds', tf.getBackend().startsWith('webgpu') ? onCpu(ids) : ids));
  }

  /** A kept tensor, still the recorder's own. */
  get(place: Place): tf.Tensor | undefined {
    return this.kept.get(keyOf(place));
  }

  /** Hands over what the pass left; the caller disposes it. Null when no pass was recorded. */
  take(training: boolean): Capture | null {
    const headInput = this.get('headInput');
    const hiddenStates = this.hiddenStates.map((source) => this.get(source));
    if (headInput === undefined || hiddenStates.includes(undefined)) return null;
    const sides = this.sides.map((source) => [source, this.get(source) as tf.Tensor] as const);
    const inputIds = this.get('inputIds') ?? null;
    this.kept.clear();
    return {
      hiddenStates: hiddenStates as tf.Tensor3D[],
      headInput: headInput as tf.Tensor3D,
      sides,
      inputIds,
      training,
    };
  }

  /** Frees what a pass left and nobody took, for example because it threw. */
  dispose(): void {
    for (const tensor of this.kept.values()) tensor.dispose();
    this.kept.clear();
  }
}

function keyOf(place: Place): string {
  if (typeof place === 'string') return place;
  const { site, index, tensor } = place;
  return `${site === null ? `input ${tensor.id}` : site.id} ${index}`;
}

function onCpu(ids: tf.Tensor): tf.Tensor {
  return tf.tensor(Int32Array.from(ids.dataSync()), ids.shape, 'int32');
}
