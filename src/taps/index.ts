export { type Capture, disposeCapture } from './capture';
export { checkTapOptions, type LayerSelector, type TapOptions } from './layer_selector';
export { ModelTaps, type RowsOf } from './model_taps';
export { unusedLoss } from './own_training';
export { compiledFunctions, trainedModel } from './pass_hooks';
export { findTaps, requireModel, type TapLocations } from './tap_locations';
