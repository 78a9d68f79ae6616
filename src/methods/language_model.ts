import type * as tfl from '@tensorflow/tfjs-layers';
import type * as z from 'zod';
import type { Resolved, SharedConfig } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { LoraAdapter } from '../lora/lora_adapter';
import { disposeModel } from '../models/dispose_model';
import { causalLM } from '../models/causal_lm';
import { machineMemoryLimit } from '../pretrained/memory_limit';
import { SemanticIdTokenizer, type SemanticIdTokenizerJson } from '../tokenizers/semantic_id_tokenizer';
import type { ItemSoftmaxOptions } from '../tapped/item_softmax';
import { type Batches, createBatches } from '../training/batches';
import { promptBatches } from '../training/prompt_batches';
import type { TrainingMethod } from '../training/train_model';
import { batchOptions } from './batch_options';
import { copyWeights } from './copy_weights';
import { type ItemCode, semanticIdCode, textCode } from './item_code';
import { buildItemModel, itemModelLists, itemSoftmaxOf, itemTokenBatches, itemTokenCode } from './item_model';
import { beamSearchLists, type Lists } from './lists';
import {
  type AskedModel,
  type BuildContext,
  type BuiltMethod,
  defineMethod,
  type LoadContext,
  type Method,
  type TrainingPlan,
} from './method';
import { refuseLargeModel } from './refuse_large_model';
import { refuseLargeTraining, refuseLongPrompts } from './refusals';
import {
  buildTextModel,
  loadTextModel,
  readRunTemplates,
  readTemplates,
  saveTextModel,
  writeTemplates,
} from './text_model';

/** The tokenizer of semantic ids, in runs whose model reads nothing else. */
const TOKENIZER_FILE = 'tokenizer.json';

/** What distinguishes one method of training a language model from another. */
export interface LanguageModelMethod<Name extends string, Section> extends Omit<
  Method<Name, Section>,
  'kind' | 'begin' | 'build' | 'load'
> {
  readonly section: z.ZodType<Section>;
  /** Makes the loss. */
  objective(context: ObjectiveContext<Section>): TrainingMethod | Promise<TrainingMethod>;
  /** The config that the model is made and trained with, where the method changes it. Default: as it is. */
  adjust?(config: Resolved<SharedConfig>, section: Section): Resolved<SharedConfig>;
  /** Makes other batches than those of SFT. */
  batches?(context: BatchesContext<Section>): Batches | Promise<Batches>;
  /** Blocks below the last one whose outputs the loss reads, for the memory estimate. Default none. */
  numTappedLayers?(section: Section): number;
  /** Factor of the epochs that a run chooses by its data; not of given ones. Default 1. */
  epochsRatio?(section: Section): number;
}

/** What a method's own batches are made of. */
export interface BatchesContext<Section> extends BuildContext<Section> {
  readonly code: ItemCode;
  /** Fills rows on the right. */
  readonly padTokenId: number;
  /** Where the model's tokens are items: how their softmax is made. */
  readonly itemSoftmax?: ItemSoftmaxOptions;
  /** Those of SFT. */
  readonly batches: Batches;
}

/** What a loss may depend on. */
export interface ObjectiveContext<Section> extends BatchesContext<Section> {
  /** The model that is trained, and how it makes lists. */
  readonly model: tfl.LayersModel;
  readonly lists: Lists;
  /** Steps of the whole training, for coefficients that change over it. */
  readonly totalSteps: number;
  readonly needs: Readonly<Record<string, AskedModel>>;
  /** Takes over the weights of another model of the same shape; an adapter begins anew. */
  startFrom(other: tfl.LayersModel): void;
}

