import type { PrefixTrie } from '../../generation/prefix_trie';
import type { PreferenceExamples } from '../../tapped/item_pairs';
import type { Batch, Batches } from '../../training/batches';
import { groupBatches } from '../../training/group_batches';
import { promptBatches } from '../../training/prompt_batches';
import type { BatchesContext } from '../language_model';
import type { GivenPairs } from './read_pairs';

/**
 * The batches of a training on pairs. Their number is known when a method is built; which items are rejected is known
 * later, when the models that say so have been trained, and where each response is a row, `rejected` must be set before
 * the first batch is made.
 */
export class PairBatches implements Batches {
  /** Items rejected in each example, [E * n]. */
  rejected: Int32Array | null = null;

  private constructor(
    private readonly inner: (pairs: PairBatches) => Batches,
    readonly stepsPerEpoch: number,
    /** Pairs of a user's own. */
    readonly given: GivenPairs | null,
    /** What was chosen, where each response is a row; null where all responses of a position share one. */
    readonly examples: PreferenceExamples | null,
  ) {}

  batchesOf(epoch: number, startStep?: number): Generator<Batch, void, undefined> {
    return this.inner(this).batchesOf(epoch, startStep);
  }

  /** Positions of SFT's batches, or of one's own pairs, for a model whose tokens are items. */
  static overItems(context: BatchesContext<unknown>, given: GivenPairs | null): PairBatches {
    const batches = given === null ? context.batches : positionsOfPairs(context, given);
    return new PairBatches(() => batches, batches.stepsPerEpoch, given, null);
  }

  /**
   * Rows of responses for a model that writes an item in several tokens.
   *
   * @param numRejected n.
   */
  static overTokens(context: BatchesContext<unknown>, given: GivenPairs | null, numRejected: number): PairBatches {
    const examples = given?.examples ?? trainingExamples(context);
    const { batchSize } = context.config.training;
    const rows = (rejected: Int32Array): Batches =>
      rowBatches(context, examples, rejected, Math.max(1, Math.floor(batchSize / (1 + numRejected))));
    const { stepsPerEpoch } = rows(new Int32Array(0));
    return new PairBatches(({ rejected }) => rows(rejected as Int32Array), stepsPerEpoch, given, examples);
  }
}

/**
 * Rows of prompt and response: of the chosen item, then of the rejected ones.
 *
 * @param rejected [E * n]; none for rows of chosen items alone.
 */
export function rowBatches(
  { code, padTokenId, config }: BatchesContext<unknown>,
  { histories, rows, lengths, chosen }: PreferenceExamples,
  rejected: Int32Array,
  groupsPerBatch: number,
): Batches {
  const tokens = sequencesOf(code.trie);
  const numRejected = rejected.length / chosen.length;
  return groupBatches({
    numGroups: chosen.length,
    groupAt: (example) => ({
      prompt: code.prompt(histories[rows[example]].slice(0, lengths[example])),
      responses: [chosen[example], ...rejected.subarray(example * numRejected, (example + 1) * numRejected)].map(
        (item) => tokens[item],
      ),
    }),
    padTokenId,
    groupsPerBatch,
    seed: config.seed,
  });
}

/** One row for each pair of one's own, with the chosen item as its label. */
function positionsOfPairs(
  { code, padTokenId, config }: BatchesContext<unknown>,
  { examples: { histories, chosen } }: GivenPairs,
): Batches {
  const rowOf = (index: number): { prompt: Int32Array; response: Int32Array } => ({
    prompt: Int32Array.from(code.prompt(histories[index])),
    response: Int32Array.of(chosen[index]),
  });
  return promptBatches({
    examples: () => ({ length: chosen.length, lengthOf: (index) => rowOf(index).prompt.length + 1, at: rowOf }),
    padTokenId,
    batchSize: config.training.batchSize,
    seed: config.seed,
  });
}

/** Every item of the training part that has a history. */
export function trainingExamples({ data: { split, numItems } }: BatchesContext<unknown>): PreferenceExamples {
  const histories = split.train.map((sequence) => [...sequence]);
  const [rows, lengths, chosen]: number[][] = [[], [], []];
  histories.forEach((history, row) => {
    for (let at = 1; at < history.length; at++) {
      rows.push(row);
      lengths.push(at);
      chosen.push(history[at]);
    }
  });
  const [asRows, asLengths, asChosen] = [rows, lengths, chosen].map((values) => Int32Array.from(values));
  return { numItems, histories, rows: asRows, lengths: asLengths, chosen: asChosen };
}

/** The tokens of each item. */
function sequencesOf(trie: PrefixTrie): number[][] {
  const sequences: number[][] = Array.from({ length: trie.numItems }, () => []);
  const prefixes: number[][] = [[]];
  for (let node = 0; node < trie.numNodes; node++) {
    for (let at = trie.itemLow[node]; at < trie.terminalHigh[node]; at++)
      sequences[trie.itemOrder[at]] = prefixes[node];
    for (let edge = trie.childStart[node]; edge < trie.childStart[node + 1]; edge++)
      prefixes[edge + 1] = [...prefixes[node], trie.childToken[edge]];
  }
  return sequences;
}
