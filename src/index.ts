/**
 * The library for browsers and Node: nothing here reaches files.
 *
 * @module tfjs-ilrec
 */

export {
  ilrec,
  METRIC_NAMES,
  type Coefficient,
  type IlrecDiagnostics,
  type IlrecMethod,
  type IlrecMetric,
  type IlrecOptions,
  type LayerNegatives,
  type NegativeProbeOptions,
  type NegativeReport,
  type StudiedNegatives,
} from './ilrec/ilrec';
export type { FutureTargets, ItemSoftmaxOptions } from './tapped/item_softmax';
export { dpo, type DpoOptions } from './tapped/dpo';
export {
  grpo,
  type GrpoItemOptions,
  type GrpoOptions,
  type GrpoSharedOptions,
  type GrpoTokenOptions,
} from './tapped/grpo';
export {
  itemPairs,
  type ItemPairs,
  type ItemPairsOptions,
  type ItemTable,
  type PreferenceExamples,
  type RejectedItems,
} from './tapped/item_pairs';
export type { PairBatch, PreferencePairs, ResponseGroups } from './tapped/preference_pairs';
export type { PreferenceOptions } from './tapped/preference_method';
export {
  randomRejected,
  topRejected,
  type RandomRejectedOptions,
  type TopRejectedOptions,
} from './tapped/rejected_items';
export {
  responsePairs,
  type ResponseOracle,
  type ResponsePairs,
  type ResponsePairsOptions,
  type ResponseTable,
} from './tapped/response_pairs';
export { rosePo, type RosePoOptions } from './tapped/rose_po';
export { rowLogProbs, type RowLogProbsOptions } from './tapped/row_log_probs';
export { sDpo, type SDpoOptions } from './tapped/s_dpo';
export { sft, type SftOptions } from './tapped/sft';
export { tca4rec, type Tca4RecOptions } from './tapped/tca4rec';
export type { TapDescription } from './tapped/attachment';
export type { LossTensors, RowFunction } from './tapped/given_batch';
export type { TappedBatch } from './tapped/tapped_batch';
export { tappedMethod, type LossAndMetrics, type TappedMethod, type TappedMethodOptions } from './tapped/tapped_method';
export * from './losses';
export {
  linearCrossEntropy,
  responseLogProbs,
  type LinearCrossEntropyOptions,
} from './vocabulary/linear_cross_entropy';
export type { LinearHead } from './vocabulary/vocabulary_projection';
export {
  itemReward,
  type ItemReward,
  type ItemRewardOptions,
  type RewardBatch,
  type RewardTable,
} from './rewards/item_reward';
export { trieReward, type TrieRewardOptions } from './rewards/trie_reward';
export { validItems, type TokenRestriction, type ValidItemsOptions } from './rewards/valid_items';
export type { PromptHistory } from './rewards/trie_walk';
export type { LayerSelector, TapOptions } from './taps';
export type { Reward, RewardContext, RewardEntries } from './losses/reward';

export { causalItemScorer, type CausalItemScorerOptions } from './models/causal_item_scorer';
export { causalLM, type CausalLMConfig } from './models/causal_lm';
export type { ActivationName } from './ops/activations';
export type { RopeScaling } from './ops/rotary_frequencies';
export { gpt2, type GPT2Config } from './models/gpt2';
export type { HuggingFaceConfig } from './models/hugging_face_config';
export { llamaConfigJson } from './models/llama';
export { createCausalDecoder } from './models/causal_lm_decoder';
export { scorePrefixes, type ItemScorer } from './models/item_scorer';
export { meanScorer, type MeanScorerOptions } from './models/mean_scorer';
export { markovScorer, type MarkovOptions } from './models/markov';
export { disposeModel } from './models/dispose_model';
export { popularity, popularityScorer, type PopularityOptions } from './models/popularity';
export { sasrec, type SASRecConfig } from './models/sasrec';
export { sasrecBatch, sasrecRows, type SASRecRow } from './models/sasrec_batch';
export { sasrecLoss } from './models/sasrec_loss';
export { sasrecScorer } from './models/sasrec_scorer';
export { t5, type T5Config } from './models/t5/t5';
export { createT5Decoder, type T5DecoderOptions } from './models/t5/t5_decoder';
export { gru4rec, type GRU4RecConfig } from './models/gru4rec';
export { caser, type CaserConfig } from './models/caser';
export { nextItemLoss, type LossFunction } from './models/next_item_loss';
export { nextItemScorer } from './models/next_item_scorer';
export * from './layers';
export type { VocabularyHead } from './layers/projection';
export { registerLayers } from './layers/register_layers';

