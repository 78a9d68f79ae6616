import './register';

export { ilrec, METRIC_NAMES, type Coefficient, type IlrecDiagnostics, type IlrecMethod, type IlrecMetric, type IlrecOptions } from './ilrec';
export * from './losses';
export * from './layers';
export { causalLM, type CausalLMConfig } from './models/causal_lm';
export { createCausalDecoder } from './models/causal_lm_decoder';
export type { LayerSelector, TapOptions } from './taps';
export { IlrecError } from './errors';
export type { Reward, RewardContext } from './types';
