import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type FileSource, readJson } from '../files/file_source';
import type { TensorData, TensorFile } from '../safetensors/safetensors';
import { type CheckpointReader, openSafetensorsFile } from '../safetensors/safetensors_reader';
import { IlrecError } from '../errors';
import { checkDropoutAndName, refuseDropoutOnWeights } from './add_lora';
import type { LoraAdapter, TrainedModule } from './lora_adapter';
import { ensureLoraModel, type LoraModel, loraModelOfAdapter } from './lora_model';
import { baseValue, type LoraSite } from './lora_sites';
import { type PeftLoraConfig, rankAndAlphaOf, readPeftConfig, targetedSites } from './peft_config';
import { isGpt2, peftModuleOf, peftNamesOf, type SavableWeight, savableWeights } from './peft_modules';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
/** The weights of an adapter as older versions of peft wrote them. */
const PICKLED_WEIGHTS = 'adapter_model.bin';
const PREFIX = 'base_model.model.';

/** Options of `loadAdapter` and `loadAdapterFrom`. */
export interface LoadAdapterOptions {
  /** Name of the adapter, unique in the model: letters, digits, '-', '_' and '.'. Default 'default'. */
  name?: string;
  /** Whether `fit` trains it while it is active. Default true. */
  trainable?: boolean;
  /** Seed of the dropout masks. Default 0. */
  seed?: number;
}

/**
 * Encodes an adapter in the format of Hugging Face's peft: the contents of `adapter_config.json` and
 * `adapter_model.safetensors`.
 *
 * @param adapter an adapter of `addLora` or `loadAdapter`.
 * @param baseModel `base_model_name_or_path` of the config: the base model's folder or hub id, used when the adapter is
 * loaded in Python. Default none.
 * @param caller the function that error messages name. Default 'encodeAdapter'.
 * @returns the config, and the tensors for `encodeSafetensors`.
 * @throws IlrecError when the adapter was removed, or `trainModules` names a whole block.
 * @example
 * ```ts
 * import { addLora, causalLM, encodeAdapter } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const { config, file } = await encodeAdapter(addLora(model, { targets: 'q_proj', rank: 2 }));
 * console.log(config.r, config.target_modules, file.tensors.size); // 2 [ 'q_proj' ] 4
 * ```
 */
export async function encodeAdapter(
  adapter: LoraAdapter,
  baseModel: string | null = null,
  caller = 'encodeAdapter',
): Promise<{ config: PeftLoraConfig; file: TensorFile }> {
  const host = loraModelOfAdapter(adapter, caller);
  const savable = savableWeights(host.model);
  const tensors = new Map<string, TensorData>();
  const saved = new Set<string>();
  for (const pair of adapter.pairs) {
    const module = peftModuleOf(pair.site);
    tensors.set(`${PREFIX}${module}.lora_A.weight`, await read(tf.transpose(pair.a.read())));
    tensors.set(`${PREFIX}${module}.lora_B.weight`, await read(tf.transpose(pair.b.read())));
  }
  for (const module of adapter.modules) {
    for (const name of peftNamesOf(module, savable, caller)) {
      tensors.set(`${PREFIX}${name}`, await read(tf.clone(module.copy.read())));
      saved.add(name.slice(0, name.lastIndexOf('.')));
    }
  }
  const { rank, alpha, dropout, rsLora } = adapter.config;
  const own = (of: 'rank' | 'alpha', general: number): Record<string, number> =>
    Object.fromEntries(
      adapter.pairs.filter((pair) => pair[of] !== general).map((pair) => [peftModuleOf(pair.site), pair[of]]),
    );
  const config: PeftLoraConfig = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: rsLora,
    target_modules: targetModules(adapter, host),
    modules_to_save: saved.size === 0 ? null : [...saved],
    rank_pattern: own('rank', rank),
    alpha_pattern: own('alpha', alpha),
    exclude_modules: null,
    layers_to_transform: null,
    layers_pattern: null,
    bias: 'none',
    fan_in_fan_out: isGpt2(host.model),
    ensure_weight_tying: adapter.modules.some(
      (module) => module.use === 'all' && peftNamesOf(module, savable, caller).length > 1,
    ),
    init_lora_weights: true,
    inference_mode: true,
  };
  return { config, file: { tensors, metadata: { format: 'pt' } } };
}

/** The last part of a module's path if the adapter is on all modules with that name, else the whole path. */
function targetModules(adapter: LoraAdapter, host: LoraModel): string[] {
  const last = (module: string): string => module.slice(module.lastIndexOf('.') + 1);
  const adapted = new Set(adapter.pairs.map(({ site }) => peftModuleOf(site)));
  const left = new Set(
    host.sites.sites
      .map(peftModuleOf)
      .filter((module) => !adapted.has(module))
      .map(last),
  );
  return [...new Set([...adapted].map((module) => (left.has(last(module)) ? module : last(module))))].sort();
}

