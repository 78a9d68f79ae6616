import { UnnamedError } from '../errors';
import type { Cut } from './cut_chain';
import { activationOf, isCustom, kindOf } from './layer_kinds';
import { missing } from './layer_selector';
import { type Layer, type PartGraph, type Site, type Source, widthOf } from './model_graph';

export interface FoundHead {
  /** Index of the head in the chain. */
  readonly headIndex: number;
  /** What the head reads. */
  readonly input: Source;
}

/**
 * Finds the layer that makes logits over the vocabulary: counted from the output, the first that changes the width to
 * that of the output or has a matrix. What follows it (a softmax, a scale) must be a plain sequence of layers.
 *
 * @param chain from the token ids to the model's output.
 * @param named the head, if the user named it.
 * @throws UnnamedError where there is no such layer, or its logits are not one distribution per position.
 */
export function findHead(
  chain: readonly Cut[],
  output: Source,
  named: Layer | null,
  graph: PartGraph,
  layers: readonly Layer[],
): FoundHead {
  const read = chain.map((cut, i) => mainInput(cut, chain[i - 1], graph));
  const headIndex =
    named === null ? projection(chain, read, widthOf(output)) : chain.findLastIndex(({ part }) => part.layer === named);
  if (headIndex < 0) throw missing('head', layers);

  const head = chain[headIndex].part.layer;
  const input = read[headIndex];
  const joined = chain.slice(headIndex + 1).find(({ members }) => members.length > 1);
  if (joined !== undefined) {
    throw new UnnamedError(
      `behind the head "${head.name}" several layers are joined again by "${joined.part.layer.name}"; name the ` +
        'layer that makes the logits with taps.head',
    );
  }
  if (input.tensor.rank !== 3) {
    throw new UnnamedError(
      `the head "${head.name}" must read hidden states [B, T, D], got ${shapeOf(input)}; set the option taps.head`,
    );
  }
  refuseActivation(chain.slice(headIndex).map(({ part }) => part.layer));
  return { headIndex, input };
}

/** Index of the layer that projects onto the vocabulary; -1 where a layer that mixes positions comes after it. */
function projection(chain: readonly Cut[], read: readonly Source[], vocabSize: number | null): number {
  let custom = -1; // a custom layer without a matrix that keeps the width: a scale, or a head that uses another layer's matrix
  for (let index = chain.length - 1; index >= 0; index--) {
    const { layer } = chain[index].part;
    const kind = kindOf(layer);
    if (read[index].tensor.rank !== 3) break;
    if (kind === 'norm' || (kind === 'mixer' && !isCustom(layer))) break;
    const changes = widthOf(read[index]) !== vocabSize;
    const hasMatrix = layer.weights.some(({ shape }) => shape.length >= 2);
    if (changes || (hasMatrix && (kind === 'pointwise' || custom < 0))) return index;
    if (hasMatrix) break; // a block of the same width
    if (kind === 'mixer') custom = index;
  }
  return custom;
}

/** The input of a cut's part that comes from the chain. */
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
      throw new UnnamedError(
        `"${layer.name}" must make logits or softmax probabilities, got activation '${activation}', which is not ` +
          "a distribution over tokens; use 'softmax' or none",
      );
    }
  }
}

export function shapeOf({ tensor }: Source): string {
  const sizes = tensor.shape.map((size, axis) => size ?? 'BT'[axis] ?? '?');
  return `[${sizes.join(', ')}]`;
}
