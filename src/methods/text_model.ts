import type * as tfl from '@tensorflow/tfjs-layers';
import { parseUserJson } from '../files/json_error_place';
import type { SharedConfig } from '../config/shared_config';
import { IlrecError } from '../errors';
import { addLora } from '../lora/add_lora';
import type { LoraAdapter } from '../lora/lora_adapter';
import { causalLM } from '../models/causal_lm';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { llamaConfigJson } from '../models/llama';
import { vocabularyLayers } from '../pretrained/resize_embeddings';
import { addItemTokens } from '../prompts/add_item_tokens';
import { LC_REC_TEMPLATES, TITLE_TEMPLATES } from '../prompts/default_templates';
import type { ItemLanguage } from '../prompts/item_language';
import { type LcRecLanguage, lcRecLanguage } from '../prompts/lc_rec_language';
import { parsePromptTemplates, type PromptTemplates } from '../prompts/templates';
import { titleLanguage } from '../prompts/title_language';
import { trainByteLevelBpe } from '../tokenizers/byte_level_bpe';
import { TextTokenizer } from '../tokenizers/text_tokenizer';
import { disposeModel } from '../models/dispose_model';
import { gradientCheckpointing } from '../training/gradient_checkpointing';
import type { RunFiles } from './method';
import { refuseLargeModel } from './refuse_large_model';

/** A language model that reads and writes text, and how items are named in it. */
export interface TextModel {
  readonly model: tfl.LayersModel;
  readonly language: ItemLanguage;
  /** config.json of the model. */
  readonly config: HuggingFaceConfig;
  /** generation_config.json of the checkpoint that the model started from, null where there is none. */
  readonly generationConfig: Readonly<Record<string, unknown>> | null;
  /** Null where every weight is trained. */
  readonly adapter: LoraAdapter | null;
}

/** What a language must know of the items. */
export interface Catalogue {
  readonly itemIds: readonly string[];
  readonly titles?: readonly (string | null)[];
  readonly semanticIds: readonly (readonly string[])[];
}

const END = '<|endoftext|>';
const MODEL_FOLDER = 'model';
const ADAPTER_FOLDER = 'adapter';
const PROMPTS_FILE = 'prompts.json';

/**
 * The templates that the config names, checked.
 * @throws IlrecError when the file cannot be read or breaks the rules.
 */
export async function readTemplates(
  { items: { style, prompts } }: SharedConfig,
  files: Pick<RunFiles, 'readNamed'>,
): Promise<PromptTemplates> {
  if (prompts === null) return style === 'bigrec' ? TITLE_TEMPLATES : LC_REC_TEMPLATES;
  const text = await files.readNamed(prompts, 'items.prompts');
  return parsePromptTemplates(parseUserJson(text, prompts, 'items.prompts'), prompts);
}

/**
 * The model to train: a pretrained checkpoint, or one trained from scratch with a tokenizer trained on titles and
 * prompts; tokens of semantic ids, adapters and checkpointing as the config asks.
 *
 * @throws IlrecError where the checkpoint has no tokenizer, and as the parts do.
 */
export async function buildTextModel(
  config: SharedConfig,
  catalogue: Catalogue,
  templates: PromptTemplates,
  files: Pick<RunFiles, 'loadNamedCheckpoint'>,
): Promise<TextModel> {
  const { items, backbone, seed } = config;
  const {
    model: base,
    language,
    config: json,
    generationConfig,
  } = backbone.pretrained === null
    ? fromNothing(config, catalogue, templates)
    : await fromCheckpoint(config, catalogue, templates, files);
  let model = base;
  try {
    if (items.style === 'lc-rec' && backbone.pretrained !== null)
      model = await addItemTokens(base, language as LcRecLanguage, { strategy: rowStrategy(items, catalogue), seed });
    if (backbone.gradientCheckpointing) gradientCheckpointing(model);
    return {
      model,
      language,
      config: json,
      generationConfig,
      adapter: backbone.lora === null ? null : adapterOn(model, language, config),
    };
  } catch (error) {
    disposeModel(model);
    throw error;
  }
}

/** The adapter that the config asks for. @throws IlrecError when it could not be merged at the end of the run. */
function adapterOn(model: tfl.LayersModel, language: ItemLanguage, { backbone, seed }: SharedConfig): LoraAdapter {
  const { targets = isBlockWeight, trainModules = layersOfNewTokens(model, language), ...lora } = backbone.lora ?? {};
  const adapter = addLora(model, { ...lora, targets, trainModules, seed });
  const tied = adapter.pairs.find(({ site }) => site.tied);
  if (tied === undefined) return adapter;
  adapter.remove();
  throw new IlrecError(
    'trainRun: backbone.lora.targets must leave out a head that is tied to the embedding, since it cannot be ' +
      `merged at the end of the run, got "${tied.site.path}"; put "embed_tokens" into backbone.lora.trainModules ` +
      'instead',
  );
}

