export type { LayerSelector, TapOptions } from './layer_selector';
export { type Capture, ModelTaps, type RowsOf } from './model_taps';
export { compiledFunctions, trainedModel } from './pass_hooks';
export { findTaps, requireModel, type TapLocations } from './tap_locations';
