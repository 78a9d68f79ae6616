export { bootstrapInterval, bootstrapIntervals, type BootstrapOptions, type Interval } from './bootstrap';
export {
  evaluateRecommender,
  evaluationSummary,
  metricKeys,
  type EvaluateOptions,
  type EvaluationResult,
  type MetricKey,
} from './evaluate_ranking';
export { gain, gains, hitRatio, meanReciprocalRank, ndcg, NOT_RANKED, rankOf, type MetricName } from './metrics';
export { pairedDifference, type PairedDifference, type PairedDifferenceOptions } from './paired_difference';
export { formatInterval, protocolText, type EvaluationProtocol, type RankingProtocol } from './protocol';
export {
  beamSearchRecommender,
  scorerRecommender,
  type BeamSearchRecommenderOptions,
  type Recommender,
  type ScorerRecommenderOptions,
} from './recommenders';
export { signFlipTest, type SignFlipOptions } from './sign_flip_test';
export { splitCases, type EvaluationCases } from '../data/split_cases';
