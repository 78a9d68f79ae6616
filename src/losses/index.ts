export { collaborativeReward } from './collaborative_reward';
export { crossEntropy } from './cross_entropy';
export { crossLayerDistillation, type CrossLayerDistillationOptions } from './cross_layer_distillation';
export { crossLayerPreference, type CrossLayerPreferenceOptions } from './cross_layer_preference';
export type { Penalty } from './penalty';
export {
  selfHardNegatives,
  type SelfHardNegatives,
  type SelfHardNegativesOptions,
  type ThresholdReference,
} from './self_hard_negatives';
export {
  ilrecObjective,
  type IlrecObjectiveInputs,
  type IlrecObjectiveOptions,
  type IlrecTerms,
} from './ilrec_objective';
export { streamingObjective, type StreamingObjectiveInputs } from './streaming_objective';
export type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
