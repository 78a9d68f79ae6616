import { IlrecError } from '../errors';
import type * as tfl from '@tensorflow/tfjs-layers';
import type * as z from 'zod';
import type { Resolved, ResolvedEvaluation, SharedConfig, TrainingConfig } from '../config/shared_config';
import type { PreparedData } from '../data/types';
import type { Fusion } from '../evaluation/fusion';
import type { Recommender } from '../evaluation/recommenders';
import type { LoraAdapter } from '../lora/lora_adapter';
import type { TensorData } from '../safetensors/safetensors';
import type { ItemScorer } from '../models/item_scorer';
import type { Pretrained } from '../pretrained/load_pretrained';
import type { SavePretrainedOptions } from '../pretrained/save_pretrained_node';
import type { Batches } from '../training/batches';
import type { TrainingMethod } from '../training/train_model';
import type { ItemCode } from './item_code';
import type { TrainingData } from './training_data';

/**
 * A way to recommend: everything between a prepared dataset and lists of items, under one name.
 *
 * `trainRun`, `loadRun`, `compareMethods`, the config file, the command line, the report and the demo know a method
 * only by this type. Make one with `defineMethod`.
 */
export interface Method<Name extends string = string, Section = unknown> {
  /** Lower-case letters, digits and hyphens: the name in flags, config files, manifests and folders. */
  readonly name: Name;
  /** The name in tables and charts. */
  readonly title: string;
  /** One line for help texts, without a full stop. */
  readonly summary: string;
  /** CSS colours in charts, on light and on dark paper. */
  readonly color: { readonly light: string; readonly dark: string };
  /** Place in tables; methods are also trained in this order, so a method comes after those that it needs. */
  readonly order: number;
  /**
   * `counts`: nothing is trained, and every seed gives the same model. `item-scorer`: a trained model that scores all
   * items at once. `language-model`: a trained model that writes the tokens of an item.
   */
  readonly kind: 'counts' | 'item-scorer' | 'language-model';
  /** Whether a language model scores all items where `items.style` is `items`, so that it can teach. Default true. */
  readonly scoresItems?: boolean;
  /** Whether `ilrec compare` and `ilrec demo` include the method by default. */
  readonly comparedByDefault?: boolean;
  /** Checks the method's section of the config, `methods.NAME`, and fills in its defaults. It accepts `{}` and its own
   * output, and its values are JSON. */
  readonly section: z.ZodType<Section>;
  /** Defaults of the section that differ where the tokens of the language model are items, `items.style: 'items'`. */
  readonly itemDefaults?: Readonly<Record<string, unknown>>;
  /** A top-level key of config files that older releases used for this section. */
  readonly oldSectionKey?: string;
  /** Charts of the report that show what the method did, beside those that every method has. */
  readonly diagnostics?: readonly DiagnosticChart[];

  /** Finished runs of other methods that this one is trained with. Default none. */
  needs?(section: Section): readonly Need[];
  /** Writes files that must exist before training starts. */
  begin?(context: BuildContext<Section>): Promise<void>;
  /** Makes the model to train, or computes the one that needs no training. */
  build(context: BuildContext<Section>): Promise<BuiltMethod>;
  /** Reads the model that a finished run has saved. */
  load(context: LoadContext<Section>): Promise<AskedModel>;
}

/** A finished run of another method that a method is trained with. */
export interface Need {
  /** What the run is for: its folder inside the run, its name in progress lines, its key among the needs. */
  readonly role: string;
  /** The method that is trained for it where the section names no run. */
  readonly method: string;
  /** Accepted kinds of method. */
  readonly kinds: readonly Method['kind'][];
  /** Whether it must score all items: of language models, those whose tokens are items do. Default false. */
  readonly scoresItems?: boolean;
  /** The field of the section that names the method. */
  readonly methodField: string;
  /** The field of the section that names a finished run to take instead; null for none. */
  readonly runField: string | null;
  /** Whether lists need it after training, too; then counts become a run as well. Default false. */
  readonly isKept?: boolean;
  /** Added to the seed of the run, so that several needs of one method differ. Default 0. */
  readonly seedOffset?: number;
}

