/**
 * Evaluates ranked lists of any recommender; registers no kernels and no layers.
 *
 * @module tfjs-ilrec/evaluation
 */

export { splitCases, type EvaluationCases } from './data/split_cases';
export { bootstrapInterval, bootstrapIntervals, type BootstrapOptions, type Interval } from './evaluation/bootstrap';
export {
  evaluateRecommender,
  evaluationSummary,
  metricKeys,
  type EvaluateOptions,
  type EvaluationResult,
  type MetricKey,
} from './evaluation/evaluate_ranking';
export { holmAdjusted } from './evaluation/holm';
export { listQuality, type ListQuality } from './evaluation/list_quality';
export {
  gain,
  gains,
  hitRatio,
  meanReciprocalRank,
  ndcg,
  NOT_RANKED,
  rankOf,
  type MetricName,
} from './evaluation/metrics';
export type { Fusion } from './evaluation/fusion';
export { pairedDifference, type PairedDifference, type PairedDifferenceOptions } from './evaluation/paired_difference';
export { formatInterval, protocolText, type EvaluationProtocol, type RankingProtocol } from './evaluation/protocol';
export {
  beamSearchRecommender,
  scorerRecommender,
  type BeamSearchRecommenderOptions,
  type Recommender,
  type ScorerRecommenderOptions,
} from './evaluation/recommenders';
export { signFlipTest, type SignFlipOptions } from './evaluation/sign_flip_test';
export type { CausalDecoder, DecoderState } from './generation/decoder';
export type { PromptTokenizer } from './generation/history_prompt';
export { createModelDecoder, type ModelDecoderOptions } from './generation/model_decoder';
export { buildPrefixTrie, type PrefixTrie } from './generation/prefix_trie';
export type { ItemScorer } from './models/item_scorer';
export { IlrecError } from './errors';