/**
 * Loads an adapter that peft or `saveAdapter` wrote, adds it to the model and activates it. Call `compile` afterwards
 * to train it.
 *
 * @param model the base model that the adapter was trained on.
 * @param source where the files are, for example `fetchSource(url)`.
 * @param options name, and whether it can be trained.
 * @param caller the function that error messages name. Default 'loadAdapterFrom'.
 * @returns the adapter.
 * @throws IlrecError when a file is missing or damaged, it is another kind of adapter or has a setting that is not
 * supported, a tensor is missing, unknown or of another shape, or the name is taken.
 * @example
 * ```ts
 * import { addLora, causalLM, loadAdapterFrom } from 'tfjs-ilrec';
 * import { folderSource, saveAdapter } from 'tfjs-ilrec/node';
 *
 * const build = () => causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2, seed: 1 });
 * await saveAdapter(addLora(build(), { targets: 'q_proj', rank: 2 }), 'my-adapter');
 * const adapter = await loadAdapterFrom(build(), folderSource('my-adapter')); // in a browser: fetchSource(url)
 * console.log(adapter.config.rank, adapter.active); // 2 true
 * ```
 */
export async function loadAdapterFrom(
  model: tfl.LayersModel,
  source: FileSource,
  { name = 'default', trainable = true, seed = 0 }: LoadAdapterOptions = {},
  caller = 'loadAdapterFrom',
): Promise<LoraAdapter> {
  const config = readPeftConfig(await readJson(source, ADAPTER_CONFIG, caller), source.name, caller);
  const dropout = trainable ? config.lora_dropout : 0;
  checkDropoutAndName(dropout, name, caller);
  if (!(await source.has(ADAPTER_WEIGHTS)) && (await source.has(PICKLED_WEIGHTS)))
    throw new IlrecError(
      `${caller}: ${source.name} must have ${ADAPTER_WEIGHTS}, got ${PICKLED_WEIGHTS}; convert it in Python with ` +
        "peft: PeftModel.from_pretrained(base, folder), then the model's save_pretrained(folder)",
    );
  const reader = await openSafetensorsFile(source, ADAPTER_WEIGHTS, caller);
  const host = ensureLoraModel(model);
  const sites = adaptedSites(config, host.sites.sites, reader, source.name, caller);
  refuseDropoutOnWeights(sites, dropout, caller);
  const specs = sites.map((site) => ({ site, ...rankAndAlphaOf(config, peftModuleOf(site)) }));
  for (const { site, rank } of specs) checkShapes(reader, site, rank, source.name, caller);
  const { modules, values } = await savedModules(model, sites, reader, source.name, caller);
  const unsaved = config.modules_to_save?.find(
    (module) => ![...reader.entries.keys()].some((tensor) => tensor.slice(0, tensor.lastIndexOf('.')).endsWith(module)),
  );
  if (unsaved !== undefined)
    throw new IlrecError(
      `${caller}: ${ADAPTER_WEIGHTS} of ${source.name} must hold module "${unsaved}", which adapter_config.json ` +
        'names, got none; use both files of one adapter',
    );

  const { r: rank, lora_alpha: alpha, use_rslora: rsLora } = config;
  const factors = await Promise.all(
    sites.map(
      async (site) =>
        await Promise.all(
          (['A', 'B'] as const).map((factor) => reader.read(tensorName(site, factor), { transposed: true })),
        ),
    ),
  );
  const adapter = host.add(caller, name, { rank, alpha, dropout, rsLora, seed }, specs, modules, trainable);
  const write = (variable: tfl.LayerVariable, data: Float32Array): void =>
    tf.tidy(() => void variable.write(tf.tensor(data, variable.shape as number[])));
  adapter.pairs.forEach(({ a, b }, i) => [a, b].forEach((variable, at) => write(variable, factors[i][at])));
  adapter.modules.forEach(({ copy }, i) => write(copy, values[i]));
  return adapter;
}

function tensorName(site: LoraSite, factor: 'A' | 'B'): string {
  return `${PREFIX}${peftModuleOf(site)}.lora_${factor}.weight`;
}

