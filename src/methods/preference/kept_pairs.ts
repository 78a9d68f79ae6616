import type * as tfl from '@tensorflow/tfjs-layers';
import { causalItemScorer } from '../../models/causal_item_scorer';
import type { ItemScorer } from '../../models/item_scorer';
import type { TensorData } from '../../safetensors/safetensors';
import { itemPairs, type ItemTable, type RejectedItems } from '../../tapped/item_pairs';
import type { PreferencePairs } from '../../tapped/preference_pairs';
import { responsePairs, type ResponseTable } from '../../tapped/response_pairs';
import { restrictionOf, type RestrictedSection } from '../item_model';
import type { ObjectiveContext } from '../language_model';
import type { PairBatches } from './pair_batches';

export interface PairRequest {
  /** Where what the models said is kept, so that a run that is resumed need not ask again. */
  readonly file: string;
  readonly batches: PairBatches;
  /** The frozen reference. */
  readonly reference: tfl.LayersModel;
  readonly rejected: RejectedItems;
  readonly oracle?: ItemScorer;
}

/** Pairs of the run: read from its folder, or made and written there. */
export async function keptPairs(
  context: ObjectiveContext<RestrictedSection>,
  request: PairRequest,
): Promise<PreferencePairs> {
  const kept = await context.files.readTensors(request.file);
  return context.itemSoftmax === undefined
    ? await pairsOfRows(context, request, kept)
    : await pairsOfItems(context, request, kept);
}

async function pairsOfItems(
  { files }: ObjectiveContext<RestrictedSection>,
  { file, batches, reference, rejected, oracle }: PairRequest,
  kept: Kept,
): Promise<PreferencePairs> {
  const known = kept === null ? undefined : itemTable(kept);
  const scorer = causalItemScorer(reference);
  const pairs = await itemPairs({ reference: scorer, batches: batches.batchesOf(0), rejected, oracle, known });
  if (known === undefined) {
    const { numRejected, rejected: items, reference: scores, oracle: oracleScores } = pairs.table();
    await files.writeTensors(file, tensorsOf(items, numRejected, scores, oracleScores));
  }
  return pairs;
}

async function pairsOfRows(
  context: ObjectiveContext<RestrictedSection>,
  { file, batches, reference, rejected, oracle }: PairRequest,
  kept: Kept,
): Promise<PreferencePairs> {
  const { files, code } = context;
  const examples = batches.examples;
  if (examples === null) throw new Error('pairsOfRows: the batches must have rows of responses');
  const items = (kept?.get('rejected')?.data as Int32Array | undefined) ?? (await rejected(examples));
  batches.rejected = items;
  const known = kept === null ? undefined : responseTable(kept);
  const numRejected = items.length / examples.chosen.length;
  const pairs = await responsePairs({
    reference,
    batches: batches.batchesOf(0),
    groupSize: 1 + numRejected,
    oracle: oracle && { scorer: oracle, trie: code.trie, historyOf: code.historyOf },
    known,
    ...restrictionOf(context),
  });
  if (known === undefined) {
    const { reference: logProbs, oracle: scores } = pairs.table();
    await files.writeTensors(file, tensorsOf(items, numRejected, logProbs, scores));
  }
  return pairs;
}

type Kept = ReadonlyMap<string, TensorData> | null;

function tensorsOf(
  rejected: Int32Array,
  numRejected: number,
  reference: Float32Array,
  oracle: Float32Array | null,
): ReadonlyMap<string, TensorData> {
  const flat = (data: Float32Array): TensorData => ({ shape: [data.length], data });
  return new Map<string, TensorData>([
    ['rejected', { shape: [rejected.length / numRejected, numRejected], data: rejected }],
    ['reference', flat(reference)],
    ...(oracle === null ? [] : [['oracle', flat(oracle)] as const]),
  ]);
}

function responseTable(kept: NonNullable<Kept>): ResponseTable {
  return {
    reference: kept.get('reference')?.data as Float32Array,
    oracle: (kept.get('oracle')?.data as Float32Array | undefined) ?? null,
  };
}

function itemTable(kept: NonNullable<Kept>): ItemTable {
  const { shape, data } = kept.get('rejected') as TensorData;
  return { numRejected: shape[1], rejected: data as Int32Array, ...responseTable(kept) };
}
