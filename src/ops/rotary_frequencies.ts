import { IlrecError } from '../errors';

/**
 * How rotary wavelengths are stretched beyond the context of pretraining: the fields of a Hugging Face config's
 * `rope_scaling`, in camelCase.
 */
export type RopeScaling =
  | { readonly ropeType: 'linear'; readonly factor: number }
  | {
      readonly ropeType: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | {
      readonly ropeType: 'yarn';
      readonly factor: number;
      readonly originalMaxPositionEmbeddings: number;
      /** A pair with at least this many rotations within the original context keeps its wavelength. Default 32. */
      readonly betaFast?: number;
      /** A pair with fewer rotations is stretched by the whole factor. Default 1. */
      readonly betaSlow?: number;
      /** Scale of cosines and sines. Default 0.1 ln(factor) + 1. */
      readonly attentionFactor?: number;
      /** Whether the bounds of the blend are rounded to whole pairs. Default true. */
      readonly truncate?: boolean;
    };

export interface RotaryFrequencies {
  /** Radians per position of each pair, [F / 2]. */
  readonly frequencies: Float64Array;
  /** Scale of cosines and sines. */
  readonly amplitude: number;
}

/**
 * Angular frequencies of the rotary pairs: theta^(-2i / F), rescaled.
 *
 * `linear`: position interpolation (Chen et al., arXiv 2306.15595). `llama3`: long wavelengths by the factor, short
 * ones kept, a linear blend in between (Llama 3.1). `yarn`: the same blend over pairs, with a scale of the attention
 * (Peng et al., arXiv 2309.00071).
 *
 * Each step is rounded to float32, as when the models were trained. Exact frequencies would move the logits at position
 * 1000 by 1e-4 of their size.
 *
 * @param headSize F, even.
 * @param theta base of the wavelengths.
 */
export function rotaryFrequencies(
  headSize: number,
  theta: number,
  scaling: RopeScaling | null = null,
): RotaryFrequencies {
  const half = headSize / 2;
  const base = Float64Array.from({ length: half }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround(i / half))),
  );
  if (scaling === null) return { frequencies: base, amplitude: 1 };
  const { factor } = scaling;
  if (scaling.ropeType === 'linear')
    return { frequencies: base.map((frequency) => Math.fround(frequency / factor)), amplitude: 1 };
  const share = scaling.ropeType === 'llama3' ? llama3Share(base, scaling) : yarnShare(headSize, theta, scaling);
  const frequencies = base.map((frequency, i) =>
    Math.fround(share[i] * frequency + ((1 - share[i]) * frequency) / factor),
  );
  const amplitude =
    scaling.ropeType === 'yarn' ? (scaling.attentionFactor ?? (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1)) : 1;
  return { frequencies, amplitude };
}

/** How much of its own frequency each pair keeps: 1 all of it, 0 none, the frequency is divided by the factor. */
function llama3Share(base: Float64Array, scaling: Extract<RopeScaling, { ropeType: 'llama3' }>): Float64Array {
  const { lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
  if (highFreqFactor <= lowFreqFactor) {
    throw new IlrecError(
      `rotaryFrequencies: highFreqFactor must be above lowFreqFactor, got ${highFreqFactor} and ` +
        `${lowFreqFactor}; use the config of the checkpoint`,
    );
  }
  return base.map((frequency) => {
    const rotations = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI); // within the original context
    return clamp((rotations - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
  });
}

function yarnShare(headSize: number, theta: number, scaling: Extract<RopeScaling, { ropeType: 'yarn' }>): Float64Array {
  const { originalMaxPositionEmbeddings, betaFast = 32, betaSlow = 1, truncate = true } = scaling;
  /** The index, as a fraction, of the pair that rotates this often within the original context. */
  const pairOf = (rotations: number): number =>
    (headSize * Math.log(originalMaxPositionEmbeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [pairOf(betaFast), pairOf(betaSlow)];
  const from = Math.max(truncate ? Math.floor(low) : low, 0);
  const to = Math.min(truncate ? Math.ceil(high) : high, headSize - 1);
  const width = from === to ? 0.001 : to - from;
  return Float64Array.from({ length: headSize / 2 }, (_, i) => 1 - clamp((i - from) / width));
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x));
}
