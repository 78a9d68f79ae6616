export { decoderWeights as qwen2Weights, IGNORED_TENSORS } from '../decoder_weights';
