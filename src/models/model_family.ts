import type * as tfl from '@tensorflow/tfjs-layers';
import type { HuggingFaceConfig } from './hugging_face_config';

/** Where one tensor of a checkpoint goes. */
export interface CheckpointWeight {
  /** The tensor's name in the checkpoint. */
  readonly name: string;
  /** The name of the layer that owns it. */
  readonly layer: string;
  /** The weight's name in the layer. */
  readonly weight: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** Whether the checkpoint holds [out, in] where the layer holds [in, out]. */
  readonly transposed: boolean;
}

/** An architecture that checkpoints can be loaded of. */
export interface ModelFamily {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The class in `architectures` of config.json. */
  readonly architecture: string;
  /**
   * The model with zeros as weights: token ids int32 [B, T] to logits [B, T, V].
   *
   * @param source what errors call the checkpoint.
   * @throws IlrecError on a setting that is out of range or not supported.
   */
  build(config: HuggingFaceConfig, source: string): tfl.LayersModel;
  /** Every tensor that the checkpoint must hold. */
  weights(config: HuggingFaceConfig, source: string): readonly CheckpointWeight[];
  /** Start of the names of all tensors but the head's; checkpoints saved from the bare backbone (OpenAI's GPT-2) leave it out. */
  readonly basePrefix: string;
  /** Names of tensors that carry nothing that is learned. */
  readonly ignored: RegExp;
}
