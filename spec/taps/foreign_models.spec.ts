import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions } from '../../src/ilrec/ilrec';
import { forEachBackend } from '../support/backends';
import { through } from '../support/foreign_layers';
import {
  attention,
  chain,
  dense,
  embedding,
  FOREIGN_MODELS,
  type ForeignModel,
  norm,
  SIZES,
} from '../support/foreign_models';
import { integers, normals } from '../support/random';
import { referenceObjective, type Rows, toRows } from '../support/reference';

const B = 3;
const { vocabSize: V, length: T } = SIZES;
const objective = {
  penaltyWeight: 0.8,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.4,
  rewardWeight: 0,
} as const;
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 2 ? -100 : label));
const positions = [...labels.keys()].filter((at) => labels[at] !== -100);

const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');
function inputsOf(foreign: ForeignModel): tf.Tensor[] {
  return tf.tidy(() => {
    const inputIds = tf.tensor2d(ids, [B, T], 'int32');
    return foreign.inputs?.(inputIds) ?? [inputIds];
  });
}

function layersOf(model: tfl.LayersModel): tfl.layers.Layer[] {
  return model.layers.flatMap((layer) =>
    'layers' in layer ? [layer, ...layersOf(layer as tfl.LayersModel)] : [layer],
  );
}

/**
 * What layers put out while `run` runs; of several outputs the first, of a call that tfjs makes once more for each
 * further output one.
 */
function recorded(layers: readonly tfl.layers.Layer[], run: () => void): tf.Tensor[][] {
  const outputs = layers.map((): tf.Tensor[] => []);
  const seen = new Set<tf.Tensor>();
  layers.forEach((layer, i) => {
    const call = layer.call.bind(layer);
    Object.assign(layer, {
      call: (inputs: tf.Tensor | tf.Tensor[], kwargs: object) => {
        const output = call(inputs, kwargs);
        const [input] = Array.isArray(inputs) ? inputs : [inputs];
        if (!seen.has(input)) outputs[i].push(tf.keep(tf.clone(Array.isArray(output) ? output[0] : output)));
        seen.add(input);
        return output;
      },
    });
  });
  run();
  for (const layer of layers) Reflect.deleteProperty(layer, 'call');
  return outputs;
}

/** The objective in float64, of logits that the model's own layers make, called one after the other. */
function expectedLoss(foreign: ForeignModel, model: tfl.LayersModel, xs: tf.Tensor[]): number {
  return tf.tidy(() => {
    const named = (name: string): tfl.layers.Layer =>
      layersOf(model).find((layer) => layer.name === name) as tfl.layers.Layer;
    let final: tf.Tensor = tf.scalar(0);
    const blocks = [...new Set(foreign.blocks)].map(named);
    const states = recorded(blocks, () => (final = model.predict(xs) as tf.Tensor)).flat();
    expect(states.length).to.equal(foreign.blocks.length);
    const exits = states
      .slice(0, -1)
      .map((state) => foreign.behind.reduce((x, name) => named(name).apply(x) as tf.Tensor, state));
    const rowsOf = (logits: tf.Tensor): Rows => {
      const rows = toRows((foreign.softmax === true ? tf.log(logits) : logits).dataSync(), V);
      return positions.map((at) => rows[at]);
    };
    const loss = referenceObjective(
      rowsOf(final),
      exits.map(rowsOf),
      positions.map((at) => labels[at]),
      null,
      options(foreign),
    ).total;
    tf.dispose(states);
    return loss;
  });
}

/** With a softmax the logits are known but for a constant in each row, which |z| would see. */
const options = ({ softmax }: ForeignModel) =>
  ({ ...objective, penalty: softmax === true ? 'additive' : 'scale' }) as const;

