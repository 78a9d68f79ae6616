import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { CallArgs } from '../layers/layer_types';
import { layersWithin } from '../layers/layers_within';
import { selectLayers } from '../layers/select_layers';
import { recompute } from '../ops/recomputation';
import { shadow } from '../shadow';
import { findTaps, type LayerSelector } from '../taps';

type Layer = tfl.layers.Layer;
/** tfjs-core does not export this type by name. */
type Tape = ReturnType<typeof tf.engine>['state']['activeTape'];

export interface GradientCheckpointingOptions {
  /** Layers or nested models, by name, names, pattern or predicate. Default the blocks that `ilrec` taps. */
  blocks?: LayerSelector;
}

/**
 * Largest difference between two runs of a block, relative to its largest value: more than the rounding of backends
 * that add in no fixed order.
 */
const SAME_WITHIN = 1e-4;

/**
 * Trains with less memory: in a training pass each block keeps only its input, and its inner values are computed again
 * for its gradient (Chen et al., arXiv 1604.06174). This costs one more forward pass of each block. Values and
 * gradients stay the same, also with taps, adapters and this package's dropout, whose masks repeat. Gradients are of
 * weights: none flows to an input that depends on no weight.
 *
 * @param model any LayersModel.
 * @param options see `GradientCheckpointingOptions`.
 * @returns `remove` undoes it.
 * @throws IlrecError when no blocks are found, or a block has no weights or updates averages. In training: when a block
 *   returns several tensors, or other values in a second run.
 *
 * @example
 * ```ts
 * import { causalLM, gradientCheckpointing } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 4, numAttentionHeads: 2 });
 * const { remove } = gradientCheckpointing(model);
 * // ... train as usual ...
 * remove();
 * console.log(model.layers.length); // 7
 * ```
 */
export function gradientCheckpointing(
  model: tfl.LayersModel,
  { blocks }: GradientCheckpointingOptions = {},
): { remove(): void } {
  const found = blocks === undefined ? tappedBlocks(model) : namedBlocks(model, blocks);
  const bare = found.find((block) => block.weights.length === 0);
  if (bare !== undefined) {
    throw new IlrecError(
      `gradientCheckpointing: a block must be one layer that holds its weights, got "${bare.name}" ` +
        `(${bare.getClassName()}) without any; make each block a layer or a nested model, or name the layers that ` +
        'hold most with the option blocks',
    );
  }
  const restores = [...new Set(found)].map((block) => checkpoint(block));
  return { remove: () => restores.splice(0).forEach((restore) => restore()) };
}

function tappedBlocks(model: tfl.LayersModel): readonly Layer[] {
  try {
    return findTaps(model).blocks;
  } catch (error) {
    if (!(error instanceof IlrecError)) throw error;
    throw new IlrecError(
      `gradientCheckpointing: the blocks must be found or named, got "${error.message}"; name them with the ` +
        'option blocks',
    );
  }
}

/** The layers that the user named, also in nested models. Of a layer and a layer inside it, the outer one. */
function namedBlocks(model: tfl.LayersModel, blocks: LayerSelector): Layer[] {
  const layers = layersOf(model);
  const refuse = (named: string): IlrecError =>
    new IlrecError(
      `gradientCheckpointing: blocks must name layers of the model, got ${named}; layers: ` +
        `${layers.map(({ name }) => name).join(', ')}`,
    );
  const found = selectLayers(layers, blocks, refuse);
  return found.filter((block) => !found.some((other) => other !== block && layersWithin(other).includes(block)));
}

function layersOf(model: tfl.LayersModel): Layer[] {
  return model.layers.flatMap((layer) =>
    'layers' in layer ? [layer, ...layersOf(layer as tfl.LayersModel)] : [layer],
  );
}

function checkpoint(block: Layer): () => void {
  const within = layersWithin(block);
  const normalised = within.find((layer) => layer.getClassName() === 'BatchNormalization');
  if (normalised !== undefined) {
    throw new IlrecError(
      `gradientCheckpointing: block "${block.name}" must compute its values alone, got "${normalised.name}", ` +
        'which updates its averages at each run; leave the block out with the option blocks',
    );
  }
  const repeats = repeatCheck(block);
  return shadow(
    block,
    'call',
    (original) => (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => {
      const { gradientDepth, kernelDepth } = tf.engine().state;
      if (kwargs.training !== true || gradientDepth === 0 || kernelDepth > 0) return original(inputs, kwargs);
      return checkpointed({ block, within, run: original as Run, repeats }, inputs, kwargs);
    },
    'recomputation',
  );
}

type Run = (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => tf.Tensor | tf.Tensor[];

interface Checkpointed {
  readonly block: Layer;
  readonly within: readonly Layer[];
  readonly run: Run;
  /** Checks once whether a second run gives the values of the first. */
  readonly repeats: (first: tf.Tensor, again: () => tf.Tensor) => void;
}

/**
 * The block's output as one operation on the tape. Its inputs are the block's inputs and the weights that the block
 * uses.
 */
function checkpointed(
  { block, within, run, repeats }: Checkpointed,
  inputs: tf.Tensor | tf.Tensor[],
  kwargs: CallArgs,
): tf.Tensor {
  const xs = Array.isArray(inputs) ? inputs : [inputs];
  const steps = dropoutSteps(within);
  const once = (): tf.Tensor => onlyOutput(run(inputs, kwargs), block);
  const { output, variables } = recorded(once);
  repeats(output, () => recompute(() => withSteps(within, steps, () => recorded(once).output)));

  const trained = madeOfWeights(tf.engine().state.activeTape);
  const needed = xs.map(trained);
  if (variables.length === 0 && !needed.includes(true)) return output; // a frozen block at the start needs no gradient
  const keptArgs = tensorsOf(kwargs);
  const operation = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    save([...xs, ...keptArgs.map(([, tensor]) => tensor)]);
    return {
      value: tf.clone(output),
      gradFunc: (dy, saved) => {
        const again = saved.slice(0, xs.length);
        const kwargsAgain = {
          ...kwargs,
          ...Object.fromEntries(keptArgs.map(([name], i) => [name, saved[xs.length + i]])),
        };
        const forward = (): tf.Tensor => onlyOutput(run(Array.isArray(inputs) ? again : again[0], kwargsAgain), block);
        const sources = [...again.filter((_, i) => needed[i]), ...variables];
        const gradients = gradientsOf(
          () => recompute(() => withSteps(within, steps, forward)),
          sources,
          dy as tf.Tensor,
        );
        return xs.map((x, i) => (needed[i] ? (gradients.shift() as tf.Tensor) : tf.zeros(x.shape))).concat(gradients);
      },
    };
  });
  const result = operation(...xs, ...variables);
  if (!xs.includes(output)) output.dispose();
  return result;
}

