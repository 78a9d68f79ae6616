import type { KernelReplacement } from '../wasm/wasm_backend';
import { webgpuAdamw } from './adamw';
import { webgpuAttention } from './attention';
import { webgpuAttentionGradient } from './attention_gradient';
import { webgpuGate } from './gate';
import { webgpuGather } from './gather';
import { webgpuBatchMatMul } from './mat_mul';
import { webgpuRmsNorm } from './rms_norm';
import { webgpuRotate } from './rotary';
import { webgpuUnsortedSegmentSum } from './segment_sum';
import { webgpuSoftmax } from './softmax';
import { webgpuSoftmaxGradient } from './softmax_gradient';
import { webgpuTranspose } from './transpose';
import { webgpuZerosLike } from './zeros_like';

/** Kernels that stand for tfjs's. */
export const webgpuReplacements: readonly KernelReplacement[] = [webgpuUnsortedSegmentSum, webgpuGather, webgpuSoftmax, webgpuBatchMatMul, webgpuTranspose, webgpuZerosLike];

/** Kernels that tfjs does not have. */
export const webgpuFused: readonly KernelReplacement[] = [...webgpuRmsNorm, webgpuRotate, ...webgpuGate, webgpuSoftmaxGradient, webgpuAdamw, webgpuAttention, webgpuAttentionGradient];
