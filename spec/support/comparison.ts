import type { EvaluationProtocol } from '../../src/evaluation/protocol';
import { findMethod, type MethodName } from '../../src/methods/registry';
import { parseTrainConfig } from '../../src/methods/train_config';
import { type ComparedMethod, type ComparedPair, type Comparison, TABLE_METRICS } from '../../src/runs/comparison';
import type { RunManifest } from '../../src/runs/manifest';
import type { LogLine } from '../../src/runs/run_log';

/** A comparison of SFT and ILRec without a difference; no run lies behind it. */
export function madeComparison(changes: Partial<Comparison> = {}): Comparison {
  const protocol: EvaluationProtocol = {
    split: 'test',
    holdOut: 'leave-one-out',
    ranking: 'beam search',
    numItems: 5,
    beamWidth: 20,
    renormalize: false,
    listLength: 20,
    maxHistory: 6,
    excludeSeen: false,
    tieRule: 'none',
    users: 9,
    usersTotal: 9,
    userSeed: null,
    bootstrap: { resamples: 10, seed: 0, level: 0.95 },
  };
  const ci95 = [0.05, 0.15] as const;
  const inSlice = [
    { method: 'sft', mean: 0.1, ci95 },
    { method: 'ilrec', mean: 0.1, ci95 },
  ];
  return {
    data: { folder: '/x', name: 'shop', checksum: 'c', users: 9, items: 5, interactions: 70 },
    backend: 'wasm',
    seeds: [0],
    users: 9,
    rows: 9,
    config: parseTrainConfig({}),
    protocols: { sft: protocol, ilrec: protocol },
    methods: [madeMethod('sft'), madeMethod('ilrec')],
    pairs: [madePair()],
    slices: [
      { by: 'history', low: 3, high: 5, users: 4, rows: 4, methods: inSlice },
      { by: 'history', low: 6, high: 6, users: 5, rows: 5, methods: inSlice },
      { by: 'popularity', low: 1, high: 9, users: 9, rows: 9, methods: inSlice },
    ],
    budgets: {
      steps: 2,
      seconds: 3,
      methods: [
        { method: 'sft', atSteps: 0.1, atSeconds: 0.1 },
        { method: 'ilrec', atSteps: 0.12, atSeconds: null },
      ],
    },
    secondsOf: 'steps',
    seconds: 3,
    ...changes,
  };
}

/** ILRec against SFT, equal. */
export function madePair(changes: Partial<ComparedPair> = {}): ComparedPair {
  return {
    a: 'ilrec',
    b: 'sft',
    metric: 'ndcg@10',
    difference: 0,
    ci95: [-0.1, 0.1],
    pValue: 1,
    adjustedPValue: 1,
    meanA: 0.1,
    meanB: 0.1,
    users: 9,
    rows: 9,
    seedsA: 1,
    seedsB: 1,
    protocol: '',
    ...changes,
  };
}

/** A method with one run of two steps and two validations. @param value of every metric. */
export function madeMethod(method: MethodName, value = 0.1): ComparedMethod {
  const metrics = Object.fromEntries(TABLE_METRICS.map((name) => [name, value])) as ComparedMethod['mean'];
  const ci95 = Object.fromEntries(
    TABLE_METRICS.map((name) => [name, [value - 0.05, value + 0.05]]),
  ) as unknown as ComparedMethod['ci95'];
  const manifest: RunManifest = {
    kind: 'tfjs-ilrec run',
    version: 1,
    method,
    status: 'done',
    seed: 0,
    backend: 'wasm',
    versions: {},
    data: { folder: '', name: '', checksum: '', users: 9, items: 5, interactions: 70 },
    parameters: 10,
    steps: 2,
    stepsPerEpoch: 1,
    seconds: 1,
    startedAt: '',
    validation: { users: 4, bestStep: 1, best: { step: 1, epochs: 1, metrics: { 'ndcg@10': 0.1 } } },
  };
  const step = (number: number): LogLine => ({
    kind: 'step',
    step: number,
    epoch: number - 1,
    loss: 2,
    learningRate: 1,
    tokensPerSecond: 8,
    numTokens: 4,
    numResponseTokens: 2,
    seconds: number / 2,
    crossEntropy: 2,
    cpo: 2,
    cpd: 0.1,
    crr: 0,
    numNegatives: 3,
    penaltyMass: 0.2,
    klPerLayer: [0.3, 0.1],
  });
  const log: LogLine[] = [
    step(1),
    { kind: 'evaluation', step: 1, epoch: 0, 'ndcg@10': 0.1, seconds: 0.5 },
    step(2),
    { kind: 'evaluation', step: 2, epoch: 1, 'ndcg@10': 0.09, seconds: 1 },
  ];
  const { title, color, kind, diagnostics } = findMethod(method);
  const rates = { secondsPerEpoch: 0.5, tokensPerSecond: 8, responseTokensPerSecond: 4, peakMemory: 3 * 2 ** 20 };
  const cost = { seconds: 1, needSeconds: method === 'ilrec' ? 2 : 0, ...rates };
  const validation = [
    { step: 1, seconds: 0.5, 'ndcg@10': 0.1 },
    { step: 2, seconds: 1, 'ndcg@10': 0.09 },
  ];
  return {
    method,
    title,
    color,
    kind,
    diagnostics,
    runs: [{ seed: 0, run: 'r', manifest, metrics, log, cost: { ...cost, epochs: 2 }, validation }],
    mean: metrics,
    ci95,
    invalidItems: 0,
    cost: { ...cost, epochOverSft: 1.25, epochWithNeedsOverSft: 3.5 },
    lists: { coverage: 0.8, gini: 0.45, top3Share: 0.75, popular10Share: 0.25 },
  };
}
