import { IlrecError } from '../errors';
import type { Cut } from './cut_chain';
import { activationOf, isCustom, kindOf } from './layer_kinds';
import { missing } from './layer_selector';
import { type Layer, type PartGraph, type Site, type Source, widthOf } from './model_graph';

/** The last layers of a chain: the head and what stands between it and the model's output. */
export interface FoundHead {
  /** Place of the head in the chain. */
  readonly at: number;
  /** What the head reads. */
  readonly input: Source;
}

/**
 * Finds the layer that makes logits over the vocabulary: seen from the output, the first that changes the width to that of the output, or that
 * has a matrix. What follows (a softmax, a scale) must be a plain sequence of layers.
 *
 * @param chain from the token ids to the model's output.
 * @param named the head, where the user named it.
 * @throws IlrecError where there is no such layer, or its logits are not one distribution per position.
 */
export function findHead(
  chain: readonly Cut[],
  output: Source,
  named: Layer | null,
  graph: PartGraph,
  layers: readonly Layer[],
): FoundHead {
  const read = chain.map((cut, i) => mainInput(cut, chain[i - 1], graph));
  const at =
    named === null ? projection(chain, read, widthOf(output)) : chain.findLastIndex(({ part }) => part.layer === named);
  if (at < 0) throw missing('head', layers);

  const head = chain[at].part.layer;
  const joined = chain.slice(at + 1).find(({ members }) => members.length > 1);
  if (joined !== undefined) {
    throw new IlrecError(
      `ilrec: behind the head "${head.name}" several layers are joined again by "${joined.part.layer.name}"; name the layer that makes the logits with taps.head`,
    );
  }
  if (read[at].tensor.rank !== 3) {
    throw new IlrecError(
      `ilrec: the head "${head.name}" must read hidden states [B, T, D], got ${shapeOf(read[at])}; set the option taps.head`,
    );
  }
  refuseActivation(chain.slice(at).map(({ part }) => part.layer));
  return { at, input: read[at] };
}

/** Place of the layer that projects onto the vocabulary; -1 where a layer that mixes positions is met before one. */
function projection(chain: readonly Cut[], read: readonly Source[], vocabSize: number | null): number {
  let custom = -1; // a custom layer without a matrix that keeps the width: a scale, or a head that uses another layer's matrix
  for (let at = chain.length - 1; at >= 0; at--) {
    const { layer } = chain[at].part;
    const kind = kindOf(layer);
    if (read[at].tensor.rank !== 3) break;
    if (kind === 'norm' || (kind === 'mixer' && !isCustom(layer))) break;
    const changes = widthOf(read[at]) !== vocabSize;
    const hasMatrix = layer.weights.some(({ shape }) => shape.length >= 2);
    if (changes || (hasMatrix && (kind === 'pointwise' || custom < 0))) return at;
    if (hasMatrix) break; // a block of the same width
    if (kind === 'mixer') custom = at;
  }
  return custom;
}

/** The input of a cut that comes from the chain. */
function mainInput({ part, members }: Cut, before: Cut | undefined, graph: PartGraph): Source {
  const inside = new Set<Site>(members);
  const from = (source: Source): boolean => {
    const maker = graph.maker(source);
    return maker !== null && (maker === before?.part || inside.has(maker));
  };
  return part.inputs.find(from) ?? part.inputs[0];
}

function refuseActivation(layers: readonly Layer[]): void {
  for (const layer of layers) {
    const activation = activationOf(layer);
    if (activation !== null && /sigmoid/i.test(activation)) {
      throw new IlrecError(
        `ilrec: "${layer.name}" must make logits or softmax probabilities, got activation '${activation}', which is no distribution over tokens; use 'softmax' or none`,
      );
    }
  }
}

export function shapeOf({ tensor }: Source): string {
  const sizes = tensor.shape.map((size, axis) => size ?? 'BT'[axis] ?? '?');
  return `[${sizes.join(', ')}]`;
}
