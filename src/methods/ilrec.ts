import * as z from 'zod';
import { positive, weight } from '../config/fields';
import { futureTargetsSchema, restrictToSchema } from '../config/target_sections';
import { calledAs, IlrecError } from '../errors';
import { type Coefficient, ilrec, type IlrecOptions } from '../ilrec/ilrec';
import { readsLayers } from '../ilrec/ilrec_options';
import { meanScorer } from '../models/mean_scorer';
import { futureOf, nextItemsOf } from './future_section';
import { findTaps } from '../taps';
import { languageModelMethod, type ObjectiveContext } from './language_model';
import { restrictionOf } from './item_model';
import type { AskedModel, DiagnosticChart } from './method';
import { rewardNeed, rewardOfModels } from './reward_of_models';

const section = z.strictObject({
  numNegativeLayers: positive.default(4),
  /** Layers of the negatives in place of the last ones, counted down from the final layer: 1 is the one below it. */
  negativeLayers: z
    .array(positive)
    .min(1)
    .refine((layers) => new Set(layers).size === layers.length, { message: 'must name each layer once' })
    .nullable()
    .default(null),
  penaltyWeight: weight.default(0.1),
  penalty: z.enum(['scale', 'paper', 'additive']).default('scale'),
  thresholdScale: z.number().positive().default(1),
  thresholdReference: z.enum(['final', 'ensemble']).default('final'),
  /** Departures from the paper's negatives, for studies. */
  negatives: z
    .strictObject({
      /** Whose probabilities make the negatives: the intermediate layers', the final one's, or random tokens. */
      source: z.enum(['layers', 'final', 'random']).default('layers'),
      /** How many negatives of a position count at most, the likeliest; null for all. */
      maxCount: positive.nullable().default(null),
      /** Negatives weigh by their probability to this power; 0 the same for all. */
      exponent: z.number().min(0).default(1),
      /** What is never a negative: the user's next items, what the reward finds at least as likely as the label. */
      spare: z.array(z.enum(['future', 'reward'])).default([]),
    })
    .prefault({}),
  /** Weight of the mean cross-entropy of the intermediate layers. */
  deepSupervisionWeight: weight.default(0),
  distillationWeight: weight.default(0.1),
  /** Whether the distillation compares layers on item tokens only. */
  distillItemTokens: z.boolean().default(false),
  rewardWeight: weight.default(0.1),
  /**
   * The method behind the reward, one that scores items; null for no reward. It is trained first, unless `rewardRun`
   * names a finished run.
   */
  reward: z.string().nullable().default('sasrec'),
  /** A finished run of the same items to take as the reward; {seed} stands for the seed. */
  rewardRun: z.string().optional(),
  /** How many models of that method, trained with different seeds, the reward is the mean of. */
  rewardModels: positive.default(1),
  rewardTemperature: z.number().positive().default(1),
  /** Where the reward counts: on the negatives and the label, as in the paper, or everywhere. */
  rewardTargets: z.enum(['negatives', 'all']).default('negatives'),
  /** Items as tokens: how many of the reward's best items keep their mass. */
  rewardTopK: positive.default(50),
  /** The next items as further targets. */
  futureTargets: futureTargetsSchema(0),
  restrictTo: restrictToSchema,
  /** Factor of the epochs that a run chooses by its data; soft targets from a reward allow longer training. */
  epochsRatio: z.number().positive().default(1),
  /** Steps between looks at the negatives, which go into the log; null for none. */
  probeEvery: positive.nullable().default(null),
  /** Share of the run in which the three weights grow from 0 to their values. */
  weightWarmupRatio: z.number().min(0).max(1).default(0),
});

type Section = z.output<typeof section>;

/** ILRec (arXiv 2602.17410): self-hard negatives from intermediate layers, distillation, a collaborative reward. */
export const ilrecMethod = languageModelMethod({
  name: 'ilrec',
  title: 'ILRec',
  summary: 'a causal language model, fine-tuned with self-hard negatives from its intermediate layers',
  color: { light: '#1f5fd0', dark: '#7fb0ff' },
  order: 100,
  comparedByDefault: true,
  section,
  oldSectionKey: 'method',
  // chosen on validation users, see docs/results.md: of ILRec's terms only the reward helps a model of item tokens
  itemDefaults: {
    numNegativeLayers: 1,
    penaltyWeight: 0,
    distillationWeight: 0,
    reward: 'sft-future',
    rewardModels: 2,
    rewardWeight: 0.72,
    rewardTargets: 'all',
    futureTargets: { weight: 0.48 },
    epochsRatio: 1.5,
  },
  diagnostics: diagnosticCharts(),
  needs({ reward, rewardWeight, rewardRun, rewardModels, negatives }) {
    const isUsed = rewardWeight !== 0 || negatives.spare.includes('reward');
    if (!isUsed || (reward === null && rewardRun === undefined)) return [];
    return Array.from({ length: rewardModels }, (_, i) => rewardNeed(reward ?? 'sasrec', i));
  },
  numTappedLayers: (section) =>
    readsLayers({
      ...section,
      reward: section.rewardRun ?? section.reward,
      probe: section.probeEvery ?? undefined,
    })
      ? (section.negativeLayers?.length ?? section.numNegativeLayers)
      : 0,
  epochsRatio: ({ epochsRatio }) => epochsRatio,
  objective,
});

