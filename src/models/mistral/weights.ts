export { decoderWeights as mistralWeights, IGNORED_TENSORS } from '../decoder_weights';