/**
 * Makes a method that trains a causal language model to write the next item: over semantic ids alone, over semantic ids
 * in text, or over titles, as the config's section `items` says. Such methods differ in their loss only.
 *
 * @param method name, title, section of the config, and the loss.
 * @returns a method for `trainRun` and `compareMethods`.
 * @throws IlrecError when the name has other characters than lower-case letters, digits and hyphens.
 * @example
 * ```ts
 * import { ilrec } from 'tfjs-ilrec';
 * import { languageModelMethod } from 'tfjs-ilrec/node';
 * import * as z from 'zod';
 *
 * const distilled = languageModelMethod({
 *   name: 'distilled',
 *   title: 'Distilled',
 *   summary: 'SFT whose intermediate layers learn from the last one',
 *   color: { light: 'teal', dark: 'aqua' },
 *   order: 60,
 *   section: z.strictObject({ weight: z.number().min(0).default(0.5) }),
 *   numTappedLayers: () => 2,
 *   objective: ({ section }) => ilrec({ numNegativeLayers: 2, penaltyWeight: 0, distillationWeight: section.weight }),
 * });
 * console.log(distilled.kind); // language-model
 * ```
 */
export function languageModelMethod<const Name extends string, Section>({
  objective,
  numTappedLayers = () => 0,
  epochsRatio = () => 1,
  adjust = (config) => config,
  batches,
  ...description
}: LanguageModelMethod<Name, Section>): Method<Name, Section> {
  return defineMethod({
    ...description,
    kind: 'language-model',
    async begin({ config, data, files }) {
      if (readsText(config)) await writeTemplates(files, await readTemplates(config, files));
      else if (!speaksItems(config)) await files.writeJson(TOKENIZER_FILE, data.tokenizer.toJSON());
    },
    async build({ config, ...others }) {
      const { section } = others;
      refuseShallowModel(description.name, config, numTappedLayers(section));
      const build = readsText(config) ? buildOverText : speaksItems(config) ? buildOverItems : buildOverIds;
      const context = { ...others, config: adjust(config, section) };
      const built = await build(context, { objective, batches }, numTappedLayers(section));
      const training = built.training && { ...built.training, epochsRatio: epochsRatio(section) };
      return { ...built, training };
    },
    load: (context) =>
      readsText(context.config)
        ? loadOverText(context)
        : speaksItems(context.config)
          ? loadOverItems(context)
          : loadOverIds(context),
  });
}

/** A loss that reads layers below the last needs one. A checkpoint has as many as it has. */
function refuseShallowModel(name: string, { model, backbone }: SharedConfig, numTappedLayers: number): void {
  if (numTappedLayers > 0 && backbone.pretrained === null && model.numHiddenLayers < 2)
    throw new IlrecError(
      `trainRun: model.numHiddenLayers must be at least 2 for the method ${name}, which reads the layers below the ` +
        `last, got ${model.numHiddenLayers}`,
    );
}

/** What distinguishes the training of a method. */
type Training<Section> = Pick<LanguageModelMethod<string, Section>, 'objective' | 'batches'>;

function readsText({ items }: SharedConfig): boolean {
  return items.style === 'lc-rec' || items.style === 'bigrec';
}

function speaksItems({ items }: SharedConfig): boolean {
  return items.style === 'items';
}

/** A decoder of the section `model` whose tokens are the items. */
async function buildOverItems<Section>(
  context: BuildContext<Section>,
  training: Training<Section>,
): Promise<BuiltMethod> {
  const { config, data, files } = context;
  const model = buildItemModel(context);
  const code = itemTokenCode(config.training, data.itemCounts);
  return await builtModel(context, training, {
    model,
    batches: itemTokenBatches(context),
    padTokenId: data.numItems,
    code,
    lists: itemModelLists(model, code, config),
    itemSoftmax: itemSoftmaxOf(config),
    save: () => files.saveModel(model),
    dispose: () => disposeModel(model),
  });
}

/** A decoder of the section `model` over a vocabulary of semantic ids. */
async function buildOverIds<Section>(
  context: BuildContext<Section>,
  training: Training<Section>,
): Promise<BuiltMethod> {
  const { config, data, files } = context;
  const { seed } = config;
  const { tokenizer, split, trie, itemCounts } = data;
  const shape = { ...config.model, vocabSize: tokenizer.vocabSize };
  refuseLargeModel(shape);
  const batches = createBatches({
    ...batchOptions(config.training, seed),
    sequences: split.train,
    itemTokens: tokenizer.itemTokens,
    bosTokenId: tokenizer.bosTokenId,
    padTokenId: tokenizer.padTokenId,
  });
  const code = semanticIdCode(config.training, tokenizer, itemCounts, trie);
  const model = causalLM({ ...shape, seed });
  return await builtModel(context, training, {
    model,
    batches,
    padTokenId: tokenizer.padTokenId,
    code,
    save: () => files.saveModel(model),
    dispose: () => disposeModel(model),
  });
}