async function objective(context: ObjectiveContext<Section>): Promise<ReturnType<typeof ilrec>> {
  const { section, totalSteps, needs, itemSoftmax } = context;
  const { penalty, thresholdScale, thresholdReference, rewardTargets, deepSupervisionWeight } = section;
  const warmupSteps = Math.round(section.weightWarmupRatio * totalSteps);
  const warmed = (value: number): Coefficient =>
    value === 0 || warmupSteps === 0 ? value : (step) => value * Math.min(1, step / warmupSteps);
  const models = Object.values(needs);
  const reward = models.length === 0 ? null : await rewardOfModels('ilrec', context, models);
  return ilrec({
    ...negativeLayersOf(context),
    penalty,
    thresholdScale,
    thresholdReference,
    penaltyWeight: warmed(section.penaltyWeight),
    ...negativesOf(context),
    deepSupervisionWeight,
    ...probeOf(context, models),
    distillationWeight: warmed(section.distillationWeight),
    // where the tokens are items, CPD compares layers on items alone anyway
    ...(section.distillItemTokens && itemSoftmax === undefined
      ? { distillationTokens: context.code.responseTokens }
      : {}),
    ...(reward === null ? { rewardWeight: 0 } : { rewardWeight: warmed(section.rewardWeight), reward, rewardTargets }),
    ...(itemSoftmax === undefined ? {} : { itemSoftmax }),
    ...futureOf(context),
    ...restrictionOf(context),
  });
}

/** The layers that make the negatives: the last ones, or those that the section names. */
function negativeLayersOf({
  section: { numNegativeLayers, negativeLayers },
  model,
}: ObjectiveContext<Section>): Pick<IlrecOptions, 'numNegativeLayers' | 'taps'> {
  if (negativeLayers === null) return { numNegativeLayers };
  const { blocks } = calledAs('trainRun', () => findTaps(model));
  const deepest = Math.max(...negativeLayers);
  if (deepest >= blocks.length)
    throw new IlrecError(
      `trainRun: methods.ilrec.negativeLayers must be at most ${blocks.length - 1}, as the model has ${blocks.length} ` +
        `blocks, got ${deepest}`,
    );
  const tapped = [0, ...negativeLayers].map((layer) => blocks[blocks.length - 1 - layer]);
  return { numNegativeLayers: negativeLayers.length, taps: { blocks: (layer) => tapped.includes(layer) } };
}

/** A look at the negatives every so many steps; the reward's models say which of them may be right. */
function probeOf(
  { section: { probeEvery }, code: { trie, historyOf }, config, data }: ObjectiveContext<Section>,
  models: readonly AskedModel[],
): Pick<IlrecOptions, 'probe'> {
  if (probeEvery === null) return {};
  const scorers = models.flatMap(({ scorer }) => scorer ?? []);
  const scorer = scorers.length === 0 ? {} : { scorer: scorers.length === 1 ? scorers[0] : meanScorer(scorers) };
  const { maxHistory } = config.training;
  const text = historyOf === undefined ? {} : { historyOf, sequences: data.split.train, maxHistory };
  return { probe: { trie, every: probeEvery, ...scorer, ...text } };
}

/** The options of negatives that depart from the paper's, and the next items where these are spared alone. */
function negativesOf(context: ObjectiveContext<Section>): Pick<IlrecOptions, 'negatives' | 'futureTargets'> {
  const { negatives, futureTargets } = context.section;
  const { source, maxCount, exponent, spare } = negatives;
  if (source === 'layers' && maxCount === null && exponent === 1 && spare.length === 0) return {};
  const isSparedAlone = spare.includes('future') && futureTargets.weight === 0;
  return {
    negatives: { ...negatives, seed: context.config.seed },
    ...(isSparedAlone ? { futureTargets: nextItemsOf(context) } : {}),
  };
}

function diagnosticCharts(): DiagnosticChart[] {
  return [
    {
      title: 'Negatives per token',
      note: 'Tokens that the intermediate layers rank above the threshold: |N|, mean over response positions.',
      yLabel: 'tokens',
      lines: [{ name: '|N|', metric: 'numNegatives' }],
    },
    {
      title: 'Penalty mass',
      note: 'Probability that the final layer gives to the negatives. Near zero, the penalty does nothing.',
      yLabel: 'probability',
      lines: [{ name: 'mass', metric: 'penaltyMass' }],
    },
    {
      title: 'KL from the final layer to each intermediate layer',
      note: 'How far the predictions of each intermediate layer are from those of the final one.',
      yLabel: 'nats',
      perLayer: 'klPerLayer',
    },
    {
      title: 'Terms of the loss',
      note: 'Unweighted values. A term that stays at zero is switched off.',
      yLabel: 'nats',
      lines: [
        { name: 'CPO', metric: 'cpo' },
        { name: 'CPD', metric: 'cpd' },
        { name: 'CRR', metric: 'crr' },
        { name: 'cross-entropy', metric: 'crossEntropy' },
      ],
    },
  ];
}
