import * as z from 'zod';
import { IlrecError } from '../errors';

const positive = z.number().int().min(1);
const rate = z.number().min(0).lt(1);
const weight = z.number().min(0);

/** Most items of a history where neither config nor dataset says. */
export const DEFAULT_MAX_HISTORY = 20;

/** The decoder, in the fields of `causalLM`; what is left out keeps its default there. */
const modelSchema = z.strictObject({
  hiddenSize: positive.default(64),
  intermediateSize: positive.optional(),
  numHiddenLayers: positive.default(4),
  numAttentionHeads: positive.default(4),
  numKeyValueHeads: positive.optional(),
  headDim: positive.optional(),
  ropeTheta: z.number().positive().optional(),
  rmsNormEps: z.number().positive().optional(),
  tieWordEmbeddings: z.boolean().optional(),
  attentionDropout: rate.default(0),
  hiddenDropout: rate.default(0.1),
  embeddingDropout: rate.default(0.1),
  initializerRange: z.number().positive().optional(),
});

/** How the language model names items. */
const itemsSchema = z.strictObject({
  /** `ids`: a vocabulary of semantic-id tokens alone. `lc-rec`: these tokens amid text. `bigrec`: the items' titles. */
  style: z.enum(['ids', 'lc-rec', 'bigrec']).default('ids'),
  /** lc-rec and bigrec: a file of prompt templates; null for the package's own. */
  prompts: z.string().nullable().default(null),
  /** Tokens of a prompt; a history loses its oldest items until it fits. null for no limit. */
  maxPromptTokens: positive.nullable().default(null),
  /** Tokens of a title; the rest is cut off. null for no limit. */
  maxTitleTokens: positive.nullable().default(null),
  /** bigrec: what becomes of items without a title: an error, or their id as the title. */
  untitled: z.enum(['refuse', 'id']).default('refuse'),
  /** lc-rec: what the rows of new tokens start from: the titles of the items that carry the token, or the mean of those over the level. */
  newRows: z.enum(['titles', 'level']).default('titles'),
  /** Tokens of the byte-level BPE that is trained on titles and prompts where there is no pretrained backbone; at least 257. */
  vocabSize: z.number().int().min(257).default(2048),
});

/** A pretrained checkpoint in place of the section `model`, for lc-rec and bigrec. */
const backboneSchema = z.strictObject({
  /** A folder, a hub id or a URL; {seed} stands for the seed. null for a model of section `model`, from nothing. */
  pretrained: z.string().nullable().default(null),
  /** Branch, tag or commit on the hub. */
  revision: z.string().optional(),
  /** null trains every weight. */
  lora: z
    .strictObject({
      rank: positive.default(8),
      alpha: z.number().positive().default(16),
      dropout: rate.default(0),
      rsLora: z.boolean().default(false),
      /** Weights by the end of their path. Default every projection of the blocks. */
      targets: z.array(z.string()).min(1).optional(),
      /** Layers that are trained whole. Default for lc-rec those with rows for new item tokens, the embedding and an untied head; else none. */
      trainModules: z.array(z.string()).optional(),
    })
    .nullable()
    .default(null),
  /** Computes the blocks' inner values again for their gradients: less memory, more time. */
  gradientCheckpointing: z.boolean().default(false),
});

/** ILRec's options; `sft` ignores them, so that one file serves both arms of a comparison. */
const methodSchema = z.strictObject({
  numNegativeLayers: positive.default(4),
  penaltyWeight: weight.default(0.1),
  penalty: z.enum(['scale', 'paper', 'additive']).default('scale'),
  thresholdScale: z.number().positive().default(1),
  thresholdReference: z.enum(['final', 'ensemble']).default('final'),
  distillationWeight: weight.default(0.1),
  /** Whether the distillation compares layers on item tokens only. */
  distillItemTokens: z.boolean().default(false),
  rewardWeight: weight.default(0.1),
  /** The collaborative model behind the reward; null for none. 'sasrec' is trained first, unless `rewardRun` names a finished run. */
  reward: z.enum(['popularity', 'markov', 'sasrec']).nullable().default('sasrec'),
  rewardRun: z.string().optional(), // {seed} stands for the seed
  rewardTemperature: z.number().positive().default(1),
  /** Share of the run in which the three weights grow from 0 to their values. */
  weightWarmupRatio: z.number().min(0).max(1).default(0),
});

