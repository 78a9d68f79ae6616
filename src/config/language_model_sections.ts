import * as z from 'zod';
import { positive, rate } from './fields';

/** The decoder, in the fields of `causalLM`; what is left out keeps its default there. */
export const modelSchema = z.strictObject({
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
export const itemsSchema = z.strictObject({
  /**
   * `items`: a token for each item. `ids`: a vocabulary of semantic-id tokens alone. `lc-rec`: these tokens amid text.
   * `bigrec`: the items' titles. `auto`: `items` for catalogues of up to 200,000 items, else `ids`.
   */
  style: z.enum(['auto', 'items', 'ids', 'lc-rec', 'bigrec']).default('auto'),
  /** items: whether items with common semantic-id codes share rows of the embedding, or each has a row alone. */
  codes: z.enum(['semantic-ids', 'none']).default('semantic-ids'),
  /** items: lengths of semantic-id prefixes that have rows of their own. Default [2]. */
  nodeDepths: z.array(z.number().int().min(2)).optional(),
  /**
   * items: how many items a batch draws for its softmax; null for all. Catalogues of up to twice as many are always
   * scored whole.
   */
  sampledItems: positive.nullable().default(1500),
  /** lc-rec and bigrec: a file of prompt templates; null for the package's own. */
  prompts: z.string().nullable().default(null),
  /** Tokens of a prompt; a history loses its oldest items until it fits. null for no limit. */
  maxPromptTokens: positive.nullable().default(null),
  /** Tokens of a title; the rest is cut off. null for no limit. */
  maxTitleTokens: positive.nullable().default(null),
  /** bigrec: what becomes of items without a title: an error, or their id as the title. */
  untitled: z.enum(['refuse', 'id']).default('refuse'),
  /**
   * lc-rec: what the rows of new tokens start from: the titles of the items that carry the token, or the mean of those
   * over the level.
   */
  newRows: z.enum(['titles', 'level']).default('titles'),
  /**
   * Tokens of the byte-level BPE that is trained on titles and prompts where there is no pretrained backbone; at least
   * 257.
   */
  vocabSize: z.number().int().min(257).default(2048),
});

/** A pretrained checkpoint in place of the section `model`, for lc-rec and bigrec. */
export const backboneSchema = z.strictObject({
  /** A folder, a hub id or a URL; {seed} stands for the seed. null for a model of section `model`, from scratch. */
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
      /**
       * Layers that are trained whole. Default for lc-rec those with rows for new item tokens, the embedding and an
       * untied head; else none.
       */
      trainModules: z.array(z.string()).optional(),
    })
    .nullable()
    .default(null),
  /** Computes the blocks' inner values again for their gradients: less memory, more time. */
  gradientCheckpointing: z.boolean().default(false),
});
