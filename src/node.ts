export * from './index';

export { doctorReport, formatDoctorReport, type DoctorReport } from './backends/doctor_node';
export { useBackend, type UseBackendOptions } from './backends/use_backend_node';
export { progress, type ProgressOptions } from './callbacks/progress_node';
export { METHODS, type MethodName, readManifest, type RunManifest } from './checkpoints/run_directory_node';
export { readLog, type LogLine } from './checkpoints/jsonl_log_node';
export { loadModel, saveModel } from './checkpoints/model_files_node';
export { parseTrainConfig, type TrainConfig, type TrainConfigInput } from './config/train_config';
export { loadPrepared, prepareData, type PrepareDataOptions, writePrepared } from './data/files_node';
export { DATA_FORMATS, type DataFormat, readDataset, type ReadDatasetOptions } from './data/read_dataset_node';
export { comparisonReport, type ReportOptions } from './report/comparison_report';
export { comparisonTable } from './report/comparison_table';
export { compareMethods, type CompareOptions, type Comparison } from './training/compare_node';
export { evaluateLoadedRun, evaluateRun, type EvaluateRunOptions } from './training/evaluate_run_node';
export { type LoadedRun, loadRun } from './training/load_run_node';
export { type Recommendation, recommend, recommendFromRun, type RecommendOptions } from './training/recommend_run_node';
export { type DemoResult, runDemo, type RunDemoOptions } from './training/run_demo_node';
export { trainRun, type TrainRunOptions, type TrainRunResult } from './training/train_run_node';
