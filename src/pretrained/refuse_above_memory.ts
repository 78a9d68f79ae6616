import { IlrecError } from '../errors';
import { estimateMemory, type MemoryEstimate, type MemoryRequest } from './memory_estimate';
import { type MemoryLimit, memoryLimit } from './memory_limit';

/** Options of `refuseAboveMemory`. */
export interface RefuseAboveMemoryOptions {
  /** Free memory. Default `memoryLimit()`; in Node, `nodeMemoryLimit()` also includes the machine's. */
  readonly limit?: MemoryLimit;
  /** The function that error messages name. Default 'refuseAboveMemory'. */
  readonly caller?: string;
}

/** Rank and targets to suggest when all weights train: where most recipes start. */
const USUAL_LORA = { rank: 8, gpt2: ['c_attn'], llama: ['q_proj', 'v_proj'] };

/**
 * Throws when a model or its training would not fit into memory, before anything is allocated. The error names the
 * smallest change that would fit.
 *
 * A `model` in the request is already in memory, so its weights are not counted again.
 *
 * @param request model or config, and the sizes of a step.
 * @param options the free memory.
 * @returns the estimate, if it fits.
 * @throws IlrecError with the bytes of each part, and the first of these changes that fits: gradient checkpointing, a
 * smaller batch, adapters or a smaller rank, shorter sequences. Also on a request that `estimateMemory` refuses.
 * @example
 * ```ts
 * import { causalLM, refuseAboveMemory } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const { total } = refuseAboveMemory({ model, mode: 'training', batchSize: 4, sequenceLength: 16 });
 * console.log(total < 10 * 2 ** 20); // true
 * ```
 */
export function refuseAboveMemory(
  request: MemoryRequest,
  { limit: free = memoryLimit(), caller = 'refuseAboveMemory' }: RefuseAboveMemoryOptions = {},
): MemoryEstimate {
  const estimate = estimateMemory(request, caller);
  const loaded = request.model === undefined ? 0 : estimateMemory({ model: request.model, mode: 'inference' }).weights;
  const limit = { ...free, bytes: free.bytes + loaded };
  if (fits(estimate, limit)) return estimate;
  const needed =
    estimate.total > limit.bytes
      ? `${limit.name} has ${readable(limit.bytes)} left, but ${readable(estimate.total)} are needed (${partsOf(estimate)})`
      : `${limit.name} takes tensors of up to ${readable(limit.tensorBytes)}, got one of ${readable(estimate.largestTensor)}`;
  throw new IlrecError(`${caller}: ${needed}; ${wayOut(request, limit)}`);
}

/** The first change that fits, from changes that cost only time to changes of what is learned. */
function wayOut(request: MemoryRequest, limit: MemoryLimit): string {
  const found = changes(request).find((change) => fits(estimateMemory(scaled(request, change)), limit));
  if (found !== undefined) return `${wordsOf(request, found).join(' and ')} would fit`;
  const { weights } = estimateMemory({ ...request, mode: 'inference', batchSize: 0, sequenceLength: 0 });
  const least = weights > limit.bytes ? `its weights alone are ${readable(weights)}: ` : '';
  return `${least}use a smaller checkpoint or a backend with more memory`;
}

/**
 * Checkpointing, smaller batches, adapters or a smaller rank, and shorter sequences, each together with those before
 * it.
 */
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

/** The request with a change; response positions shrink in proportion to the tokens. */
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
