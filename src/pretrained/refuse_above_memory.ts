import { IlrecError } from '../errors';
import { estimateMemory, type MemoryEstimate, type MemoryRequest } from './memory_estimate';
import { type MemoryLimit, memoryLimit } from './memory_limit';

export interface RefuseAboveMemoryOptions {
  /** What is left now. Default that of the backend in use; `nodeMemoryLimit()` knows of the machine's memory too. */
  readonly limit?: MemoryLimit;
  /** The function that the error speaks for. Default 'refuseAboveMemory'. */
  readonly caller?: string;
}

/** Rank and targets that are tried where all weights train: what most recipes start with. */
const USUAL_LORA = { rank: 8, gpt2: ['c_attn'], llama: ['q_proj', 'v_proj'] };

/**
 * Throws, before anything is allocated, where a model or a training would not fit; the error names the smallest change that would. A `model` in the request
 * is in memory already: its weights take none of what is left.
 *
 * @returns the estimate, where it fits.
 * @throws IlrecError with the bytes of each part and what would fit: checkpointing, a smaller batch, shorter sequences, adapters, a smaller rank.
 */
export function refuseAboveMemory(
  request: MemoryRequest,
  { limit: left = memoryLimit(), caller = 'refuseAboveMemory' }: RefuseAboveMemoryOptions = {},
): MemoryEstimate {
  const estimate = estimateMemory(request);
  const loaded = request.model === undefined ? 0 : estimateMemory({ model: request.model, mode: 'inference' }).weights;
  const limit = { ...left, bytes: left.bytes + loaded };
  if (fits(estimate, limit)) return estimate;
  const needed =
    estimate.total > limit.bytes
      ? `${limit.name} has ${readable(limit.bytes)} left, got a need of ${readable(estimate.total)} (${partsOf(estimate)})`
      : `${limit.name} takes tensors of up to ${readable(limit.tensorBytes)}, got one of ${readable(estimate.largestTensor)}`;
  throw new IlrecError(`${caller}: ${needed}; ${wayOut(request, limit)}`);
}

/** The first change that fits, from those that cost nothing but time to those that change what is learned. */
function wayOut(request: MemoryRequest, limit: MemoryLimit): string {
  const found = changes(request).find((change) => fits(estimateMemory(scaled(request, change)), limit));
  if (found !== undefined) return `${wordsOf(request, found).join(' and ')} would fit`;
  const { weights } = estimateMemory({ ...request, mode: 'inference', batchSize: 0, sequenceLength: 0 });
  const least = weights > limit.bytes ? `its weights alone are ${readable(weights)}: ` : '';
  return `${least}use a smaller checkpoint or a backend with more memory`;
}

/** Checkpointing, smaller batches, adapters or a smaller rank, and shorter sequences, each with what comes before it. */
function changes(request: MemoryRequest): Partial<MemoryRequest>[] {
  const bases = request.mode === 'inference' ? [{}] : trainingBases(request);
  const batches = halvings(request.batchSize).map((batchSize) => ({ batchSize }));
  const smallest = batches.at(-1) ?? {};
  const sequences = halvings(request.sequenceLength).map((sequenceLength) => ({ ...smallest, sequenceLength }));
  return [
    ...bases.flatMap((base) => [base, ...batches.map((batch) => ({ ...base, ...batch }))]),
    ...bases.flatMap((base) => sequences.map((sequence) => ({ ...base, ...sequence }))),
  ];
}

function trainingBases(request: MemoryRequest): Partial<MemoryRequest>[] {
  const { lora } = request;
  const smaller =
    lora === undefined
      ? [{ rank: USUAL_LORA.rank, targets: usualTargets(request) }]
      : halvings(lora.rank).map((rank) => ({ ...lora, rank }));
  return [
    { gradientCheckpointing: true },
    ...smaller.map((adapters) => ({ gradientCheckpointing: true, lora: adapters })),
  ];
}

function usualTargets({ config, model }: MemoryRequest): string[] {
  const isGpt2 = config?.model_type === 'gpt2' || model?.layers.some(({ name }) => name === 'h_0') === true;
  return USUAL_LORA[isGpt2 ? 'gpt2' : 'llama'];
}

function wordsOf(
  request: MemoryRequest,
  { gradientCheckpointing, lora, batchSize, sequenceLength }: Partial<MemoryRequest>,
): string[] {
  return [
    ...(gradientCheckpointing === true && request.gradientCheckpointing !== true ? ['gradient checkpointing'] : []),
    ...(lora === undefined ? [] : [`LoRA of rank ${lora.rank} on ${lora.targets.join(', ')}`]),
    ...(batchSize === undefined ? [] : [`batchSize ${batchSize}`]),
    ...(sequenceLength === undefined ? [] : [`sequenceLength ${sequenceLength}`]),
  ];
}

/** Fewer tokens bring fewer response positions. */
function scaled(request: MemoryRequest, change: Partial<MemoryRequest>): MemoryRequest {
  const tokens = (request.batchSize ?? 0) * (request.sequenceLength ?? 0);
  const changed = { ...request, ...change };
  if (request.responsePositions === undefined || tokens === 0) return changed;
  return {
    ...changed,
    responsePositions: Math.ceil(
      (request.responsePositions * (changed.batchSize ?? 0) * (changed.sequenceLength ?? 0)) / tokens,
    ),
  };
}

function fits({ total, largestTensor }: MemoryEstimate, { bytes, tensorBytes }: MemoryLimit): boolean {
  return total <= bytes && largestTensor <= tensorBytes;
}

/** 20: 10, 5, 2, 1. */
function halvings(value = 0): number[] {
  const half = Math.floor(value / 2);
  return half < 1 ? [] : [half, ...halvings(half)];
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
