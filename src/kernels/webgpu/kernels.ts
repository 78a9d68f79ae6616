import type { KernelReplacement } from '../kernel';
import { webgpuAdamw } from './adamw';
import { webgpuAttention } from './attention';
import { webgpuAttentionGradient } from './attention_gradient';
import { webgpuGate } from './gate';
import { webgpuGather } from './gather';
import { webgpuHead } from './head/kernels';
import { webgpuLargeElementwise } from './large_elementwise';
import { webgpuBatchMatMul } from './mat_mul';
import { readableIndices } from './readable_integers';
import { webgpuRmsNorm } from './rms_norm';
import { webgpuRotate } from './rotary';
import { webgpuUnsortedSegmentSum } from './segment_sum';
import { webgpuSoftmax } from './softmax';
import { webgpuSoftmaxGradient } from './softmax_gradient';
import { webgpuTranspose } from './transpose';

/** Kernels in place of tfjs's. */
export const webgpuReplacements: readonly KernelReplacement[] = [
  ...[webgpuBatchMatMul, webgpuGather, webgpuUnsortedSegmentSum, webgpuSoftmax, webgpuTranspose],
  ...[...webgpuLargeElementwise, ...readableIndices],
];

/** Kernels that tfjs does not have. */
export const webgpuFused: readonly KernelReplacement[] = [
  ...[
    ...webgpuRmsNorm,
    webgpuRotate,
    ...webgpuGate,
    webgpuSoftmaxGradient,
    webgpuAdamw,
    webgpuAttention,
    webgpuAttentionGradient,
  ],
  ...webgpuHead,
];
