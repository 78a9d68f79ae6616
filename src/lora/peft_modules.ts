import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { GPT2_MODULES, LLAMA_MODULES } from '../models/block_modules';
import type { ModuleUse, TrainedModule } from './lora_adapter';
import { graphLayers, isAdaptable, isHead, lastPart, type LoraSite } from './lora_sites';

type Layer = tfl.layers.Layer;

/** Module paths of the layers around the blocks, in Llama-like checkpoints and in GPT-2's. */
const LLAMA_LAYERS: Readonly<Record<string, string>> = {
  embed_tokens: 'model.embed_tokens',
  norm: 'model.norm',
  lm_head: 'lm_head',
};
const GPT2_LAYERS: Readonly<Record<string, string>> = {
  embed_tokens: 'transformer.wte',
  embed_positions: 'transformer.wpe',
  ln_f: 'transformer.ln_f',
  lm_head: 'lm_head',
};

const GPT2_BLOCK = 'ILRecGPT2Block';
const BLOCKS = ['ILRecDecoderBlock', GPT2_BLOCK];

/** A base weight that a PEFT file can store as a whole, and its name there. */
export interface SavableWeight extends Omit<TrainedModule, 'copy'> {
  /** Path of module and weight, for example "model.embed_tokens.weight". */
  readonly name: string;
}

/**
 * The module path of a weight in transformers: "layers_0/q_proj" is "model.layers.0.self_attn.q_proj". Layers of other
 * packages keep their path.
 */
export function peftModuleOf({ path, owner }: LoraSite): string {
  const [, index, weight] = /_(\d+)\/(\w+)$/.exec(path) ?? [];
  const name = owner.getClassName();
  if (name === 'ILRecDecoderBlock' && Object.hasOwn(LLAMA_MODULES, weight))
    return `model.layers.${index}.${LLAMA_MODULES[weight as keyof typeof LLAMA_MODULES]}`;
  if (name === GPT2_BLOCK && Object.hasOwn(GPT2_MODULES, weight))
    return `transformer.h.${index}.${GPT2_MODULES[weight as keyof typeof GPT2_MODULES]}`;
  return path.replace(/\/(weight|kernel)$/, '').replaceAll('/', '.');
}

/** Whether the model is a GPT-2, whose checkpoints store kernels as [in, out]. */
export function isGpt2(model: tfl.LayersModel): boolean {
  return graphLayers(model).some((layer) => layer.getClassName() === GPT2_BLOCK);
}

/** The weights of the layers around the blocks, with their names in a PEFT file. A tied embedding appears twice. */
export function savableWeights(model: tfl.LayersModel): SavableWeight[] {
  const names = isGpt2(model) ? GPT2_LAYERS : LLAMA_LAYERS;
  return graphLayers(model)
    .filter((layer) => !BLOCKS.includes(layer.getClassName()))
    .flatMap((layer) =>
      layer.weights.flatMap((base): SavableWeight[] => {
        const own = layer.getClassName().startsWith('ILRec') && Object.hasOwn(names, layer.name);
        const name = own
          ? `${names[layer.name]}.${lastPart(base.originalName)}`
          : base.originalName.replaceAll('/', '.');
        if (!isTiedHead(layer)) return [{ layer, base, use: 'all', name }];
        return [
          { layer, base, use: 'lookup', name },
          { layer, base, use: 'head', name: 'lm_head.weight' },
        ];
      }),
    );
}

/**
 * The names of a trained copy in a PEFT file.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError for a weight of a whole block, which PEFT files cannot store.
 */
export function peftNamesOf(
  { base, layer, use }: Pick<TrainedModule, 'base' | 'layer' | 'use'>,
  savable: readonly SavableWeight[],
  caller: string,
): string[] {
  const covers = (other: ModuleUse): boolean => use === 'all' || other === use;
  const names = savable.filter((weight) => weight.base === base && covers(weight.use)).map(({ name }) => name);
  if (names.length === 0)
    throw new IlrecError(
      `${caller}: trainModules must be layers around the blocks, got "${layer.name}"; adapt its projections with ` +
        'targets instead',
    );
  return names;
}

function isTiedHead(layer: Layer): boolean {
  return /embedding/i.test(layer.getClassName()) && isAdaptable(layer) && isHead(layer);
}
