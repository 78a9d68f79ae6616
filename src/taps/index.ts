export { type Capture, ModelTaps } from './model_taps';
export { findTaps, type LayerSelector, type TapLocations, type TapOptions } from './tap_locations';