const trainingSchema = z.strictObject({
  epochs: positive.default(10),
  batchSize: positive.default(64),
  /** Batches whose gradients make one step of the optimizer. */
  gradientAccumulation: positive.default(1),
  learningRate: z.number().positive().default(1e-3),
  schedule: z.enum(['constant', 'linear', 'cosine']).default('cosine'),
  /** Share of the run's steps that warm up. */
  warmupRatio: z.number().min(0).max(1).default(0.05),
  /** Share of the learning rate left at the end. */
  learningRateFloor: z.number().min(0).max(1).default(0),
  beta1: rate.default(0.9),
  beta2: rate.default(0.999),
  weightDecay: weight.default(0.01),
  /** 0 for no clipping. */
  clipNorm: weight.default(1),
  batching: z.enum(['packed', 'single']).default('packed'),
  /** Items of a history that the model sees, in training and evaluation. Default: the dataset's, or 20. */
  maxHistory: positive.optional(),
  trainFirstItem: z.boolean().default(true),
  /** Users of the validation sample that early stopping looks at; 0 for none: the last weights stay. */
  validationUsers: z.number().int().min(0).default(1000),
  /** Evaluations without a new best before the run ends; null for never. */
  patience: positive.nullable().default(5),
  /** Epochs between evaluations. */
  evaluateEvery: positive.default(1),
  checkpointEverySeconds: weight.default(60),
  /** A finished run of the same model whose weights to start from; {seed} stands for the seed. */
  initialWeights: z.string().optional(),
});

/** SASRec's own shape and training, for the method `sasrec` and for the reward; training fields left out are those of `training`. */
const sasrecSchema = z.strictObject({
  hiddenSize: positive.default(64),
  numHiddenLayers: positive.default(2),
  numAttentionHeads: positive.default(2),
  intermediateSize: positive.optional(),
  hiddenDropout: rate.default(0.3),
  attentionDropout: rate.default(0.3),
  tieItemEmbeddings: z.boolean().optional(),
  useRepeatBias: z.boolean().optional(),
  initializerRange: z.number().positive().optional(),
  training: partialWithoutDefaults(trainingSchema).default({}),
});

const evaluationSchema = z.strictObject({
  beamWidth: positive.default(20),
  renormalize: z.boolean().default(false),
  batchSize: positive.default(64),
  excludeSeen: z.boolean().default(false),
});

const trainConfigSchema = z.strictObject({
  /** Free text: what the file is for. */
  description: z.string().optional(),
  seed: z.number().int().default(0),
  model: modelSchema.prefault({}),
  items: itemsSchema.prefault({}),
  backbone: backboneSchema.prefault({}),
  method: methodSchema.prefault({}),
  sasrec: sasrecSchema.prefault({}),
  training: trainingSchema.prefault({}),
  evaluation: evaluationSchema.prefault({}),
});

/** A config as a file holds it: everything may be left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;
/** A config with every default filled in. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
export type TrainingConfig = TrainConfig['training'];
export type MethodConfig = TrainConfig['method'];

/**
 * Checks a config and fills in the defaults; unknown keys are refused.
 *
 * @param source the file's name, for errors.
 * @throws IlrecError that lists everything wrong with it.
 */
export function parseTrainConfig(value: unknown, source = 'config'): TrainConfig {
  const parsed = trainConfigSchema.superRefine(checkTogether).safeParse(value);
  if (!parsed.success)
    throw new IlrecError(
      `parseTrainConfig: ${source} must follow the config's rules:\n${z.prettifyError(parsed.error)}`,
    );
  return parsed.data;
}

/** Settings that only make sense together. */
function checkTogether({ items, backbone, training }: TrainConfig, context: z.RefinementCtx): void {
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
  const { pretrained, lora } = backbone;
  if (items.style === 'ids' && pretrained !== null)
    refuse(['backbone', 'pretrained'], 'needs items.style lc-rec or bigrec: a pretrained model reads text');
  if (lora !== null && pretrained === null)
    refuse(['backbone', 'lora'], 'needs backbone.pretrained: a model from nothing has to learn all of its weights');
  if (items.style !== 'ids' && training.initialWeights !== undefined)
    refuse(
      ['training', 'initialWeights'],
      "is for items.style ids; set backbone.pretrained to the other run's folder model",
    );
}

/** All fields optional, none filled in. */
function partialWithoutDefaults<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
): z.ZodObject<{ [K in keyof S]: z.ZodOptional<S[K]> }> {
  const bare = Object.entries(schema.shape).map(
    ([key, field]) => [key, (field instanceof z.ZodDefault ? field.unwrap() : field) as z.ZodType] as const,
  );
  return z.strictObject(
    Object.fromEntries(bare.map(([key, field]) => [key, field.optional()])),
  ) as unknown as z.ZodObject<{ [K in keyof S]: z.ZodOptional<S[K]> }>;
}
