import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { splitData } from '../../src/data/split_data';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { loadPrepared } from '../../src/preparation/prepared_folder_node';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { runFiles } from '../../src/runs/method_files';
import { type LogLine, readLog } from '../../src/runs/run_log';
import { isRun, needFolder, runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { writeSmallShop } from '../support/small_shop';

const model = { hiddenSize: 8, numHiddenLayers: 1 }; // with dropout, which is off where preferences are learned
const training = { epochs: 2, batchSize: 16, maxHistory: 6, validationUsers: 10, checkpointEverySeconds: 0 };
const sasrec = { hiddenSize: 8, numHiddenLayers: 1 };
const small: TrainConfigInput = { model, training, evaluation: { beamWidth: 5 }, methods: { sasrec } };
const ids: TrainConfigInput = {
  ...small,
  items: { style: 'ids' },
  training: { ...training, batchSize: 32, epochs: 1 },
};

describe('methods of preference learning', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users
  });

  async function run(
    method: MethodName,
    { name = method, ...options }: { name?: string } & Partial<TrainRunOptions> = {},
  ): Promise<TrainRunResult> {
    return await trainRun({ data, out: join(folder.path, name), method, config: small, ...options });
  }

  it('start from SFT of the same seed, where the loss is log 2 or log G, and learn', async () => {
    const tensorsBefore = tf.memory().numTensors;
    const cases = [
      ['dpo', Math.log(2)],
      ['sdpo', Math.log(4)],
      ['rosepo', Math.log(2)],
    ] as const;
    const { run: start } = await run('sft');
    for (const [method, begins] of cases) {
      const { run: out, manifest } = await run(method, {
        config: { ...small, methods: { sasrec, [method]: { startRun: start, learningRateRatio: 5 } } },
      });
      expect(manifest.validation?.baselines).to.include.keys('sft');
      const steps = await stepsOf(out);
      expect(steps[0].loss, method).to.be.closeTo(begins, 1e-5);
      expect(steps[0]).to.have.property('rewardMargin').that.is.closeTo(0, 1e-5);
      expect(steps[steps.length - 1].loss).to.be.below(begins);
      expect(steps[steps.length - 1])
        .to.have.property('rewardMargin')
        .that.is.above(0);
      expect((await evaluateRun({ run: out })).users).to.equal(30);
    }
    expect(tf.memory().numTensors).to.equal(tensorsBefore);
  });

  it('end with the same weights after an interruption, in whatever epoch', async () => {
    const cases: [MethodName, TrainConfigInput, number][] = [
      ['dpo', small, 3],
      ['rosepo', ids, 2],
      ['sprec', small, 3], // in the first epoch of DPO
      ['sprec', ids, 5],
      ['grpo', small, 3],
      ['grpo', ids, 3],
    ];
    for (const [method, config, at] of cases) {
      const name = `${method} ${config.items?.style ?? 'items'}`;
      const start = join(folder.path, `start ${name}`);
      await trainRun({ data, out: start, method: 'sft', config });
      const settings = { ...config, methods: { sasrec, [method]: { startRun: start, ...quick(method) } } };
      const whole = await run(method, { name: `whole ${name}`, config: settings });
      const controller = new AbortController();
      const first = await run(method, {
        name,
        config: settings,
        signal: controller.signal,
        callbacks: (label) => [
          { onStep: ({ step }) => (label === method && step === at ? controller.abort() : undefined) },
        ],
      });
      expect(first.manifest, name).to.include({ status: 'interrupted', steps: at });
      const { manifest } = await run(method, { name, config: settings, resume: true });
      expect(manifest).to.include({ status: 'done', steps: whole.manifest.steps });
      expect(await weightsOf(first.run), name).to.deep.equal(await weightsOf(whole.run));
    }
  });

  it('continue an adapted checkpoint with a new adapter on the merged one, also after an interruption', async () => {
    const { itemIds } = await trainingPart(data);
    const pairs = join(folder.path, 'pairs.jsonl');
    const lines = Array.from({ length: 9 }, (_, i) => ({
      history: [itemIds[i], itemIds[i + 1]],
      chosen: itemIds[i + 2],
      rejected: [itemIds[i + 3]],
    }));
    await writeFile(pairs, lines.map((line) => JSON.stringify(line)).join('\n'));
    const config: TrainConfigInput = {
      items: { style: 'lc-rec', maxPromptTokens: 90, maxTitleTokens: 8 },
      backbone: {
        pretrained: 'spec/golden/checkpoints/smollm2',
        lora: { rank: 2, targets: ['q_proj', 'v_proj'], trainModules: ['embed_tokens'], dropout: 0.1 },
      },
      training: { epochs: 1, batchSize: 8, maxHistory: 3, validationUsers: 0, checkpointEverySeconds: 0 },
    };
    const start = join(folder.path, 'start');
    await trainRun({
      data,
      out: start,
      method: 'sft',
      config: { ...config, training: { ...config.training, batchSize: 64 } },
    });
    const settings = { ...config, methods: { dpo: { pairs, startRun: start, learningRateRatio: 5 } } };
    const whole = await run('dpo', { name: 'whole', config: settings });
    const steps = await stepsOf(whole.run);
    expect(steps).to.have.length(3);
    expect(steps[0].loss).to.be.closeTo(Math.log(2), 1e-4);
    const controller = new AbortController();
    const callbacks: TrainRunOptions['callbacks'] = () => [
      { onStep: ({ step }) => (step === 2 ? controller.abort() : undefined) },
    ];
    const cut = await run('dpo', { config: settings, signal: controller.signal, callbacks });
    expect(cut.manifest.status).to.equal('interrupted');
    await run('dpo', { config: settings, resume: true });
    const [ended, begun] = [await weightsOf(whole.run), await weightsOf(start)];
    expect(await weightsOf(cut.run)).to.deep.equal(ended);
    expect(ended).to.not.deep.equal(begun);
  });

  it('ask the reference once: a run that is resumed reads what it said', async () => {
    const controller = new AbortController();
    const { run: out } = await run('sdpo', {
      signal: controller.signal,
      callbacks: (label) => [{ onStep: () => (label === 'sdpo' ? controller.abort() : undefined) }],
    });
    const files = runFiles(out);
    const kept = await files.readTensors('pairs.safetensors');
    const rejected = kept?.get('rejected')?.data as Int32Array;
    expect(kept?.get('rejected')?.shape[1]).to.equal(3);
    await files.writeTensors(
      'pairs.safetensors',
      new Map([...(kept ?? []), ['reference', { shape: [4], data: new Float32Array(4) }]]),
    );
    expect(await messageOf(run('sdpo', { resume: true }))).to.equal(
      `itemPairs: known must be the table of these batches, ${rejected.length / 3} examples, got 1`,
    );
  });

  it('share the SFT run of a comparison', async () => {
    const trained: string[] = [];
    const options = {
      data,
      out: join(folder.path, 'compared'),
      config: { ...small, training: { ...training, epochs: 1 }, methods: { sasrec, sprec: { rounds: 1 } } },
      methods: ['sprec', 'rosepo', 'sdpo', 'dpo', 'sasrec', 'sft'] as const,
      callbacks: (label: string) => [{ onTrainBegin: () => void trained.push(label) }],
    };
    const { methods } = await compareMethods(options);
    expect(trained).to.deep.equal(['sasrec', 'sft', 'dpo', 'sdpo', 'rosepo', 'sprec']);
    expect(methods.map(({ title }) => title)).to.deep.equal(['SASRec', 'SFT', 'DPO', 'S-DPO', 'RosePO', 'SPRec']);
    await compareMethods(options);
    expect(trained).to.have.length(6);
  });

  it('train the run to start from where none is named, and the one that says what to reject', async () => {
    const trained: string[] = [];
    const { run: out } = await run('dpo', {
      config: { ...small, methods: { sasrec, dpo: { negatives: 'model', start: 'sft-future' } } },
      callbacks: (label) => [{ onTrainBegin: () => void trained.push(label) }],
    });
    expect(trained).to.deep.equal(['start', 'negatives', 'dpo']);
    expect([needFolder(out, 'start'), needFolder(out, 'negatives')].map(isRun)).to.deep.equal([true, true]);
  });

  it('reject what each rule says', async () => {
    const whole = { ...small, training: { ...training, epochs: 1, maxHistory: 50, validationUsers: 0 } }; // a user is a row
    const { run: start } = await run('sft', { config: whole });
    const { run: other } = await run('sasrec', { config: whole });
    const { split, itemIds } = await trainingPart(data);
    const rejectedBy = async (negatives: string): Promise<Int32Array> => {
      const dpo = { startRun: start, negatives, negativesRun: other, numNegatives: 2 } as const;
      const { run: out } = await run('dpo', {
        name: negatives,
        config: { ...whole, methods: { sasrec, dpo } as never },
      });
      return (await runFiles(out).readTensors('pairs.safetensors'))?.get('rejected')?.data as Int32Array;
    };
    const counts = new Float64Array(itemIds.length);
    for (const sequence of split) for (const item of sequence) counts[item]++;
    const meanCount = (items: Int32Array): number => items.reduce((sum, item) => sum + counts[item], 0) / items.length;
    const [uniform, popular, model, beams] = [
      await rejectedBy('uniform'),
      await rejectedBy('popularity'),
      await rejectedBy('model'),
      await rejectedBy('beams'),
    ];
    expect(meanCount(popular)).to.be.above(1.2 * meanCount(uniform));
    expect(model).to.not.deep.equal(beams);
    for (const [rejected, from] of [
      [model, other],
      [beams, start],
    ] as const) {
      // the first row of the first batch has the start token alone at its first position
      const { scorer, dispose } = await loadRun(from);
      const scores = scorer?.score([[]]) as tf.Tensor2D;
      const ranked = Array.from(tf.tidy(() => tf.topk(scores, 3).indices.dataSync()));
      scores.dispose();
      dispose();
      expect(ranked).to.include.members([...rejected.slice(0, 2)]);
    }
  });

  it("take pairs of one's own, by history or by user", async () => {
    const { itemIds, userIds, split } = await trainingPart(data);
    const file = join(folder.path, 'pairs.jsonl');
    const [user, last] = [3, split[3].length - 1];
    const chosen = split[user][last];
    const others = itemIds.filter((_, item) => !split[user].includes(item)).slice(0, 2);
    const lines = [
      { history: [itemIds[5], itemIds[6]], chosen: itemIds[7], rejected: [itemIds[8], itemIds[9]] },
      { user: userIds[user], chosen: itemIds[chosen], rejected: others },
    ];
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n') + '\n');
    for (const config of [small, ids]) {
      const { manifest, run: out } = await run('dpo', {
        name: config.items?.style ?? 'items',
        config: { ...config, methods: { sasrec, dpo: { pairs: file, numNegatives: 2 } } },
      });
      expect(manifest.stepsPerEpoch).to.equal(1);
      expect((await stepsOf(out))[0].loss).to.be.closeTo(Math.log(2), 1e-5);
      const rejected = (await runFiles(out).readTensors('pairs.safetensors'))?.get('rejected')?.data as Int32Array;
      expect([...rejected].map((item) => itemIds[item])).to.have.members([itemIds[8], itemIds[9], ...others]);
    }
  });

  it('refuse a file of pairs that is wrong, with the number of the line', async () => {
    const { itemIds, userIds } = await trainingPart(data);
    const file = join(folder.path, 'pairs.jsonl');
    const [a, b, c] = itemIds;
    const good = { history: [a], chosen: b, rejected: [c] };
    const wrong: [unknown, string][] = [
      ['{', 'hold one JSON object a line, got "{" in line 2'],
      [{ ...good, chosen: 'x' }, 'name items of the dataset, got x in line 2'],
      [{ ...good, rejected: undefined }, 'hold rejected, a list, got none in line 2'],
      [{ ...good, rejected: [] }, 'reject at least numNegatives 1 items for each chosen one, got [] in line 2'],
      [{ ...good, rejected: [b] }, `reject other items than the chosen one, got ${b} in line 2`],
      [{ ...good, user: userIds[0] }, 'hold either history, a list, or user, got'],
      [{ user: 'nobody', chosen: b, rejected: [c] }, 'name users of the dataset, got nobody in line 2'],
      [good, `reject all items in one line where history and chosen item are those of line 1, got ${b} in line 2`],
    ];
    const config = { ...small, methods: { dpo: { pairs: file } } };
    for (const [line, message] of wrong) {
      await writeFile(file, [good, line].map((one) => JSON.stringify(one)).join('\n'));
      expect(await messageOf(run('dpo', { config }))).to.include(`trainRun: methods.dpo.pairs must ${message}`);
    }
    await writeFile(file, '\n');
    expect(await messageOf(run('dpo', { config }))).to.equal(
      `trainRun: methods.dpo.pairs must hold at least one pair, got none in ${file}`,
    );
    expect(await messageOf(run('dpo', { config: { ...small, methods: { dpo: { pairs: 'nowhere' } } } }))).to.equal(
      'trainRun: methods.dpo.pairs must be a file that can be read, got nowhere; check the path',
    );
  });

  it('train GRPO on semantic ids and on titles, in groups that no other than catalogue items are in', async () => {
    const styles: TrainConfigInput[] = [
      ids,
      { ...ids, items: { style: 'lc-rec', vocabSize: 320 } },
      { ...ids, items: { style: 'bigrec', vocabSize: 320 } },
    ];
    for (const config of styles) {
      const { style } = config.items as { style: string };
      const { run: start } = await run('sft', { name: `start ${style}`, config });
      const methods = { grpo: { startRun: start, groupSize: 8, restrictTo: 'validItems' as const } };
      const tensorsBefore = tf.memory().numTensors;
      const { run: out } = await run('grpo', {
        name: style,
        config: { ...config, methods },
      });
      expect(tf.memory().numTensors, style).to.equal(tensorsBefore);
      const steps = await stepsOf(out);
      expect(steps[0].kl, style).to.be.closeTo(0, 1e-5);
      expect(steps[steps.length - 1].kl).to.be.above(0);
      expect(steps.some(({ hitRatio }) => (hitRatio as number) > 0)).to.equal(true);
      expect((await evaluateRun({ run: out })).invalidItems).to.equal(0);
    }
  });

  it('refuse a start of another shape, and options out of range, in one sentence', async () => {
    const { run: start } = await run('sft', { config: { ...small, model: { ...model, hiddenSize: 4 } } });
    const config = { ...small, methods: { dpo: { startRun: start } } };
    expect(await messageOf(run('dpo', { config }))).to.match(
      /^trainRun: the run to start from must have the weights of the model, .* \[41, 8\], got .* \[41, 4\]; use a run/,
    );
    const { run: other } = await run('sasrec');
    expect(await messageOf(run('dpo', { config: { ...small, methods: { dpo: { startRun: other } } } }))).to.match(
      /^trainRun: startRun must be a run of ilrec, sft, .*, got sasrec at /,
    );
    const wrong = { ...small, methods: { sdpo: { numNegatives: 20 } } };
    expect(await messageOf(run('sdpo', { config: wrong }))).to.match(/methods\.sdpo\.numNegatives/);
    const unknown = { ...small, methods: { rosepo: { oracle: 'bert' } } };
    expect(await messageOf(run('rosepo', { config: unknown }))).to.match(
      /must be one of .*, got bert\n.*rosepo\.oracle/,
    );
  });
});

/** Fewer rounds, and steps that are large enough to tell runs apart. */
function quick(method: MethodName): object {
  return {
    learningRateRatio: 1,
    ...(method.startsWith('sp') ? { rounds: 2 } : {}),
    ...(method === 'grpo' ? { groups: 'sample', groupSize: 8 } : {}),
  };
}

async function trainingPart(data: string): Promise<{ itemIds: string[]; userIds: string[]; split: Int32Array[] }> {
  const prepared = await loadPrepared(data);
  return { itemIds: prepared.itemIds, userIds: prepared.userIds, split: splitData(prepared).train };
}

async function stepsOf(out: string): Promise<Extract<LogLine, { kind: 'step' }>[]> {
  return (await readLog(runPaths(out).log)).filter((line) => line.kind === 'step');
}

async function weightsOf(out: string): Promise<number[]> {
  const { languageModel, dispose } = await loadRun(out);
  const values = languageModel?.getWeights().flatMap((weight) => Array.from(weight.dataSync())) ?? [];
  dispose();
  return values;
}