/** The sites with factors in the file; they must be those that the config selects. */
function adaptedSites(
  config: PeftLoraConfig,
  sites: readonly LoraSite[],
  { entries }: CheckpointReader,
  source: string,
  caller: string,
): LoraSite[] {
  const adapted = sites.filter((site) => entries.has(tensorName(site, 'A')) || entries.has(tensorName(site, 'B')));
  const missing = [...new Set([...adapted, ...(targetedSites(config, sites) ?? [])])]
    .flatMap((site) => (['A', 'B'] as const).map((factor) => tensorName(site, factor)))
    .find((name) => !entries.has(name));
  if (missing !== undefined)
    throw new IlrecError(
      `${caller}: ${ADAPTER_WEIGHTS} of ${source} must hold "${missing}", which adapter_config.json names, got ` +
        'none; use both files of one adapter',
    );
  const known = new Set(adapted.flatMap((site) => [tensorName(site, 'A'), tensorName(site, 'B')]));
  const stray = [...entries.keys()].find((name) => /\.lora_/.test(name) && !known.has(name));
  if (stray !== undefined) {
    throw new IlrecError(
      `${caller}: every adapted module of ${source} must exist in the model, got "${stray}"; modules: ` +
        `${sites.map(peftModuleOf).join(', ')}`,
    );
  }
  if (adapted.length === 0)
    throw new IlrecError(`${caller}: ${ADAPTER_WEIGHTS} of ${source} must hold factors lora_A and lora_B, got none`);
  return adapted;
}

function checkShapes(
  { entries }: CheckpointReader,
  site: LoraSite,
  rank: number,
  source: string,
  caller: string,
): void {
  const expected = { A: [rank, site.inputSize], B: [site.outputSize, rank] };
  for (const factor of ['A', 'B'] as const) {
    const shape = entries.get(tensorName(site, factor))?.shape ?? [];
    if (!tf.util.arraysEqual([...shape], expected[factor])) {
      throw new IlrecError(
        `${caller}: "${tensorName(site, factor)}" of ${source} must be [${expected[factor].join(', ')}] for ` +
          `"${site.path}", got [${shape.join(', ')}]; use the base model and the rank that the adapter was trained ` +
          'with',
      );
    }
  }
}

/**
 * The whole weights in the file. Weights equal to the base are skipped; equal halves of a tied embedding become one.
 */
async function savedModules(
  model: tfl.LayersModel,
  sites: readonly LoraSite[],
  reader: CheckpointReader,
  source: string,
  caller: string,
): Promise<{ modules: Omit<TrainedModule, 'copy'>[]; values: Float32Array[] }> {
  const savable = savableWeights(model);
  const found: { weight: SavableWeight; values: Float32Array }[] = [];
  for (const [tensor, { shape }] of reader.entries) {
    if (/\.lora_[AB]\.weight$/.test(tensor)) continue;
    const plain = tensor.replace(PREFIX, '').replace(/\.(modules_to_save|base_layer)\.(?=\w+$)/, '.');
    const weight = savable.find(({ name }) => name === plain);
    if (weight === undefined && plain.startsWith('v_head.'))
      throw new IlrecError(
        `${caller}: ${ADAPTER_WEIGHTS} of ${source} must hold the adapter alone, got "${tensor}" of a value head, ` +
          'which TRL adds for reinforcement learning and the language model does not use; save the adapter without it',
      );
    if (weight === undefined)
      throw new IlrecError(
        `${caller}: every saved module of ${source} must exist in the model, got "${tensor}"; modules: ` +
          `${savable.map(({ name }) => name).join(', ')}`,
      );
    if (!tf.util.arraysEqual([...shape], weight.base.shape as number[])) {
      throw new IlrecError(
        `${caller}: "${tensor}" of ${source} must be [${weight.base.shape.join(', ')}] for ` +
          `"${weight.base.originalName}", got [${shape.join(', ')}]; use the base model that the adapter was ` +
          'trained with',
      );
    }
    const values = await reader.read(tensor);
    const base = await baseValue(weight.base).data();
    // peft also stores the unchanged weight of an adapted head
    if (values.every((value, i) => value === base[i])) continue;
    if (sites.some(({ variable }) => variable === weight.base) && weight.use === 'all') {
      throw new IlrecError(
        `${caller}: "${tensor}" of ${source} must equal the base's weight, to which the adapter adds, got other ` +
          'values; use the base model that the adapter was trained with',
      );
    }
    found.push({ weight, values });
  }
  const twin = (i: number): boolean =>
    found.some(
      ({ weight, values }, j) =>
        j < i && weight.base === found[i].weight.base && values.every((value, at) => value === found[i].values[at]),
    );
  const whole = found.filter((_, i) => !twin(i));
  const modules = whole.map(({ weight: { layer, base, use } }) => {
    const halves = found.filter(({ weight }) => weight.base === base).length;
    const kept = whole.filter(({ weight }) => weight.base === base).length;
    return { layer, base, use: halves === 2 && kept === 1 ? ('all' as const) : use };
  });
  return { modules, values: whole.map(({ values }) => values) };
}

/** Reads a tensor's values and disposes it. */
async function read(tensor: tf.Tensor): Promise<TensorData> {
  const data = Float32Array.from(await tensor.data()); // copied: some backends return their own memory
  const shape = tensor.shape.slice();
  tensor.dispose();
  return { shape, data };
}
