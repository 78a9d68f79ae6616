import { IlrecError } from '../errors';
import type { LoraSite } from './lora_sites';
import { peftModuleOf } from './peft_modules';

/** The fields of peft's `adapter_config.json` that this package reads and writes. */
export interface PeftLoraConfig {
  peft_type: 'LORA';
  task_type: string | null;
  base_model_name_or_path: string | null;
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  use_rslora: boolean;
  target_modules: string | readonly string[] | null;
  modules_to_save: readonly string[] | null;
  rank_pattern: Readonly<Record<string, number>>;
  alpha_pattern: Readonly<Record<string, number>>;
  exclude_modules: string | readonly string[] | null;
  layers_to_transform: number | readonly number[] | null;
  layers_pattern: string | readonly string[] | null;
  bias: 'none';
  fan_in_fan_out: boolean;
  ensure_weight_tying: boolean;
  init_lora_weights: boolean | string;
  inference_mode: boolean;
}

/** The meaning of absent fields. */
const DEFAULTS: Omit<PeftLoraConfig, 'peft_type'> = {
  task_type: null,
  base_model_name_or_path: null,
  r: 8,
  lora_alpha: 8,
  lora_dropout: 0,
  use_rslora: false,
  target_modules: null,
  modules_to_save: null,
  rank_pattern: {},
  alpha_pattern: {},
  exclude_modules: null,
  layers_to_transform: null,
  layers_pattern: null,
  bias: 'none',
  fan_in_fan_out: false,
  ensure_weight_tying: false,
  init_lora_weights: true,
  inference_mode: false,
};
/** Fields that do not change what the adapter computes. */
const IGNORED = [
  'auto_mapping',
  'revision',
  'peft_version',
  'megatron_core',
  'qalora_group_size',
  'runtime_config',
  'loftq_config',
  'eva_config',
];
/** Initialisations that leave the base unchanged; with the others the adapter belongs to a changed base. */
const PLAIN_INITS: readonly unknown[] = [true, false, 'gaussian', 'orthogonal', 'eva'];

/**
 * Checks an `adapter_config.json`.
 *
 * @param source name of the adapter in error messages.
 * @param caller the public function that error messages name.
 * @throws IlrecError when it is another kind of adapter, or a field has a wrong type or a value that is not supported.
 */
export function readPeftConfig(
  json: Readonly<Record<string, unknown>>,
  source: string,
  caller: string,
): PeftLoraConfig {
  const refuse = (field: string, rule: string, value: unknown): IlrecError =>
    new IlrecError(
      `${caller}: ${field} in adapter_config.json of ${source} must be ${rule}, got ${JSON.stringify(value)}`,
    );
  if (json.peft_type !== 'LORA') throw refuse('peft_type', '"LORA"', json.peft_type ?? null);
  for (const [field, value] of Object.entries(json)) {
    if (field === 'peft_type' || Object.hasOwn(DEFAULTS, field) || IGNORED.includes(field) || isUnset(value)) continue;
    throw refuse(field, 'unset, because it is not supported', value);
  }
  const config = {
    ...DEFAULTS,
    ...Object.fromEntries(
      Object.entries(json).filter(([field, value]) => Object.hasOwn(DEFAULTS, field) && value !== null),
    ),
  } as Omit<PeftLoraConfig, 'peft_type'>;
  if (config.bias !== 'none') throw refuse('bias', '"none"', config.bias);
  if (!PLAIN_INITS.includes(config.init_lora_weights))
    throw refuse(
      'init_lora_weights',
      'one that leaves the base unchanged (convert the adapter to a plain LoRA)',
      config.init_lora_weights,
    );
  if (!Number.isInteger(config.r) || config.r < 1) throw refuse('r', 'a positive integer', config.r);
  if (!Number.isFinite(config.lora_alpha)) throw refuse('lora_alpha', 'a number', config.lora_alpha);
  for (const field of ['target_modules', 'exclude_modules', 'layers_pattern'] as const) {
    const value = config[field];
    if (value !== null && typeof value !== 'string' && !isListOf(value, 'string'))
      throw refuse(field, 'a text or a list of texts', value);
  }
  const unreadable = [config.layers_pattern ?? []].flat().find((name) => pattern(name) === null);
  if (unreadable !== undefined) throw refuse('layers_pattern', 'a regular expression', unreadable);
  if (config.modules_to_save !== null && !isListOf(config.modules_to_save, 'string'))
    throw refuse('modules_to_save', 'a list of texts', config.modules_to_save);
  const { layers_to_transform: layers } = config;
  if (layers !== null && typeof layers !== 'number' && !isListOf(layers, 'number'))
    throw refuse('layers_to_transform', 'a number or a list of numbers', layers);
  for (const field of ['rank_pattern', 'alpha_pattern'] as const) {
    const value: unknown = config[field];
    if (typeof value !== 'object' || value === null || !isListOf(Object.values(value), 'number'))
      throw refuse(field, 'an object of numbers', value);
  }
  return { peft_type: 'LORA', ...config };
}

function isListOf(value: unknown, type: 'string' | 'number'): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === type);
}

function isUnset(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** Rank and alpha of a module: those of the first pattern that matches the end of its path, else the general ones. */
export function rankAndAlphaOf(config: PeftLoraConfig, module: string): { rank: number; alpha: number } {
  const find = (patterns: Readonly<Record<string, number>>): number | undefined =>
    Object.entries(patterns).find(([key]) => pattern(`(.*\\.)?(${key})`)?.test(module))?.[1];
  return { rank: find(config.rank_pattern) ?? config.r, alpha: find(config.alpha_pattern) ?? config.lora_alpha };
}

/**
 * The sites that `target_modules` and the related fields select; null when a pattern is not a JavaScript regular
 * expression.
 */
export function targetedSites(config: PeftLoraConfig, sites: readonly LoraSite[]): LoraSite[] | null {
  const {
    target_modules: targets,
    exclude_modules: excluded,
    layers_to_transform: layers,
    layers_pattern: layerNames,
  } = config;
  if (targets === null) return null;
  const names = (list: string | readonly string[], module: string): boolean | null => {
    if (typeof list === 'string') return pattern(list)?.test(module) ?? null;
    return list.some((name) => module === name || module.endsWith(`.${name}`));
  };
  const found: LoraSite[] = [];
  for (const site of sites) {
    const module = peftModuleOf(site);
    const targeted = targets === 'all-linear' ? module !== 'lm_head' : names(targets, module);
    const out = excluded === null ? false : names(excluded, module);
    if (targeted === null || out === null) return null;
    const inLayers =
      layers === null || typeof targets === 'string' || [layers].flat().includes(layerIndex(module, layerNames));
    if (targeted && !out && inLayers) found.push(site);
  }
  return found;
}

/** The number of the block that contains a module, from the name of the list of blocks; -1 outside of blocks. */
function layerIndex(module: string, layerNames: string | readonly string[] | null): number {
  const lists = layerNames === null || layerNames.length === 0 ? ['[^.]*'] : [layerNames].flat();
  for (const name of lists) {
    const match = new RegExp(
      layerNames === null || layerNames.length === 0 ? `^.*?\\.${name}\\.(\\d+)\\.` : `^(?:|.*?\\.)${name}\\.(\\d+)\\.`,
    ).exec(module);
    if (match !== null) return Number(match[1]);
  }
  return -1;
}

/** A pattern for a whole path; null when its syntax is Python's only. */
function pattern(source: string): RegExp | null {
  try {
    return new RegExp(`^(?:${source})$`);
  } catch {
    return null;
  }
}
