import { IlrecError } from '../errors';
import { estimateMemory, type MemoryEstimate, type MemoryRequest } from './memory_estimate';
import { type MemoryLimit, memoryLimit } from './memory_limit';

export interface RefuseAboveMemoryOptions {
  /** Default that of the backend in use. */
  readonly limit?: MemoryLimit;
  /** The function that the error speaks for. */
  readonly caller?: string;
}

/** Rank and targets that are tried where all weights train: what most recipes start with. */
const USUAL_LORA = { rank: 8, gpt2: ['c_attn'], llama: ['q_proj', 'v_proj'] };

/**
 * Throws, before anything is allocated, where a model or a training would not fit; the error names the smallest change that would.
 *
 * @returns the estimate, where it fits.
 * @throws IlrecError with the bytes of each part and what would fit: checkpointing, a smaller batch, shorter sequences, adapters, a smaller rank.
 */
export function refuseAboveMemory(request: MemoryRequest, { limit = memoryLimit(), caller = 'refuseAboveMemory' }: RefuseAboveMemoryOptions = {}): MemoryEstimate {
  const estimate = estimateMemory(request);
  if (fits(estimate, limit)) return estimate;
  const needed = estimate.total > limit.bytes
    ? `${limit.name} has ${readable(limit.bytes)} left, got a need of ${readable(estimate.total)} (${partsOf(estimate)})`
    : `${limit.name} takes tensors of up to ${readable(limit.tensorBytes)}, got one of ${readable(estimate.largestTensor)}`;
  throw new IlrecError(`${caller}: ${needed}; ${wayOut(request, limit)}`);
}

/** The first change that fits, from those that cost nothing but time to those that change what is learned. */
function wayOut(request: MemoryRequest, limit: MemoryLimit): string {
  const works = (change: Partial<MemoryRequest>): boolean => fits(estimateMemory(scaled(request, change)), limit);
  for (const base of alternatives(request)) {
    const words = wordsOf(base);
    if (Object.keys(base).length > 0 && works(base)) return `${words.join(' and ')} would fit`;
    for (let batchSize = halved(request.batchSize); batchSize >= 1; batchSize = halved(batchSize)) {
      if (works({ ...base, batchSize })) return `${[...words, `batchSize ${batchSize}`].join(' and ')} would fit`;
    }
    for (let sequenceLength = halved(request.sequenceLength); sequenceLength >= 1; sequenceLength = halved(sequenceLength)) {
      if (works({ ...base, ...(request.batchSize === undefined ? {} : { batchSize: 1 }), sequenceLength })) {
        return `${[...words, ...((request.batchSize ?? 1) > 1 ? ['batchSize 1'] : []), `sequenceLength ${sequenceLength}`].join(' and ')} would fit`;
      }
    }
  }
  const { weights } = estimateMemory({ ...request, mode: 'inference', batchSize: 0, sequenceLength: 0 });
  return weights > limit.bytes ? `its weights alone are ${readable(weights)}: use a smaller checkpoint or a backend with more memory` : 'use a smaller checkpoint or a backend with more memory';
}

/** Ways of training the same batch with less, mildest first. */
function alternatives(request: MemoryRequest): Partial<MemoryRequest>[] {
  if (request.mode === 'inference') return [{}];
  const checkpointing = request.gradientCheckpointing === true ? [] : [{ gradientCheckpointing: true }];
  if (request.lora !== undefined) {
    const { lora } = request;
    const smaller = [lora.rank >> 1, lora.rank >> 2, 1].filter((rank, i, all) => rank >= 1 && rank < lora.rank && all.indexOf(rank) === i).map((rank) => ({ lora: { ...lora, rank } }));
    return [...checkpointing, {}, ...smaller.map((change) => ({ ...change, gradientCheckpointing: true }))];
  }
  return [...checkpointing, {}, { gradientCheckpointing: true, lora: { rank: USUAL_LORA.rank, targets: usualTargets(request) } }];
}

function usualTargets({ config, model }: MemoryRequest): string[] {
  const isGpt2 = config?.model_type === 'gpt2' || model?.layers.some(({ name }) => name === 'h_0') === true;
  return USUAL_LORA[isGpt2 ? 'gpt2' : 'llama'];
}

function wordsOf({ gradientCheckpointing, lora }: Partial<MemoryRequest>): string[] {
  return [...(gradientCheckpointing === true ? ['gradient checkpointing'] : []), ...(lora === undefined ? [] : [`LoRA of rank ${lora.rank} on ${lora.targets.join(', ')}`])];
}

/** Fewer tokens bring fewer response positions. */
function scaled(request: MemoryRequest, change: Partial<MemoryRequest>): MemoryRequest {
  const tokens = (request.batchSize ?? 0) * (request.sequenceLength ?? 0);
  const changed = { ...request, ...change };
  if (request.responsePositions === undefined || tokens === 0) return changed;
  return { ...changed, responsePositions: Math.ceil((request.responsePositions * (changed.batchSize ?? 0) * (changed.sequenceLength ?? 0)) / tokens) };
}

function fits({ total, largestTensor }: MemoryEstimate, { bytes, tensorBytes }: MemoryLimit): boolean {
  return total <= bytes && largestTensor <= tensorBytes;
}

function halved(value = 0): number {
  return Math.floor(value / 2);
}

function partsOf({ weights, gradients, optimizer, activations, loss }: MemoryEstimate): string {
  const parts = Object.entries({ weights, gradients, optimizer, activations, loss }).filter(([, bytes]) => bytes > 0);
  return parts.map(([name, bytes]) => `${name} ${readable(bytes)}`).join(', ');
}

function readable(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 2 ** (10 * unit)).toFixed(1)} ${units[unit]}`;
}
