export { decoderWeights as qwen3Weights, IGNORED_TENSORS } from '../decoder_weights';