/**
 * Runs `forward` on a separate tape, which is thrown away.
 * @returns the output, and the trainable weights that it depends on.
 */
function recorded(forward: () => tf.Tensor): { output: tf.Tensor; variables: tf.Variable[] } {
  const { state } = tf.engine();
  const outer = state.activeTape;
  state.activeTape = [];
  try {
    const output = tf.tidy(forward);
    const used = state.activeTape
      .flatMap((node) => Object.values(node.inputs))
      .filter((input): input is tf.Variable => input instanceof tf.Variable && input.trainable);
    return { output, variables: [...new Set(used)] };
  } finally {
    for (const { saved } of state.activeTape) tf.dispose(saved ?? []);
    state.activeTape = outer;
  }
}

/**
 * Finds out whether a tensor depends on trainable weights. Other inputs, such as a mask, need no gradient, and the
 * block may not be differentiable there.
 */
function madeOfWeights(tape: Tape): (x: tf.Tensor) => boolean {
  const made = new Set<number>();
  const depends = (x: tf.Tensor): boolean => made.has(x.id) || (x instanceof tf.Variable && x.trainable);
  for (const { inputs, outputs } of tape) {
    if (Object.values(inputs).some(depends)) for (const { id } of outputs) made.add(id);
  }
  return (x) => depends(x);
}

/**
 * Gradients of `forward` in the middle of a backward pass, whose tape is set aside meanwhile; zeros where there is
 * none.
 */
function gradientsOf(forward: () => tf.Tensor, xs: readonly tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine();
  const [outer, depth] = [state.activeTape, state.gradientDepth];
  state.gradientDepth = 0;
  try {
    const { value, grads } = tf.engine().gradients(forward, [...xs], dy, true);
    value.dispose();
    return xs.map((x, i) => grads[i] ?? tf.zeros(x.shape));
  } finally {
    state.activeTape = outer;
    state.gradientDepth = depth;
  }
}

function onlyOutput(output: tf.Tensor | tf.Tensor[], block: Layer): tf.Tensor {
  if (!Array.isArray(output)) return output;
  if (output.length !== 1) {
    throw new IlrecError(
      `gradientCheckpointing: block "${block.name}" must return one tensor, got ${output.length}; leave it out ` +
        'with the option blocks',
    );
  }
  return output[0];
}

/** The keyword arguments that are tensors, such as the mask. */
function tensorsOf(kwargs: CallArgs): [string, tf.Tensor][] {
  return Object.entries(kwargs).filter((entry): entry is [string, tf.Tensor] => entry[1] instanceof tf.Tensor);
}

interface WithDropoutStep {
  dropoutStep: number;
}

/** The number of training calls of each layer, which decides its dropout masks. */
function dropoutSteps(layers: readonly Layer[]): Map<WithDropoutStep, number> {
  const counting = layers.filter((layer): layer is Layer & WithDropoutStep => 'dropoutStep' in layer);
  return new Map(counting.map((layer) => [layer, layer.dropoutStep]));
}

/** Runs with the dropout masks of `steps`, then restores the counts. */
function withSteps<T>(layers: readonly Layer[], steps: ReadonlyMap<WithDropoutStep, number>, run: () => T): T {
  const now = dropoutSteps(layers);
  for (const [layer, step] of steps) layer.dropoutStep = step;
  try {
    return run();
  } finally {
    for (const [layer, step] of now) layer.dropoutStep = step;
  }
}

function repeatCheck(block: Layer): Checkpointed['repeats'] {
  let state: 'unknown' | 'checked' | 'stochastic' = 'unknown';
  const judge = (compared: ArrayLike<number>): void => {
    state = compared[0] > SAME_WITHIN * compared[1] ? 'stochastic' : 'checked';
  };
  return (first, again) => {
    if (state === 'unknown') {
      state = 'checked';
      const compared = recorded(() => tf.stack([tf.max(tf.abs(tf.sub(first, again()))), tf.max(tf.abs(first))])).output; // [2]
      if (tf.getBackend().startsWith('webgpu'))
        void tf
          .keep(compared)
          .data()
          .then(judge)
          .finally(() => compared.dispose()); // not readable synchronously there: a later call throws
      else judge(compared.dataSync());
      if (!compared.kept) compared.dispose();
    }
    if (state === 'stochastic') {
      throw new IlrecError(
        `gradientCheckpointing: block "${block.name}" must give the same values when it is run again, got ` +
          'others; give its dropout a seed, or leave it out with the option blocks',
      );
    }
  };
}
