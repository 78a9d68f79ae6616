export { type Capture, disposeCapture } from './capture';
export { checkTapOptions, type LayerSelector, type TapOptions } from './layer_selector';
export { ModelTaps, type RowsOf, unusedLoss } from './model_taps';
export { compiledFunctions, trainedModel } from './pass_hooks';
export { findTaps, requireModel, type TapLocations } from './tap_locations';
