import './register';

export { ilrec, METRIC_NAMES, type Coefficient, type IlrecDiagnostics, type IlrecMethod, type IlrecMetric, type IlrecOptions } from './ilrec';
export * from './losses';
export { trieReward, type TrieRewardOptions } from './rewards/trie_reward';
export type { LayerSelector, TapOptions } from './taps';
export type { Reward, RewardContext } from './types';

export { causalLM, type CausalLMConfig } from './models/causal_lm';
export { createCausalDecoder } from './models/causal_lm_decoder';
export { scorePrefixes, type ItemScorer } from './models/item_scorer';
export { markovScorer, type MarkovOptions } from './models/markov';
export { popularity, popularityScorer, type PopularityOptions } from './models/popularity';
export { sasrec, type SASRecConfig } from './models/sasrec';
export { sasrecBatch, sasrecRows, type SASRecRow } from './models/sasrec_batch';
export { sasrecLoss } from './models/sasrec_loss';
export { sasrecScorer } from './models/sasrec_scorer';
export * from './layers';

export { batchDataset, toTensors, type BatchDatasetOptions, type FitDataset } from './training/batch_dataset';
export { createBatches, type Batch, type BatchOptions, type Batches } from './training/batches';
export { AdamW, type AdamWOptions } from './training/adamw';
export { createSchedule, type Schedule, type ScheduleOptions } from './training/schedules';
export { trainModel, type StepRecord, type TrainingCallback, type TrainingMethod, type TrainingState, type TrainModelOptions } from './training/train_model';
export { EarlyStopping, type EarlyStoppingOptions, type Evaluation, type EvaluationRecord } from './callbacks/early_stopping';

export * from './generation';
export * from './evaluation';

export { SemanticIdTokenizer, type SemanticIdTokenizerJson } from './tokenizers/semantic_id_tokenizer';
export { makeSemanticIds, type MakeSemanticIdsOptions } from './semantic_ids/make_semantic_ids';
export { makeItemVectors, type ItemVectors } from './semantic_ids/make_item_vectors';

export { demoCatalogue, type DemoCatalogueOptions } from './data/demo_catalogue';
export { readLcRec, type LcRecFiles } from './data/lc_rec';
export { leaveOneOut } from './data/leave_one_out';
export { readMiniOneRec, type MiniOneRecFiles } from './data/minionerec';
export { readPlain, type PlainFiles } from './data/plain';
export { prepareInteractions, type PrepareOptions } from './data/prepare';
export { formatPrepareReport } from './data/prepare_report';
export { readRecBole, type RecBoleFiles } from './data/recbole';
export type { TextFile } from './data/text_file';
export type { InteractionData, LeaveOneOut, PreparedData, PrepareReport, SemanticIdReport } from './data/types';

export { registerKernels } from './kernels/register_kernels';
export { createRandom, type Random } from './random';
export { IlrecError } from './errors';
export { VERSION } from './version';