export { batchDataset, toTensors, type BatchDatasetOptions, type FitDataset } from './training/batch_dataset';
export { createBatches, type Batch, type BatchOptions, type Batches } from './training/batches';
export { encoderDecoderBatches, type EncoderDecoderBatchOptions } from './training/encoder_decoder_batches';
export { AdamW, type AdamWOptions } from './optimizers/adamw';
export {
  accumulateGradients,
  type AccumulatedOptimizer,
  type GradientAccumulationOptions,
} from './optimizers/gradient_accumulation';
export { gradientCheckpointing, type GradientCheckpointingOptions } from './training/gradient_checkpointing';
export { groupBatches, type GroupBatchOptions, type ResponseGroup } from './training/group_batches';
export { promptBatches, type PromptBatchOptions } from './training/prompt_batches';
export { createSchedule, type Schedule, type ScheduleOptions } from './optimizers/schedules';
export {
  trainModel,
  type StepRecord,
  type TrainingCallback,
  type TrainingMethod,
  type TrainingState,
  type TrainModelOptions,
} from './training/train_model';
export type { FitCallback } from './training/training_callback';
export { resumeFrom, type ResumeFromOptions } from './callbacks/resume_from';
export { checkpointing, type CheckpointOptions } from './callbacks/checkpointing';
export {
  EarlyStopping,
  type EarlyStoppingOptions,
  type EarlyStoppingState,
  type Evaluation,
  type EvaluationRecord,
} from './callbacks/early_stopping';

export * from './data';
export * from './generation';
export * from './evaluation';

export type { Baselines } from './recommender/baselines';
export type { RunFusion, RunManifest, RunValidation } from './recommender/run_manifest';
export type { ChosenBudget } from './recommender/training_budget';
export {
  Recommender,
  type AskOptions,
  type FitOptions,
  type FitProgress,
  type LoadRecommenderOptions,
  type NeighbourItem,
  type RecommendedItem,
} from './recommender/recommender';
export type { Interaction, Interactions } from './recommender/interactions';
export type { Recommendation, RecommendationList, RecommendListsOptions } from './recommender/recommend_items';
export type { SimilarItem } from './recommender/similar_items';
export { indexedDbStore, type IndexedDbStoreOptions } from './checkpoints/indexed_db_store';
export type { SnapshotStore } from './checkpoints/snapshot_store';
export { restoreSnapshot, takeSnapshot, type TrainingSnapshot } from './checkpoints/training_snapshot';
export { useBackend, type BrowserBackendName, type UseBackendOptions } from './backends/use_backend';
export { directorySource } from './files/directory_source';
export { fetchSource, type FetchSourceOptions } from './files/fetch_source';
export type { FileSource } from './files/file_source';
export { encodeSafetensors, type TensorData, type TensorFile } from './safetensors/safetensors';
export {
  openSafetensors,
  openSafetensorsFile,
  type CheckpointReader,
  type ReadTensorOptions,
  type TensorEntry,
} from './safetensors/safetensors_reader';
export { openGguf, type GgufReader } from './gguf/gguf_reader';
export type { GgufValue } from './gguf/gguf_header';
export type { TensorNames } from './safetensors/tensor_names';
export type { UnexpectedTensorsOptions } from './pretrained/match_weights';
export { loadPretrainedFrom, type LoadPretrainedFromOptions, type Pretrained } from './pretrained/load_pretrained';
export { loadT5From, type PretrainedT5 } from './pretrained/load_t5';
export { estimateMemory, type LoraSize, type MemoryEstimate, type MemoryRequest } from './pretrained/memory_estimate';
export { memoryLimit, type MemoryLimit, type MemoryLimitOptions } from './pretrained/memory_limit';
export { refuseAboveMemory, type RefuseAboveMemoryOptions } from './pretrained/refuse_above_memory';
export { resizeTokenEmbeddings, type VocabularyRows } from './pretrained/resize_embeddings';
export * from './lora';
export * from './prompts';

export { registerKernels, unregisterKernels } from './kernels/register_kernels';
export { createRandom, type Random } from './random';
export { VERSION } from './version';
