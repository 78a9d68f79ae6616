import type { CheckpointReader } from '../safetensors/safetensors_reader';
import { type TensorNames, tensorMatcher } from '../safetensors/tensor_names';
import { IlrecError } from '../errors';
import type { CheckpointWeight, ModelFamily } from '../models/model_family';
import type { HuggingFaceConfig } from '../models/hugging_face_config';

/** A tensor of the checkpoint and the weight it is loaded into. */
export interface WeightMatch {
  /** Name of the tensor in the files. */
  readonly tensor: string;
  readonly target: CheckpointWeight;
}

/** Options of the functions that load a checkpoint. */
export interface UnexpectedTensorsOptions {
  /**
   * Tensors of the files that may be left out, although the model has no place for them: names, patterns, or a list of
   * both, for example `/^v_head\./`, the value head of TRL. Tensors that the model needs are loaded nevertheless.
   * Default none.
   */
  readonly ignoreUnexpected?: TensorNames;
}

const HEAD = 'lm_head.weight';
/** Most names in an error message. */
const LISTED = 5;

/**
 * Finds the tensor of each weight, and checks that none is missing, left over or of another shape. Also accepts files
 * of the bare backbone, whose names lack the family's prefix.
 *
 * When the config ties head and embedding, the files may still have a head. An equal head is ignored; a different one
 * makes the config untied; a head without an embedding is used as the embedding. transformers 5 does the same.
 *
 * @param caller the public function that error messages name.
 * @param options which unexpected tensors may be left out.
 * @returns the config to build the model with, the weights in order, and the names of the unexpected tensors.
 * @throws IlrecError with the names and both shapes.
 */
export async function matchWeights(
  family: ModelFamily,
  given: HuggingFaceConfig,
  reader: CheckpointReader,
  source: string,
  caller: string,
  { ignoreUnexpected = [] }: UnexpectedTensorsOptions = {},
): Promise<{ config: HuggingFaceConfig; matches: WeightMatch[]; ignored: string[] }> {
  const mayIgnore = tensorMatcher(ignoreUnexpected, 'ignoreUnexpected', caller);
  const { entries } = reader;
  const isBare = ![...entries.keys()].some((name) => name.startsWith(family.basePrefix));
  const nameOf = (name: string): string =>
    isBare && name.startsWith(family.basePrefix) ? name.slice(family.basePrefix.length) : name;

  const embedding = family
    .weights(given, source, caller)
    .find(({ layer, weight }) => layer === 'embed_tokens' && weight === 'weight') as CheckpointWeight;
  const embeddingTensor = nameOf(embedding.name);
  const isTied = !family.weights(given, source, caller).some(({ name }) => name === HEAD);
  let config = given;
  if (isTied && entries.has(HEAD) && entries.has(embeddingTensor) && !(await areEqual(reader, HEAD, embeddingTensor))) {
    config = { ...given, tie_word_embeddings: false };
  }
  const headIsEmbedding = isTied && entries.has(HEAD) && !entries.has(embeddingTensor);

  const matches = family.weights(config, source, caller).map((target) => ({
    tensor: headIsEmbedding && target.name === embedding.name ? HEAD : nameOf(target.name),
    target,
  }));
  const missing = matches.filter(({ tensor }) => !entries.has(tensor)).map(({ tensor }) => tensor);
  if (missing.length > 0) {
    throw new IlrecError(
      `${caller}: ${source} must hold every tensor of ${family.architecture}, got none of ${listed(missing)}; ` +
        'use a complete copy of the checkpoint and its own config.json',
    );
  }
  const expected = new Set(matches.map(({ tensor }) => tensor));
  const unexpected = [...entries.keys()].filter(
    (name) => !expected.has(name) && !family.ignored.test(name) && !(isTied && name === HEAD),
  );
  const left = unexpected.filter((name) => !mayIgnore(name));
  if (left.length > 0) {
    const step = left.every((name) => name.startsWith('v_head.'))
      ? 'that is the value head that TRL adds for reinforcement learning: leave it out with ignoreUnexpected: /^v_head\\./'
      : 'use the config.json of the same checkpoint';
    throw new IlrecError(
      `${caller}: ${source} must hold only the tensors of ${family.architecture} with this config.json, got ` +
        `${listed(left)} as well; ${step}`,
    );
  }
  for (const { tensor, target } of matches) {
    const { shape, file } = entries.get(tensor) as { shape: readonly number[]; file: string };
    if (shape.length !== target.shape.length || shape.some((n, i) => n !== target.shape[i])) {
      throw new IlrecError(
        `${caller}: config.json of ${source} says that "${tensor}" is [${target.shape.join(', ')}], got ` +
          `[${shape.join(', ')}] in ${file}; use the config.json of the same checkpoint`,
      );
    }
  }
  return { config, matches, ignored: unexpected };
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
