import './src/register';
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from './src/backends/use_backend_node';
import { demoCatalogue } from './src/data/demo_catalogue';
import { prepareInteractions } from './src/data/prepare';
import { trainingData, resolveConfig } from './src/training/training_data';
import { parseTrainConfig } from './src/config/train_config';
import { languageModelArm, sasrecArm } from './src/training/arms';
import { trainModel } from './src/training/train_model';
import { AdamW } from './src/training/adamw';
import { validate } from './src/training/validation';
await useBackend("wasm");
const variants = JSON.parse(process.argv[2]) as { name: string; method?: string; levels?: number; codebookSize?: number; config: object }[];
for (const { name, method = 'sft', levels = 2, codebookSize = 32, config: c } of variants) {
  const prepared = prepareInteractions(demoCatalogue({}), { levels, codebookSize });
  const config = resolveConfig(parseTrainConfig(c), prepared);
  const data = trainingData(prepared);
  const arm = method === 'sasrec' ? sasrecArm(config, data) : languageModelArm(config, data, { terms: method !== 'sft', reward: null });
  const { training } = arm;
  const total = training.epochs * arm.batches.stepsPerEpoch;
  const out: string[] = [];
  const t = performance.now();
  let tokens = 0;
  for (const b of arm.batches.batchesOf(0)) tokens += b.batchSize * b.sequenceLength;
  await trainModel({ model: arm.model, method: arm.method, optimizer: new AdamW({ learningRate: { kind: training.schedule, learningRate: training.learningRate, warmupSteps: training.warmupRatio * total, totalSteps: total }, clipNorm: 1, weightDecay: training.weightDecay, beta2: training.beta2 }), batches: arm.batches, epochs: training.epochs, callbacks: [{ onEpochEnd: async (s) => { if ((s.epoch + 1) % 3 === 0 || s.epoch + 1 === training.epochs) out.push(`${s.epoch + 1}:${(await validate(arm.recommender, config, 1000, data))['ndcg@10'].toFixed(4)}`); } }] });
  console.log(name, 'params', arm.model.countParams(), 'padded tokens/epoch', tokens, 'steps', total, out.join(' '), ((performance.now() - t) / 1000).toFixed(0), 's', prepared.report.semanticIds.codesUsed.join());
  arm.model.dispose();
}
process.exit(0);
