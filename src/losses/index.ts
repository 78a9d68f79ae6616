/**
 * ILRec's losses (arXiv 2602.17410), a file per term. All work on the P response positions t of a batch. The losses of
 * preference learning (dpo.ts, s_dpo.ts, rose_po.ts, grpo.ts) work on the log-probabilities of whole responses.
 *
 * ```
 * z^l = W norm(h^l)      early-exit logits of layer l; L is the final layer, S the intermediate layers L-1 .. L-k
 * z~  = mean over S      the ensemble; p~ = softmax(z~)
 * N_t, tau_t, w_t        self_hard_negatives.ts
 * N'_t                   random_negatives.ts, for comparison
 * s(z)                   penalty.ts
 * L_CPO                  cross_layer_preference.ts
 * L_CPD                  cross_layer_distillation.ts
 * L_CRR                  collaborative_reward.ts; c comes from a `Reward`, reward.ts
 * L                      ilrec_objective.ts, from logits; streaming_objective.ts, the same without logits
 * ```
 * Losses of other methods: MSL's masked_softmax.ts with adaptive_temperature.ts, TCA4Rec's
 * token_collaborative_alignment.ts.
 *
 * src/losses/streaming holds the parts of the latter: `find` reads the head, `terms` and `gradients` are made of what
 * it found. Files that begin with `device_` do the same on WebGPU, where nothing can be read back on the way.
 */
export {
  adaptiveTemperature,
  type AdaptiveTemperatureInputs,
  type AdaptiveTemperatureOptions,
} from './adaptive_temperature';
export { collaborativeReward } from './collaborative_reward';
export { crossEntropy } from './cross_entropy';
export { crossLayerDistillation, type CrossLayerDistillationOptions } from './cross_layer_distillation';
export { crossLayerPreference, type CrossLayerPreferenceOptions } from './cross_layer_preference';
export { dpoLoss, type DpoLossOptions } from './dpo';
export { futureTargets, type FutureTargetsOptions, type ItemShares } from './future_targets';
export { groupAdvantages, rankReward, ruleReward } from './group_rewards';
export { grpoLoss, type GrpoLossOptions, type GrpoTokens } from './grpo';
export { maskedSoftmax, type MaskedSoftmaxOptions } from './masked_softmax';
export type { Penalty } from './penalty';
export { randomNegatives } from './random_negatives';
export { rosePoLoss, type RosePoLossOptions } from './rose_po';
export { sDpoLoss, type SDpoLossOptions } from './s_dpo';
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
  type NegativesOptions,
} from './ilrec_objective';
export { tokenCollaborativeAlignment, type TokenCollaborativeAlignmentOptions } from './token_collaborative_alignment';
export { streamingObjective, type StreamingObjectiveInputs } from './streaming_objective';
export type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
