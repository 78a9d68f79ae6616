import * as tf from '@tensorflow/tfjs-core';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { prepareInteractions } from '../../src/preparation/prepare';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { SemanticIdTokenizer } from '../../src/tokenizers/semantic_id_tokenizer';
import { AdamW } from '../../src/optimizers/adamw';
import { toTensors } from '../../src/training/batch_dataset';
import { createBatches } from '../../src/training/batches';
import { layerCases } from './layer_cases';
import { lossCases } from './loss_cases';
import type { ParityCase, PlatformRun } from './parity_case';
import { trainingCases } from './training_cases';

export const parityCases: readonly ParityCase[] = [...lossCases, ...layerCases, ...trainingCases];

/**
 * Computes every case on the current backend.
 * @param timed whether to time the demo's model too, which takes minutes on a slow platform.
 */
export async function runCases(timed: boolean): Promise<PlatformRun> {
  const numbers: Record<string, number[]> = {};
  const errors: Record<string, string> = {};
  for (const { name, compute } of parityCases) {
    try {
      numbers[name] = await compute();
    } catch (error) {
      errors[name] = String(error instanceof Error ? error.message : error).split('\n')[0];
    }
  }
  return { numbers, errors, stepsPerSecond: timed ? await stepsPerSecond() : null };
}

/** Steps per second of ILRec on a model and batches of the demo's sizes; the first step is not counted. */
async function stepsPerSecond(seconds = 3): Promise<number> {
  const { semanticIds, sequences } = prepareInteractions(
    demoCatalogue({ numItems: 400, numUsers: 600 }),
    { levels: 2, codebookSize: 32 },
    'generated',
  );
  const { vocabSize, itemTokens } = SemanticIdTokenizer.fromSemanticIds(semanticIds);
  const model = causalLM({
    vocabSize,
    hiddenSize: 64,
    numHiddenLayers: 3,
    numAttentionHeads: 4,
    hiddenDropout: 0.1,
    embeddingDropout: 0.1,
  });
  const method = ilrec({ numNegativeLayers: 2 });
  model.compile({
    optimizer: new AdamW({ learningRate: 3e-3, clipNorm: 1 }),
    loss: method.loss,
    metrics: method.metrics,
  });
  method.attach(model);
  const batches = createBatches({ sequences, itemTokens, batchSize: 32, maxHistory: 12, bucketTokens: 1000 }); // one length
  let steps = 0;
  let start = performance.now();
  for (const batch of batches.batchesOf(0)) {
    const { xs, ys } = toTensors(batch) as { xs: tf.Tensor; ys: tf.Tensor };
    await model.trainOnBatch(xs, ys); // reads the loss, so the step is done
    tf.dispose([xs, ys]);
    steps++;
    if (steps === 1) start = performance.now();
    if (steps > 1 && performance.now() - start > 1000 * seconds) break;
  }
  const rate = (steps - 1) / ((performance.now() - start) / 1000);
  method.detach();
  model.dispose();
  return rate;
}
