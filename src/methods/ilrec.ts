import * as z from 'zod';
import { positive, weight } from '../config/fields';
import { IlrecError } from '../errors';
import { type Coefficient, ilrec } from '../ilrec/ilrec';
import { trieReward } from '../rewards/trie_reward';
import { languageModelMethod, type ObjectiveContext } from './language_model';
import type { DiagnosticChart } from './method';

const section = z.strictObject({
  numNegativeLayers: positive.default(4),
  penaltyWeight: weight.default(0.1),
  penalty: z.enum(['scale', 'paper', 'additive']).default('scale'),
  thresholdScale: z.number().positive().default(1),
  thresholdReference: z.enum(['final', 'ensemble']).default('final'),
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
  rewardTemperature: z.number().positive().default(1),
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
  diagnostics: diagnosticCharts(),
  needs({ reward, rewardWeight, rewardRun }) {
    if (rewardWeight === 0 || (reward === null && rewardRun === undefined)) return [];
    const method = reward ?? 'sasrec';
    return [{ role: 'reward', method, kinds: ['counts', 'item-scorer'], methodField: 'reward', runField: 'rewardRun' }];
  },
  numTappedLayers: ({ numNegativeLayers }) => numNegativeLayers,
  objective,
});

function objective({ section, code, totalSteps, needs }: ObjectiveContext<Section>): ReturnType<typeof ilrec> {
  const {
    distillItemTokens,
    reward: _,
    rewardRun,
    rewardTemperature,
    weightWarmupRatio,
    rewardWeight,
    ...options
  } = section;
  const warmupSteps = Math.round(weightWarmupRatio * totalSteps);
  const warmed = (value: number): Coefficient =>
    value === 0 || warmupSteps === 0 ? value : (step) => value * Math.min(1, step / warmupSteps);
  const scorer = needs.reward === undefined ? null : needs.reward.scorer;
  if (needs.reward !== undefined && scorer === null)
    throw new IlrecError(
      `trainRun: methods.ilrec.rewardRun must be a run of a method that scores items, got ${rewardRun}; train ` +
        'one with `ilrec train --method sasrec`',
    );
  const { trie, responseTokens, historyOf } = code;
  return ilrec({
    ...options,
    penaltyWeight: warmed(options.penaltyWeight),
    distillationWeight: warmed(options.distillationWeight),
    ...(distillItemTokens ? { distillationTokens: responseTokens } : {}),
    ...(scorer === null
      ? { rewardWeight: 0 }
      : {
          rewardWeight: warmed(rewardWeight),
          reward: trieReward({ scorer, trie, temperature: rewardTemperature, historyOf }),
        }),
  });
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
      note: 'Layers are counted from the final one. Falling lines: the distillation works.',
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
