/**
 * All of `tfjs-ilrec`, and what needs Node: files, run folders, pretrained checkpoints from disk or the Hugging Face
 * Hub.
 *
 * @module tfjs-ilrec/node
 */

export * from '.';

export type { BackendName } from './backends/backend_table_node';
export { doctorReport, formatDoctorReport, type BackendReport, type DoctorReport } from './backends/doctor_node';
export { useBackend, type UseBackendOptions } from './backends/use_backend_node';
export { progress, type ProgressOptions } from './callbacks/progress_node';
export { CheckpointStore } from './checkpoints/checkpoint_store_node';
export {
  type BatchesContext,
  languageModelMethod,
  type LanguageModelMethod,
  type ObjectiveContext,
} from './methods/language_model';
export {
  beamSearchLists,
  type BeamSearchListsOptions,
  type Lists,
  scorerLists,
  type ScorerListsOptions,
} from './methods/lists';
export type { ItemCode } from './methods/item_code';
export {
  type AskedModel,
  type BuildContext,
  type BuiltMethod,
  defineMethod,
  type DiagnosticChart,
  type LoadContext,
  type Method,
  type MethodContext,
  type TrainingPlan,
  type Need,
  type ScoredItem,
  type ListOptions,
  type RankBatchOptions,
  type RankOptions,
  type RunFiles,
  type RunItem,
} from './methods/method';
export { METHODS, type MethodName } from './methods/registry';
export {
  type MethodSections,
  parseTrainConfig,
  type ParseTrainConfigOptions,
  type TrainConfig,
  type TrainConfigInput,
} from './methods/train_config';
export type { TrainingData } from './methods/training_data';
export { SEEN, type AskedSeenRule, type SeenOptions, type SeenRule } from './config/seen_rule';
export type { EvaluationConfig, Resolved, ResolvedEvaluation, SharedConfig } from './config/shared_config';
export type { SeenChoice } from './data/repeat_share';
export type { DataSplit } from './data/split_data';
export { readManifest } from './runs/manifest';
export { readLog, type LogLine } from './runs/run_log';
export { loadModel, saveModel } from './checkpoints/model_files_node';
export { prepareData, type PrepareDataOptions } from './preparation/prepare_data_node';
export { loadPrepared, writePrepared } from './preparation/prepared_folder_node';
export { folderSource } from './files/folder_source_node';
export { loadAdapter, saveAdapter, type SaveAdapterOptions } from './lora/peft_files_node';
export { loadPretrained, type LoadPretrainedOptions } from './pretrained/load_pretrained_node';
export { hubSource, type HubOptions } from './pretrained/hub_node';
export { nodeMemoryLimit } from './pretrained/memory_limit_node';
export type { WrittenType } from './safetensors/safetensors_types';
export { savePretrained, type SavePretrainedOptions } from './pretrained/save_pretrained_node';
export {
  DATA_FORMATS,
  type DataFormat,
  readDataset,
  type ReadDatasetOptions,
  type WindowNames,
} from './preparation/read_dataset_node';
export { Recommender } from './recommender/recommender_node';
export { comparisonCsv, comparisonLatex } from './report/comparison_files';
export { comparisonReport, type Example as ReportExample, type ReportOptions } from './report/comparison_report';
export { comparisonTable, type ComparisonTableOptions } from './report/comparison_table';
export { studyCsv, studyLatex } from './report/study_files';
export { studyReport } from './report/study_report';
export { studyTable } from './report/study_table';
export { compareMethods, type CompareOptions } from './runs/compare';
export {
  studyMethods,
  type SkippedArm,
  type StudiedArm,
  type StudiedCost,
  type StudiedDifference,
  type Study,
  type StudyArmInput,
  type StudyInput,
  type StudyMetric,
  type StudyOptions,
} from './runs/study';
export type {
  ComparedMethod,
  ComparedPair,
  ComparedRun,
  ComparedSlice,
  Comparison,
  MethodCost,
  TableMetric,
} from './runs/comparison';
export type { EqualBudgets } from './runs/equal_budgets';
export { evaluateLoadedRun, evaluateRun, type EvaluateRunOptions } from './runs/evaluate_run';
export type { RunCost, SecondsOf, ValidationPoint } from './runs/run_cost';
export { type LoadedRun, loadRun, type LoadRunOptions } from './runs/load_run';
export {
  recommend,
  recommendFromRun,
  recommendLists,
  type RecommendOptions,
  type RecommendRunOptions,
  similar,
  type SimilarOptions,
} from './runs/recommend_run';
export { type RecommendedUsers, recommendUsers, type RecommendUsersOptions } from './runs/recommend_users';
export { type DemoExample, type DemoResult, runDemo, type RunDemoOptions } from './runs/run_demo';
export { trainRun, type TrainRunOptions, type TrainRunResult } from './runs/train_run';