/** What a method gets in every call: its section of the config, the shared sections and the run's files. */
export interface MethodContext<Section = unknown> {
  readonly section: Section;
  readonly config: Resolved<SharedConfig>;
  readonly files: RunFiles;
}

/** What a method is built from. */
export interface BuildContext<Section = unknown> extends MethodContext<Section> {
  /** The dataset split, with the tokens of its items. */
  readonly data: TrainingData;
  /** The dataset as `prepare` wrote it: ids, titles, semantic ids. */
  readonly prepared: PreparedData;
}

/** What a finished run is loaded from; its dataset may be gone. */
export interface LoadContext<Section = unknown> extends MethodContext<Section> {
  readonly items: readonly RunItem[];
}

/** An item as a run keeps it, so that it can recommend without its dataset. */
export interface RunItem {
  readonly id: string;
  readonly title: string | null;
  /** Training interactions. */
  readonly count: number;
  /** Absent in runs of older releases whose method does not need it. */
  readonly semanticId?: readonly string[];
}

/** The files of one run. A method may use any name that is not the run's own (manifest, config, items, log). */
export interface RunFiles {
  /** Path of the run folder. */
  readonly folder: string;
  /** @throws IlrecError when the file is missing or damaged. */
  readJson(name: string): Promise<unknown>;
  /** Written whole or not at all. */
  writeJson(name: string, value: unknown): Promise<void>;
  /** Reads a file of one JSON value per line. @throws IlrecError when the file is missing or damaged. */
  readLines(name: string): Promise<unknown[]>;
  /** Written whole or not at all. */
  writeLines(name: string, values: readonly unknown[]): Promise<void>;
  /** Reads what `writeTensors` wrote; null when the file is missing or damaged, so that the method makes it again. */
  readTensors(name: string): Promise<ReadonlyMap<string, TensorData> | null>;
  /** Writes arrays as safetensors, whole or not at all. */
  writeTensors(name: string, tensors: ReadonlyMap<string, TensorData>): Promise<void>;
  /** Reads what `saveModel` wrote. @throws IlrecError when it is missing. */
  loadModel(): Promise<tfl.LayersModel>;
  /** Writes the model in tfjs's layout into the folder `model`. */
  saveModel(model: tfl.LayersModel): Promise<void>;
  /** Reads a checkpoint in Hugging Face's layout from a folder of the run. @throws IlrecError when it is missing. */
  loadCheckpoint(name: string): Promise<Pretrained>;
  /** Writes a checkpoint in Hugging Face's layout into a folder of the run. */
  saveCheckpoint(name: string, checkpoint: SavePretrainedOptions): Promise<void>;
  /** Writes an adapter in peft's layout into a folder of the run. */
  saveAdapter(name: string, adapter: LoraAdapter): Promise<void>;
  /**
   * Reads a text outside the run that the config names.
   *
   * @param option the key of the config, for errors.
   * @throws IlrecError when it cannot be read.
   */
  readNamed(path: string, option: string): Promise<string>;
  /** Loads a checkpoint outside the run that the config names: a folder, a URL or an id of the hub. */
  loadNamedCheckpoint(location: string, revision?: string): Promise<Pretrained>;
}

/** An item of a list with its score: a log-probability for language models, the model's own score otherwise. */
export interface ScoredItem {
  readonly item: number;
  readonly score: number;
  /**
   * From 0 to 1: where all items are scored, the share of the softmax over those that may be listed; where tokens are
   * searched, that of the item's tokens. Absent where scores are no logarithms of probabilities.
   */
  readonly probability?: number;
}

/** How one history is ranked. The rule for items seen has become `exclude`; the contrast of layers is the model's. */
export interface RankOptions extends Omit<ResolvedEvaluation, 'seen' | 'layerContrast' | 'fusion'> {
  /** Length of the list. */
  readonly k: number;
  /** Item numbers to leave out. */
  readonly exclude: ReadonlySet<number>;
  /** Another model whose scores count. Default none. */
  readonly fusion?: Fusion;
}

