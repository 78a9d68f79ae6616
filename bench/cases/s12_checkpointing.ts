import * as tf from '@tensorflow/tfjs-core';
import { gradientCheckpointing, ilrec } from 'tfjs-ilrec';
import { peakBytes } from '../../spec/support/peak_memory';
import { disposeModel } from '../../src/models/dispose_model';
import { type BenchCase, ceiling, paired, row } from '../harness';
import { benchModel, randomBatch, relativeDifference } from '../models';

const [B, T, D, L, V, RESPONSE] = [4, 128, 128, 12, 2000, 20];
const SETTING = `L ${L}, D ${D}, T ${T}, B ${B}, V ${V}, ILRec with k 4`;

export const benchCase: BenchCase = {
  names: ['S12'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const batch = randomBatch(V, { batchSize: B, sequenceLength: T, response: RESPONSE });
    const sides = [true, false].map((checkpointed) => {
      const model = benchModel({ vocabSize: V, hiddenSize: D, numHiddenLayers: L });
      if (checkpointed) gradientCheckpointing(model);
      const method = ilrec();
      method.attach(model);
      const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
      const gradients = (): { value: tf.Scalar; grads: tf.NamedTensorMap } =>
        tf.variableGrads(() => method.lossOf(batch.ids, batch.labels), variables);
      const step = (): void => {
        const { value, grads } = gradients();
        value.dataSync();
        tf.dispose([value, grads]);
      };
      const read = (): Float32Array[] => {
        const { value, grads } = gradients();
        const arrays = variables.map(({ name }) => grads[name].dataSync<'float32'>());
        tf.dispose([value, grads]);
        return arrays;
      };
      return { model, method, step, read };
    });
    const [ours, other] = sides;
    // the first pass also looks whether each block repeats its values
    const error = relativeDifference(ours.read(), other.read());
    const times = await paired(ours.step, other.step);
    const [ourPeak, otherPeak] = [peakBytes(ours.step), peakBytes(other.step)];
    for (const { model, method } of sides) {
      method.detach();
      disposeModel(model);
    }
    const shared = { name: 'S12', setting: SETTING, backend, error } as const;
    return [
      row({
        ...shared,
        what: 'peak of loss and gradients with checkpointing / without',
        ours: ourPeak,
        other: otherPeak,
        unit: 'bytes',
        ratio: ourPeak / otherPeak,
        goal: ['<=', 0.4],
        stretch: ['<=', 0.3],
        note: 'error: gradients with and without checkpointing; the peak holds the gradients of all weights',
      }),
      row({
        ...shared,
        what: 'time of loss and gradients with checkpointing / without',
        ...times,
        unit: 'ms',
        goal: ['<=', 1.4],
        stretch: ['<=', 1.33],
        ceiling: ceiling(),
      }),
    ];
  },
};
