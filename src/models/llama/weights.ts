export { decoderWeights as llamaWeights, IGNORED_TENSORS } from '../decoder_weights';
