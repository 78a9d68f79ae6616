import type { CheckpointReader } from '../safetensors/safetensors_reader';
import { IlrecError } from '../errors';
import type { CheckpointWeight, ModelFamily } from '../models/model_family';
import type { HuggingFaceConfig } from '../models/hugging_face_config';

/** A tensor of the checkpoint and the weight it becomes. */
export interface WeightMatch {
  /** The tensor's name in the files. */
  readonly tensor: string;
  readonly target: CheckpointWeight;
}

const HEAD = 'lm_head.weight';
/** Names listed in an error. */
const LISTED = 5;

/**
 * Finds the tensor of each weight, and sees to it that nothing is missing, left over or of another shape. Files of the bare backbone, whose
 * names lack the family's prefix, are known too.
 *
 * The head of a model that ties it to the embedding may be in the files: equal, it is passed over; different, the config is changed to an untied
 * head; alone, it is the embedding. That is what transformers 5 does.
 *
 * @returns the config that the model is to be built with, and the weights in their order.
 * @throws IlrecError with names and both shapes.
 */
export async function matchWeights(
  family: ModelFamily,
  given: HuggingFaceConfig,
  reader: CheckpointReader,
  source: string,
): Promise<{ config: HuggingFaceConfig; matches: WeightMatch[] }> {
  const { entries } = reader;
  const isBare = ![...entries.keys()].some((name) => name.startsWith(family.basePrefix));
  const nameOf = (name: string): string =>
    isBare && name.startsWith(family.basePrefix) ? name.slice(family.basePrefix.length) : name;

  const embedding = family
    .weights(given, source)
    .find(({ layer, weight }) => layer === 'embed_tokens' && weight === 'weight') as CheckpointWeight;
  const embeddingTensor = nameOf(embedding.name);
  const isTied = !family.weights(given, source).some(({ name }) => name === HEAD);
  let config = given;
  if (isTied && entries.has(HEAD) && entries.has(embeddingTensor) && !(await areEqual(reader, HEAD, embeddingTensor))) {
    config = { ...given, tie_word_embeddings: false };
  }
  const headIsEmbedding = isTied && entries.has(HEAD) && !entries.has(embeddingTensor);

  const matches = family.weights(config, source).map((target) => ({
    tensor: headIsEmbedding && target.name === embedding.name ? HEAD : nameOf(target.name),
    target,
  }));
  const missing = matches.filter(({ tensor }) => !entries.has(tensor)).map(({ tensor }) => tensor);
  if (missing.length > 0) {
    throw new IlrecError(
      `loadPretrained: ${source} must hold every tensor of ${family.architecture}, got none of ${listed(missing)}; use a complete copy of the checkpoint and its own config.json`,
    );
  }
  const expected = new Set(matches.map(({ tensor }) => tensor));
  const left = [...entries.keys()].filter(
    (name) => !expected.has(name) && !family.ignored.test(name) && !(isTied && name === HEAD),
  );
  if (left.length > 0) {
    throw new IlrecError(
      `loadPretrained: ${source} must hold tensors that ${family.architecture} with this config.json has, got ${listed(left)} as well; use the config.json of the same checkpoint`,
    );
  }
  for (const { tensor, target } of matches) {
    const { shape, file } = entries.get(tensor) as { shape: readonly number[]; file: string };
    if (shape.length !== target.shape.length || shape.some((n, i) => n !== target.shape[i])) {
      throw new IlrecError(
        `loadPretrained: config.json of ${source} says that "${tensor}" is [${target.shape.join(', ')}], got [${shape.join(', ')}] in ${file}; use the config.json of the same checkpoint`,
      );
    }
  }
  return { config, matches };
}

async function areEqual(reader: CheckpointReader, one: string, other: string): Promise<boolean> {
  const [a, b] = [reader.entries.get(one)?.shape ?? [], reader.entries.get(other)?.shape ?? []];
  if (a.join() !== b.join()) return false;
  const first = await reader.read(one);
  const second = await reader.read(other);
  return first.every((value, i) => value === second[i]);
}

function listed(names: readonly string[]): string {
  const rest = names.length - LISTED;
  return (
    names
      .slice(0, LISTED)
      .map((name) => `"${name}"`)
      .join(', ') + (rest > 0 ? ` and ${rest} more` : '')
  );
}
