// The kernels' entry points; `src/kernels/wasm/simd_module.ts` has their types.

export { gate, gateGradient, rmsNorm, rmsNormGradient, rotate } from './blocks';
export { copyLines, gatherLines, sumLines, swapAxes } from './copies';
export { binary, unary } from './elementwise';
export { gemm, gemmScratchBytes } from './gemm';
export { adamw } from './optimizer';
export { penalise, penaliseFirstOrder } from './penalty';
export { columnSum, onlineSoftmax, rowMax, rowSum, softmax, softmaxGradient } from './rows';
