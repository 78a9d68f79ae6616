import type * as tfl from '@tensorflow/tfjs-layers';
import type { SharedConfig } from '../config/shared_config';
import { buildPrefixTrie } from '../generation/prefix_trie';
import { causalItemScorer, itemEmbeddingOf } from '../models/causal_item_scorer';
import { causalLM, type CausalLMConfig } from '../models/causal_lm';
import { codesOfSemanticIds } from '../tokenizers/codes_of_semantic_ids';
import { type TokenRestriction, validItems } from '../rewards/valid_items';
import type { ItemSoftmaxOptions } from '../tapped/item_softmax';
import { createBatches, type Batches } from '../training/batches';
import { batchOptions } from './batch_options';
import type { ItemCode } from './item_code';
import { scorerLists } from './lists';
import type { AskedModel, BuildContext } from './method';
import { refuseLargeModel } from './refuse_large_model';
import { readVectors } from './item_vectors';

/** A language model whose tokens are the items, with random weights. */
export function buildItemModel({ config, prepared, data }: BuildContext): tfl.LayersModel {
  const { model, items, seed, evaluation } = config;
  const shape: CausalLMConfig = {
    ...model,
    vocabSize: data.numItems,
    items: {
      codes: items.codes === 'semantic-ids' ? codesOfSemanticIds(prepared.semanticIds) : null,
      ...(items.nodeDepths === undefined ? {} : { nodeDepths: items.nodeDepths }),
      useRepeatBias: evaluation.seen === 'allow',
    },
  };
  refuseLargeModel(shape);
  return causalLM({ ...shape, seed });
}

/** Token i is item i; the token after the last item begins a history, and fills rows. */
export function itemTokenBatches({ config, data: { split, numItems } }: BuildContext): Batches {
  return createBatches({
    ...batchOptions(config.training, config.seed),
    sequences: split.train,
    itemTokens: Array.from({ length: numItems }, (_, item) => [item]),
    bosTokenId: numItems,
    padTokenId: numItems,
  });
}

/** How the softmax of training is made: as the lists are. */
export function itemSoftmaxOf({ items, evaluation, seed }: SharedConfig): ItemSoftmaxOptions {
  return { seen: evaluation.seen === 'exclude' ? 'exclude' : 'allow', sampledItems: items.sampledItems, seed };
}

/** Every item is one token. */
export function itemTokenCode({ maxHistory }: SharedConfig['training'], itemCounts: ArrayLike<number>): ItemCode {
  const responseTokens = Array.from({ length: itemCounts.length }, (_, item) => item);
  return {
    prompt: (history) => [itemCounts.length, ...Array.from(history).slice(-(maxHistory ?? history.length))],
    trie: buildPrefixTrie(responseTokens.map((item) => [item])),
    itemCounts,
    responseTokens,
  };
}

/** Lists by the scores of all items. */
export function itemModelLists(
  model: tfl.LayersModel,
  code: ItemCode,
  { training: { maxHistory }, evaluation: { layerContrast } }: SharedConfig,
): Omit<AskedModel, 'dispose'> {
  const scorer = causalItemScorer(model, { maxHistory, layerContrast });
  const itemVectors = (): Promise<Float32Array> => readVectors(() => itemEmbeddingOf(model, 'similar').weight);
  return { ...scorerLists(scorer, { maxHistory, itemVectors }), languageModel: model, code };
}

/** A section that says over which tokens the softmax is. */
export interface RestrictedSection {
  readonly restrictTo: 'vocabulary' | 'validItems';
}

/** The option `restrictTo` of a loss. */
export function restrictionOf({
  section: { restrictTo },
  code: { trie, historyOf },
  itemSoftmax,
}: {
  readonly section: RestrictedSection;
  readonly code: ItemCode;
  readonly itemSoftmax?: ItemSoftmaxOptions;
}): { restrictTo?: TokenRestriction } {
  return restrictTo === 'vocabulary' || itemSoftmax !== undefined
    ? {}
    : { restrictTo: validItems({ trie, historyOf }) };
}