/**
 * A model that reads prompts: a pretrained checkpoint, or one trained from scratch with a tokenizer trained on the
 * titles.
 */
async function buildOverText<Section>(
  context: BuildContext<Section>,
  training: Training<Section>,
  numTappedLayers: number,
): Promise<BuiltMethod> {
  const { config, data, prepared, files } = context;
  const { seed } = config;
  const text = await buildTextModel(config, prepared, await readRunTemplates(files), files);
  const { model, language, adapter } = text;
  const dispose = (): void => {
    adapter?.remove();
    disposeModel(model);
  };
  try {
    refuseLongPrompts(config, data, text);
    refuseLargeTraining(config, data, text, machineMemoryLimit(), numTappedLayers);
    const batches = promptBatches({
      examples: (epoch) => language.examples(data.split.train, { seed, epoch }),
      padTokenId: language.padTokenId,
      batchSize: config.training.batchSize,
      seed,
    });
    const code = textCode(language, data.itemCounts);
    const { padTokenId } = language;
    const save = (): Promise<void> => saveTextModel(files, text);
    return await builtModel(context, training, { model, batches, padTokenId, code, adapter, save, dispose });
  } catch (error) {
    dispose();
    throw error;
  }
}

type LanguageModelParts = Pick<TrainingPlan, 'model' | 'batches'> &
  Pick<BuiltMethod, 'save' | 'dispose'> & {
    readonly code: ItemCode;
    readonly padTokenId: number;
    readonly itemSoftmax?: ItemSoftmaxOptions;
    /** Null where every weight is trained. Default null. */
    readonly adapter?: LoraAdapter | null;
    /** Default: beam search over the items' tokens. */
    readonly lists?: Lists;
  };

/** What all language models have in common once they are built. */
async function builtModel<Section>(
  context: BuildContext<Section>,
  { objective, batches: ownBatches }: Training<Section>,
  parts: LanguageModelParts,
): Promise<BuiltMethod> {
  const { model, code, padTokenId, itemSoftmax, adapter = null, save, dispose } = parts;
  const settings = context.config.training;
  const lists = parts.lists ?? beamSearchLists(model, code, settings);
  const made: BatchesContext<Section> = { ...context, code, padTokenId, itemSoftmax, batches: parts.batches };
  const batches = (await ownBatches?.(made)) ?? parts.batches;
  const startFrom = (other: tfl.LayersModel): void => copyWeights(model, other, adapter);
  return {
    ...lists,
    training: {
      model,
      batches,
      settings,
      objective: (needs, totalSteps) => objective({ ...made, batches, model, lists, totalSteps, needs, startFrom }),
    },
    save,
    dispose,
  };
}

async function loadOverIds({ config, items, files }: LoadContext): Promise<AskedModel> {
  const tokenizer = SemanticIdTokenizer.fromJSON((await files.readJson(TOKENIZER_FILE)) as SemanticIdTokenizerJson);
  const code = semanticIdCode(config.training, tokenizer, countsOf(items));
  const model = await files.loadModel();
  return { ...beamSearchLists(model, code, config.training), dispose: () => disposeModel(model) };
}

async function loadOverItems({ config, items, files }: LoadContext): Promise<AskedModel> {
  const model = await files.loadModel();
  const code = itemTokenCode(config.training, countsOf(items));
  return { ...itemModelLists(model, code, config), dispose: () => disposeModel(model) };
}

async function loadOverText({ config, items, files }: LoadContext): Promise<AskedModel> {
  const { model, language } = await loadTextModel(files, config, {
    itemIds: items.map(({ id }) => id),
    titles: items.map(({ title }) => title),
    semanticIds: items.map(({ semanticId = [] }) => semanticId),
  });
  const code = textCode(language, countsOf(items));
  return { ...beamSearchLists(model, code, config.training), dispose: () => disposeModel(model) };
}

function countsOf(items: LoadContext['items']): Int32Array {
  return Int32Array.from(items, ({ count }) => count);
}