/** How several histories are ranked at once: each has its own items to leave out. */
export interface RankBatchOptions extends Omit<RankOptions, 'exclude'> {
  readonly exclude: readonly ReadonlySet<number>[];
}

/** How lists are made for an evaluation. */
export interface ListOptions extends Omit<ResolvedEvaluation, 'fusion'> {
  /** Another model whose scores count. Default none. */
  readonly fusion?: Fusion;
}

/** A model that ranks items; `scorerLists` and `beamSearchLists` make the usual ones. */
export interface AskedModel {
  /** Scores of all items, for methods that take this model as their teacher; null where there are none. */
  readonly scorer: ItemScorer | null;
  /** The language model, causal or an encoder-decoder, and how it names items; null for other models. */
  readonly languageModel: tfl.LayersModel | null;
  readonly code: ItemCode | null;
  /** Makes lists for an evaluation, with the model as it is at that moment. */
  recommender(histories: readonly ArrayLike<number>[], evaluation: ListOptions): Recommender;
  /** Ranks the items after one history, best first. */
  rank(history: readonly number[], options: RankOptions): Promise<ScoredItem[]>;
  /** `rank` for several histories in one pass. Without it they are ranked one after the other. */
  rankBatch?(histories: readonly (readonly number[])[], options: RankBatchOptions): Promise<ScoredItem[][]>;
  /** A vector per item, [N, D] flat: the cosine of two says how alike the items are. Absent where there are none. */
  itemVectors?(): Promise<Float32Array>;
  /** Frees the model. */
  dispose(): void;
}

/** A model that is about to be trained, or that needs no training. */
export interface BuiltMethod extends AskedModel {
  /** How it is trained; null where there is nothing to train. */
  readonly training: TrainingPlan | null;
  /** Writes the model into the run, so that `load` finds it. */
  save(): Promise<void>;
}

/** What the training loop needs. */
export interface TrainingPlan {
  readonly model: tfl.LayersModel;
  readonly batches: Batches;
  /** The config's section `training`, with what the method changes in it. Open epochs are chosen by `batches`. */
  readonly settings: TrainingConfig;
  /** Factor of the epochs that a run chooses; not of those that the settings give. Default 1. */
  readonly epochsRatio?: number;
  /**
   * Makes the loss. Called once, when the needs are there; they stay loaded until training ends.
   *
   * @param totalSteps batches of the whole training, for coefficients that change over it.
   */
  objective(needs: Readonly<Record<string, AskedModel>>, totalSteps: number): TrainingMethod | Promise<TrainingMethod>;
}

/** A chart of training steps. */
export interface DiagnosticChart {
  readonly title: string;
  readonly note: string;
  readonly yLabel: string;
  /** Metrics of the log, by the name that the chart gives them, each in the method's colour or one of the report's. */
  readonly lines?: readonly { readonly name: string; readonly metric: string }[];
  /** Instead of lines: a metric of the log that holds one number per layer, shallow to deep. */
  readonly perLayer?: string;
}

/**
 * Checks a method and keeps the type of its section.
 *
 * @param method the whole method; see `Method` for its fields.
 * @returns the same object.
 * @throws IlrecError when the name has other characters than lower-case letters, digits and hyphens.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import type { ItemScorer } from 'tfjs-ilrec';
 * import { defineMethod, scorerLists, trainRun } from 'tfjs-ilrec/node';
 * import * as z from 'zod';
 *
 * // Recommends items in the order of the catalogue.
 * const scorer = (numItems: number): ItemScorer => ({
 *   name: 'first',
 *   numItems,
 *   score: (histories) => tf.tile(tf.expandDims(tf.range(0, -numItems, -1)), [histories.length, 1]) as tf.Tensor2D,
 * });
 * const first = defineMethod({
 *   name: 'first',
 *   title: 'First',
 *   summary: 'items in the order of the catalogue',
 *   color: { light: 'gray', dark: 'silver' },
 *   order: 5,
 *   kind: 'counts',
 *   section: z.strictObject({}),
 *   build: async ({ data }) => ({
 *     ...scorerLists(scorer(data.numItems)),
 *     training: null,
 *     save: async () => undefined,
 *     dispose: () => undefined,
 *   }),
 *   load: async ({ items }) => ({ ...scorerLists(scorer(items.length)), dispose: () => undefined }),
 * });
 * const { manifest } = await trainRun({ data: 'data', out: 'runs/first', method: first });
 * console.log(manifest.method, manifest.status); // first done
 * ```
 */