function randomise(model: tfl.LayersModel): void {
  const values = model.getWeights().map((weight, i) => tf.tensor(normals(weight.size, i + 1, 0.5), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
}

function prepared(foreign: ForeignModel) {
  const model = foreign.build();
  randomise(model);
  const method = ilrec(options(foreign) as IlrecOptions);
  model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
  return { model, method, xs: inputsOf(foreign) };
}

describe('ilrec without options', () => {
  forEachBackend(() => {
    for (const foreign of FOREIGN_MODELS) {
      it(`trains ${foreign.name}`, async () => {
        const { model, method, xs } = prepared(foreign);
        const ys = targets();
        const expected = expectedLoss(foreign, model, xs);
        const before = tf.tidy(() => (model.predict(xs) as tf.Tensor).dataSync());
        const numTensors = tf.memory().numTensors;

        method.attach(model);
        const evaluated = model.evaluate(xs, ys) as tf.Scalar[];
        expect(evaluated[0].dataSync()[0]).to.be.closeTo(expected, 2e-5);
        tf.dispose(evaluated);
        const during = tf.tidy(() => (model.predict(xs) as tf.Tensor).dataSync());
        expect([...during]).to.deep.equal([...before]);
        method.detach();
        expect(tf.memory().numTensors).to.equal(numTensors);

        method.attach(model);
        const [first] = (await model.trainOnBatch(xs, ys)) as number[];
        const [second] = (await model.trainOnBatch(xs, ys)) as number[];
        expect(first).to.be.closeTo(expected, 2e-5);
        expect(second).to.be.below(first);
        expect((await method.diagnostics())?.klPerLayer.length).to.equal(foreign.blocks.length - 1);
        method.detach();
        expect(tf.memory().numTensors).to.equal(numTensors);
        const shape = tf.tidy(() => (model.predict(xs) as tf.Tensor).shape);
        expect(shape).to.deep.equal([B, T, V]);
        tf.dispose([xs, ys]);
        model.dispose();
      });
    }

    it('gives layers behind the last block the rows of their other inputs: a mask on the way to the head, a bias behind it', async () => {
      const [inputIds, gate] = [tfl.input({ shape: [null], dtype: 'int32' }), tfl.input({ shape: [null, 1] })];
      const blocks = [0, 1, 2].map((at) => attention(`block${at}`));
      const [final, out] = [norm('final'), dense()];
      const gated = tfl.layers.multiply({ name: 'gated' });
      const biased = tfl.layers.add({ name: 'biased' });
      const bias = tfl.layers.embedding({
        name: 'bias',
        inputDim: V,
        outputDim: V,
        embeddingsInitializer: 'glorotUniform',
      });
      const states = blocks
        .reduce((all, block) => [...all, through(block, all[all.length - 1])], [through(embedding(), inputIds)])
        .slice(1);
      const exit = (
        state: tfl.SymbolicTensor | tf.Tensor,
        g: tfl.SymbolicTensor | tf.Tensor,
        b: tfl.SymbolicTensor | tf.Tensor,
      ): unknown => biased.apply([out.apply(gated.apply([final.apply(state), g] as tf.Tensor[])), b] as tf.Tensor[]);
      const model = tfl.model({
        inputs: [inputIds, gate],
        outputs: exit(states[2], gate, through(bias, inputIds)) as tfl.SymbolicTensor,
      });
      const probe = tfl.model({ inputs: inputIds, outputs: states });
      randomise(model);
      const method = ilrec(objective as IlrecOptions);
      model.compile({ optimizer: tf.train.sgd(0.01), loss: method.loss });
      const xs = [tf.tensor2d(ids, [B, T], 'int32'), tf.tensor3d(normals(B * T, 3), [B, T, 1])];
      const [early, late, last] = tf.tidy(() =>
        (probe.predict(xs[0]) as tf.Tensor[]).map((state) => {
          const rows = toRows((exit(state, xs[1], bias.apply(xs[0]) as tf.Tensor) as tf.Tensor).dataSync(), V);
          return positions.map((at) => rows[at]);
        }),
      );
      const expected = referenceObjective(
        last,
        [early, late],
        positions.map((at) => labels[at]),
        null,
        objective,
      ).total;
      method.attach(model);
      const numTensors = tf.memory().numTensors;
      const ys = targets();
      expect(await model.trainOnBatch(xs, ys)).to.be.closeTo(expected, 2e-5);
      expect(await model.trainOnBatch(xs, ys)).to.be.below(expected);
      ys.dispose();
      method.detach();
      expect(tf.memory().numTensors).to.equal(numTensors);
    });

    it('says what does not fit where such an input has no row for each position', () => {
      const inputIds = tfl.input({ shape: [null], dtype: 'int32' });
      const context = tfl.input({ shape: [1, SIZES.hiddenSize] });
      const x = chain(through(embedding(), inputIds), attention('a'), attention('b'));
      const model = tfl.model({
        inputs: [inputIds, context],
        outputs: through(dense(), tfl.layers.multiply({ name: 'gated' }).apply([x, context]) as tfl.SymbolicTensor),
      });
      const method = ilrec();
      method.attach(model);
      tf.tidy(() => {
        const predictions = model.apply([tf.tensor2d(ids, [B, T], 'int32'), tf.ones([B, 1, SIZES.hiddenSize])], {
          training: true,
        }) as tf.Tensor;
        expect(() => method.loss(targets(), predictions)).to.throw(
          'ilrec: what the layers behind the last block read must have a row for each of the [3, 6] positions, got [3, 1, 8]; set the option taps.norm or taps.head',
        );
      });
      method.detach();
    });
  });
});
