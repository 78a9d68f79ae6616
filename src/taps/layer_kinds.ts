import { classOf, isModel, type Layer, type Site } from './model_graph';

/**
 * What a layer does to a sequence [B, T, D]. `mixer`: positions see each other, or it is a custom layer that may do so;
 * `pointwise`: each position alone; `norm`: normalises each position; `idle`: does nothing outside of training.
 */
export type LayerKind = 'mixer' | 'pointwise' | 'norm' | 'idle';

const POINTWISE = new Set([
  'Dense',
  'TimeDistributed',
  'Activation',
  'Softmax',
  'ReLU',
  'LeakyReLU',
  'PReLU',
  'ELU',
  'ThresholdedReLU',
  'Embedding',
  'Add',
  'Multiply',
  'Average',
  'Maximum',
  'Minimum',
  'Concatenate',
  'ILRecItemEmbedding',
  'ILRecTokenEmbedding',
  'ILRecLMHead',
]);
const IDLE = new Set(['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout', 'Masking']);
const NORMS = new Set(['LayerNormalization', 'BatchNormalization', 'ILRecRMSNorm', 'ILRecLayerNorm']);
const RECURRENT = new Set(['LSTM', 'GRU', 'SimpleRNN', 'RNN']);
const STOCK_MIXERS = new Set([
  ...RECURRENT,
  'Bidirectional',
  'Conv1D',
  'Dot',
  'Permute',
  'Reshape',
  'Flatten',
  'RepeatVector',
  'Cropping1D',
  'ZeroPadding1D',
]);

export function kindOf(layer: Layer): LayerKind {
  const name = classOf(layer);
  if (isModel(layer)) return 'mixer';
  if (NORMS.has(name)) return 'norm';
  if (POINTWISE.has(name) || (name === 'Conv1D' && kernelSize(layer) === 1)) return 'pointwise';
  if (IDLE.has(name)) return 'idle';
  if (/dropout|noise/i.test(name)) return 'idle';
  if (/norm/i.test(name) && !/block|layer_?stack|transformer|attention/i.test(name)) return 'norm'; // "NormalizedAttentionBlock" is a block
  if (/activation|softcap/i.test(name)) return 'pointwise';
  return 'mixer';
}

/** Whether the layer is neither tfjs's nor this package's, so that its kind is guessed from its name. */
export function isCustom(layer: Layer): boolean {
  const name = classOf(layer);
  return (
    !isModel(layer) &&
    !name.startsWith('ILRec') &&
    ![POINTWISE, IDLE, NORMS, STOCK_MIXERS].some((names) => names.has(name))
  );
}

/**
 * What a layer counts as in the search for repeated layers: recurrent layers are of one sort, nested models are of one
 * sort when their layers are.
 */
export function sortOf(site: Site, partsOf: (site: Site) => readonly Site[]): string {
  if (isModel(site.layer))
    return `model(${partsOf(site)
      .map((part) => sortOf(part, partsOf))
      .join()})`;
  const name = classOf(site.layer);
  return RECURRENT.has(name) ? 'recurrent' : name;
}

/** Why the layer shows a position what comes after it; null when nothing is known. */
export function looksAhead(layer: Layer): string | null {
  const name = classOf(layer);
  if (name === 'Bidirectional') return 'it reads the sequence from both ends';
  if (RECURRENT.has(name) && Reflect.get(layer, 'goBackwards') === true) return 'it reads the sequence from its end';
  if (name === 'Conv1D') {
    const padding = String(Reflect.get(layer, 'padding'));
    return kernelSize(layer) > 1 && padding !== 'causal'
      ? `its padding is '${padding}', which shows a position those after it`
      : null;
  }
  if (/^(Average|Max)Pooling1D$/.test(name)) return 'it pools neighbouring positions';
  return null;
}

function kernelSize(layer: Layer): number {
  const size: unknown = Reflect.get(layer, 'kernelSize');
  return Number(Array.isArray(size) ? size[0] : size);
}

/** Name of the layer's activation ('softmax', 'linear', ...); null when it has none or an unknown one. */
export function activationOf(layer: Layer): string | null {
  if (classOf(layer) === 'Softmax') return 'softmax';
  const activation: unknown = Reflect.get(activated(layer), 'activation');
  if (typeof activation !== 'object' || activation === null || !('getClassName' in activation)) return null;
  return String((activation as { getClassName(): string }).getClassName());
}

/** The layer that holds the activation: for a TimeDistributed, the layer inside it. */
export function activated(layer: Layer): Layer {
  const inner: unknown = classOf(layer) === 'TimeDistributed' ? Reflect.get(layer, 'layer') : undefined;
  return (inner as Layer | undefined) ?? layer;
}