export function defineMethod<const Name extends string, Section>(method: Method<Name, Section>): Method<Name, Section> {
  checkMethod(method);
  return method;
}

/** Names that a method may have, and a need's role: they become folders. */
const NAME = /^[a-z][a-z0-9-]*$/;
const KINDS: readonly string[] = ['counts', 'item-scorer', 'language-model'] satisfies Method['kind'][];
/** What a CSS colour is made of. */
const COLOR = /^[\w#(),.%/ -]+$/;

/** @throws IlrecError when a field of a method is missing or wrong; JavaScript does not check them. */
export function checkMethod(method: Method, caller = 'defineMethod'): void {
  const given: Partial<Method> | null | undefined = method;
  if (typeof given !== 'object' || given === null)
    throw new IlrecError(`${caller}: a method must be an object, got ${String(given)}`);
  const { name, title, summary, color, order, kind, section, build, load } = given;
  if (typeof name !== 'string' || !NAME.test(name))
    throw new IlrecError(
      `${caller}: name must be lower-case letters, digits and hyphens, and start with a letter, got ` +
        (typeof name === 'string' ? `"${name}"` : String(name)),
    );
  const refuse = (field: string, rule: string, value: unknown): never => {
    throw new IlrecError(`${caller}: ${field} of method "${name}" must be ${rule}, got ${String(value)}`);
  };
  if (typeof title !== 'string') refuse('title', 'a text', title);
  if (typeof summary !== 'string') refuse('summary', 'a text', summary);
  if (!COLOR.test(color?.light ?? '')) refuse('color.light', 'a CSS colour', color?.light);
  if (!COLOR.test(color?.dark ?? '')) refuse('color.dark', 'a CSS colour', color?.dark);
  if (typeof order !== 'number' || Number.isNaN(order)) refuse('order', 'a number', order);
  if (!KINDS.includes(String(kind))) refuse('kind', `one of ${KINDS.join(', ')}`, kind);
  if (typeof section?.prefault !== 'function') refuse('section', 'a schema of zod 4', section);
  if (typeof build !== 'function') refuse('build', 'a function', build);
  if (typeof load !== 'function') refuse('load', 'a function', load);
}

/** @throws IlrecError when what `build` or `load` returned lacks a function, before anything is trained. */
export function checkModel(name: string, call: 'build' | 'load', model: AskedModel | BuiltMethod | undefined): void {
  const refuse = (field: string, rule: string): never => {
    throw new IlrecError(`${call} of method "${name}" must return ${field === '' ? '' : `${field}, `}${rule}`);
  };
  if (typeof model !== 'object' || model === null) refuse('', 'a model');
  const fields = ['recommender', 'rank', 'dispose', ...(call === 'build' ? ['save'] : [])];
  const missing = fields.find((field) => typeof Reflect.get(model as object, field) !== 'function');
  if (missing !== undefined) refuse(missing, 'a function; scorerLists and beamSearchLists make recommender and rank');
  if (call === 'load') return;
  const { training } = model as BuiltMethod;
  if (training === null) return;
  const parts = ['model', 'batches', 'settings', 'objective'] as const;
  const lacking = training === undefined ? 'training' : parts.find((part) => training[part] === undefined);
  if (lacking !== undefined)
    refuse(lacking === 'training' ? lacking : `training.${lacking}`, 'or training: null where nothing is trained');
}
