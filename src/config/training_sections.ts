import * as z from 'zod';
import { positive, rate, weight } from './fields';
import { askedSeenRule, SEEN } from './seen_rule';

/** Most items of a history where neither config nor dataset says. */
export const DEFAULT_MAX_HISTORY = 20;

export const trainingSchema = z.strictObject({
  /** Default: enough for the number of training rows, chosen when the run begins. */
  epochs: positive.optional(),
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
  /** Epochs between evaluations. Default 1 where `epochs` is given, else about 20 evaluations in the run. */
  evaluateEvery: positive.optional(),
  checkpointEverySeconds: weight.default(60),
  /** A finished run of the same model whose weights to start from; {seed} stands for the seed. */
  initialWeights: z.string().optional(),
});

/** Another model whose scores count in the lists of a language model. */
const fusionSchema = z
  .strictObject({
    /** The method of the other model, one that scores items; it is trained into the run. Or name a `run`. */
    method: z.string().optional(),
    /** A finished run of the same items; {seed} stands for the seed. It must stay where it is. */
    run: z.string().optional(),
    /**
     * For lists by beam search: `d3` mixes the models at each token, `scores` ranks what the search has found by both.
     */
    kind: z.enum(['d3', 'scores']).default('scores'),
    /** g, weight of the language model; `auto` chooses it on the validation users when training ends. */
    weight: z.union([z.literal('auto'), z.number().min(0).max(1)]).default('auto'),
  })
  .refine(({ method, run }) => (method === undefined) !== (run === undefined), {
    message: 'must have either method or run',
  });

export const evaluationSchema = z
  .strictObject({
    /** items.style items: beta of z + beta (z - z'), away from the scores of the layer before the last. */
    layerContrast: z.number().default(0),
    beamWidth: positive.default(20),
    renormalize: z.boolean().default(false),
    /** Another model beside a language model; null for none. Other methods ignore it. */
    fusion: fusionSchema.nullable().default(null),
    batchSize: positive.default(64),
    /**
     * Whether lists may hold items of the history, for every method and in validation. `auto`, the default, becomes
     * `exclude` where at most 0.2 % of the training interactions repeat an earlier item of the same user, else `allow`.
     */
    seen: z.enum(SEEN).optional(),
    /** What `seen` was before 0.2: true for `exclude`, false for `allow`. */
    excludeSeen: z.boolean().optional(),
  })
  .transform(({ seen, excludeSeen, ...evaluation }, context) => {
    const refuse = (option: string, message: string): never => {
      context.addIssue({ code: 'custom', path: [option], message });
      return z.NEVER;
    };
    return { ...evaluation, seen: askedSeenRule({ seen, excludeSeen }, refuse) };
  });
