export { DecoderBlock, type DecoderBlockArgs } from './decoder_block';
export { Dropout, type DropoutArgs } from './dropout';
export { setDropoutStep } from './dropout_state';
export { LMHead, type LMHeadArgs } from './lm_head';
export { RMSNorm, type RMSNormArgs } from './rms_norm';
export { TokenEmbedding, type TokenEmbeddingArgs } from './token_embedding';