/** Writes the model as a checkpoint that transformers reads too, adapters merged; the adapter alone beside it. */
export async function saveTextModel(
  files: Pick<RunFiles, 'saveAdapter' | 'saveCheckpoint'>,
  { model, language, config, generationConfig, adapter }: TextModel,
): Promise<void> {
  if (adapter !== null) {
    await files.saveAdapter(ADAPTER_FOLDER, adapter);
    adapter.merge();
  }
  const { tokenizer } = language;
  await files.saveCheckpoint(MODEL_FOLDER, { model, config, generationConfig, tokenizer });
}

/** Keeps the templates that a run was trained with. */
export async function writeTemplates(files: RunFiles, templates: PromptTemplates): Promise<void> {
  await files.writeJson(PROMPTS_FILE, templates);
}

/** The templates that `writeTemplates` kept. @throws IlrecError when the file is missing or damaged. */
export async function readRunTemplates(files: RunFiles): Promise<PromptTemplates> {
  return parsePromptTemplates(await files.readJson(PROMPTS_FILE), `${files.folder}/${PROMPTS_FILE}`);
}

/** Reads the model that `saveTextModel` wrote, with the language of its catalogue. */
export async function loadTextModel(files: RunFiles, config: SharedConfig, catalogue: Catalogue): Promise<TextModel> {
  const templates = await readRunTemplates(files);
  const { model, tokenizer, config: json, generationConfig } = await files.loadCheckpoint(MODEL_FOLDER);
  const language = languageOf(config, catalogue, requireTokenizer(tokenizer, files.folder), templates);
  return { model, config: json, generationConfig, adapter: null, language };
}

type Backbone = Omit<TextModel, 'adapter'>;

async function fromCheckpoint(
  config: SharedConfig,
  catalogue: Catalogue,
  templates: PromptTemplates,
  files: Pick<RunFiles, 'loadNamedCheckpoint'>,
): Promise<Backbone> {
  const { pretrained, revision } = config.backbone;
  const loaded = await files.loadNamedCheckpoint(pretrained as string, revision);
  const { model, tokenizer, config: json, generationConfig } = loaded;
  try {
    const language = languageOf(config, catalogue, requireTokenizer(tokenizer, pretrained as string), templates);
    return { model, config: json, generationConfig, language };
  } catch (error) {
    disposeModel(model);
    throw error;
  }
}

function fromNothing(config: SharedConfig, catalogue: Catalogue, templates: PromptTemplates): Backbone {
  const texts = [...(catalogue.titles ?? []).filter((title) => title !== null), JSON.stringify(templates)];
  const json = trainByteLevelBpe(texts, { vocabSize: config.items.vocabSize, specialTokens: [END] });
  const language = languageOf(
    config,
    catalogue,
    TextTokenizer.fromJSON(json, { eos_token: END, pad_token: END }),
    templates,
  );
  const shape = { ...config.model, vocabSize: language.vocabSize, seed: config.seed };
  refuseLargeModel(shape);
  const { eosTokenId, padTokenId } = language.tokenizer;
  const llama = llamaConfigJson(shape, { eosTokenId, padTokenId });
  return { model: causalLM(shape), language, config: llama, generationConfig: null };
}

function languageOf(
  { items, training }: SharedConfig,
  { itemIds, titles, semanticIds }: Catalogue,
  tokenizer: TextTokenizer,
  templates: PromptTemplates,
): ItemLanguage {
  const { maxPromptTokens, maxTitleTokens, untitled } = items;
  const shared = {
    tokenizer,
    templates,
    maxHistory: training.maxHistory,
    maxPromptTokens: maxPromptTokens ?? undefined,
    maxTitleTokens: maxTitleTokens ?? undefined,
  };
  if (items.style === 'bigrec')
    return titleLanguage({ ...shared, titles: titles ?? itemIds.map(() => null), untitled, itemIds });
  return lcRecLanguage({ ...shared, semanticIds, titles });
}

function rowStrategy({ newRows }: SharedConfig['items'], { titles }: Catalogue): 'titles' | 'level' | 'vocabulary' {
  return titles?.some((title) => title !== null) ? newRows : 'vocabulary';
}

function requireTokenizer(tokenizer: TextTokenizer | null, source: string): TextTokenizer {
  if (tokenizer === null)
    throw new IlrecError(
      `trainRun: the checkpoint at ${source} must have a tokenizer.json, got none; convert its tokenizer with ` +
        'save_pretrained of transformers',
    );
  return tokenizer;
}

/**
 * The layers with rows for item tokens that the checkpoint did not have: frozen, they would stay what they start from.
 */
function layersOfNewTokens(model: tfl.LayersModel, language: ItemLanguage | LcRecLanguage): string[] {
  const hasNew = 'semanticIdTokens' in language && language.semanticIdTokens.some(({ isNew }) => isNew);
  return hasNew ? vocabularyLayers(model).map(({ name }) => name) : [];
}

/** Every product inside the blocks. */
function isBlockWeight(path: string): boolean {
  return /^(layers|h)_\d+\//.test(path);
}
