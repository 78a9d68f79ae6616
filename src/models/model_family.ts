import type * as tfl from '@tensorflow/tfjs-layers';
import type { HuggingFaceConfig } from './hugging_face_config';

/** A tensor of a checkpoint and the weight it is loaded into. */
export interface CheckpointWeight {
  /** Name of the tensor in the checkpoint. */
  readonly name: string;
  /** Name of the layer that owns the weight. */
  readonly layer: string;
  /** Name of the weight in its layer. */
  readonly weight: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** Whether the checkpoint holds [out, in] where the layer holds [in, out]. */
  readonly transposed: boolean;
}

/** An architecture whose checkpoints can be loaded. */
export interface ModelFamily {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The class in `architectures` of config.json. */
  readonly architecture: string;
  /**
   * Builds the model, with zeros as weights: token ids int32 [B, T] to logits [B, T, V].
   *
   * @param config content of config.json.
   * @param source name of the checkpoint in error messages.
   * @param caller the function that error messages name. Default 'loadPretrained'.
   * @throws IlrecError when a setting is out of range or not supported.
   */
  build(config: HuggingFaceConfig, source: string, caller?: string): tfl.LayersModel;
  /** Lists every tensor of the checkpoint. Parameters and errors as for `build`. */
  weights(config: HuggingFaceConfig, source: string, caller?: string): readonly CheckpointWeight[];
  /** Prefix of all tensor names but the head's. Checkpoints of the bare backbone, such as OpenAI's GPT-2, omit it. */
  readonly basePrefix: string;
  /** Names of tensors that hold no learned values. */
  readonly ignored: RegExp;
}
