export { type Capture, ModelTaps, trainedModel } from './model_taps';
export { findTaps, type LayerSelector, type TapLocations, type TapOptions } from './tap_locations';
