import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, UnnamedError } from '../errors';
import { type RankedSequences, rankedSequences } from '../generation/constrained_beam_search';
import type { CausalDecoder } from '../generation/decoder';
import { nodeOfPrefix, type PrefixTrie, tokensOfNode } from '../generation/prefix_trie';
import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { type PromptHistory, walkTrie } from '../rewards/trie_walk';
import type { TokenRestriction } from '../rewards/valid_items';
import type { TapOptions } from '../taps';
import type { Batch } from '../training/batches';
import { groupRows } from '../training/group_batches';
import type { ComparedGroups, GroupOptions } from './compared_groups';
import { positionsOf } from './preference_pairs';
import { ReferenceReader } from './reference_reader';
import { tokenLogProbs } from './row_log_probs';
import type { TappedBatch } from './tapped_batch';

export interface GeneratedGroupsOptions extends GroupOptions {
  readonly reference: tfl.LayersModel;
  readonly trie: PrefixTrie;
  readonly historyOf?: PromptHistory;
  readonly restrictTo?: TokenRestriction;
  readonly createDecoder: (model: tfl.LayersModel) => CausalDecoder;
  readonly padTokenId: number;
  readonly ignoreIndex?: number;
  readonly taps?: TapOptions;
}

/** A row of a batch: what is asked, and the item that answers. */
interface Question {
  readonly prompt: Int32Array;
  /** Trie node of the answer. */
  readonly target: number;
  /** Items that a response must not be; null for none. */
  readonly excluded: ReadonlySet<number> | null;
}

/** What is known of the batch that was prepared last, until the next one is. */
interface Prepared {
  readonly batch: Batch;
  /** 1 for the target, [Q * G]. */
  readonly hits: Float32Array;
  /** Log-probabilities of the labels under the reference, [P]. */
  readonly reference: Float32Array;
}

/** Groups of a model that writes an item in several tokens: made before each step, compared in it. */
export class GeneratedGroups {
  private reader: ReferenceReader | null = null;
  private prepared: Prepared | null = null;

  /** @param name the public function that made the method; errors start with it. */
  constructor(
    private readonly name: string,
    private readonly options: GeneratedGroupsOptions,
  ) {}

  /** The rows of the groups that the model makes now; their groups are remembered until the next call. */
  async prepare(batch: Batch, model: tfl.LayersModel, step: number): Promise<Batch> {
    const { reference, trie, padTokenId, ignoreIndex, restrictTo, taps } = this.options;
    const questions = calledAs(this.name, () => {
      if (model === reference)
        throw new UnnamedError('reference must not be the model that is trained, which changes; give it a copy');
      return this.questionsOf(batch);
    });
    const groups = await this.responsesOf(questions, model, step);
    const rows = groupRows(
      groups.map(({ nodes }, group) => ({
        prompt: questions[group].prompt,
        responses: Array.from(nodes, (node) => tokensOfNode(trie, node)),
      })),
      { padTokenId, ignoreIndex },
    );
    this.reader ??= new ReferenceReader({ name: this.name, model: reference, restrictTo, taps });
    this.prepared = {
      batch: rows,
      hits: Float32Array.from(
        groups.flatMap(({ nodes }, group) => Array.from(nodes, (node) => Number(node === questions[group].target))),
      ),
      reference: await this.reader.read(rows, tokenLogProbs),
    };
    return rows;
  }

  /** @throws UnnamedError when the batch is not the one that was prepared last. */
  groupsOf(batch: TappedBatch): ComparedGroups {
    const { groupSize, restrictTo } = this.options;
    const { prepared } = this;
    if (prepared === null || !sameNumbers(prepared.batch.labels, batch.allLabels))
      throw new UnnamedError(
        'each batch must be made by prepareBatch before its step, got another; train with trainModel, or call ' +
          'await method.prepareBatch(batch, model) in your own loop',
      );
    const { hits } = prepared;
    const { places, mask, length } = padded(batch);
    const inRows = (logProbs: tf.Tensor): tf.Tensor2D =>
      tf.reshape(tf.gather(tf.concat([logProbs, tf.zeros([1])]), tf.tensor1d(places, 'int32')), [-1, length]);
    return {
      tokens: {
        policy: inRows(tokenLogProbs(batch, { restrictTo })), // [Q * G, T]
        reference: inRows(tf.tensor1d(prepared.reference)), // [Q * G, T]
        mask: tf.tensor2d(mask, [hits.length, length]),
      },
      hits: tf.tensor2d(hits, [hits.length / groupSize, groupSize]),
    };
  }

  /** Removes the taps from the reference. */
  dispose(): void {
    this.reader?.dispose();
    this.reader = null;
    this.prepared = null;
  }

  /** What the rows of a batch ask. */
  private questionsOf(batch: Batch): Question[] {
    const { trie, historyOf, seen } = this.options;
    const { inputIds, labels, batchSize, sequenceLength } = batch;
    const positions = positionsOf(batch);
    const walk = seen === 'exclude' ? walkTrie(trie, { ...batch, positions }, new Set(), historyOf) : null;
    let p = 0;
    return Array.from({ length: batchSize }, (_, row) => {
      const [start, end] = [row * sequenceLength, (row + 1) * sequenceLength];
      const first = p;
      const response: number[] = [];
      for (; positions[p] < end; p++) response.push(labels[positions[p]]);
      const node = nodeOfPrefix(trie, response);
      if (response.length === 0 || node < 0 || trie.terminalHigh[node] === trie.itemLow[node])
        throw new UnnamedError(
          `each row must end in one response, an item of the trie, got ${response.join(' ') || 'none'} in row ${row} ` +
            'of a batch; promptBatches and groupBatches make such rows',
        );
      const answers = trie.itemOrder.subarray(trie.itemLow[node], trie.terminalHigh[node]);
      const history =
        walk === null || walk.nodes[first] < 0 ? [] : walk.histories[walk.rows[first]].slice(0, walk.lengths[first]);
      return {
        prompt: inputIds.slice(start, positions[first] + 1),
        target: node,
        excluded: history.length === 0 ? null : new Set(history.filter((item) => !answers.includes(item))),
      };
    });
  }

  /** G responses to each question. Each prompt runs once. */
  private async responsesOf(
    questions: readonly Question[],
    model: tfl.LayersModel,
    step: number,
  ): Promise<RankedSequences[]> {
    const { trie, createDecoder, groupSize, groups, temperature, seed, restrictTo } = this.options;
    const found = await rankedSequences(
      createDecoder(model),
      trie,
      questions.map(({ prompt }) => prompt),
      {
        beamWidth: groupSize,
        listLength: groupSize,
        renormalize: restrictTo !== undefined, // as the policy's softmax is
        exclude: questions.map(({ excluded }) => excluded),
        ...(groups === 'sample' && { sampling: { random: createRandom(mixSeeds(seed, step)), temperature } }),
      },
    );
    calledAs(this.name, () => {
      const fewest = Math.min(...found.map(({ nodes }) => nodes.length));
      if (fewest < groupSize)
        throw new UnnamedError(`groupSize must be at most the ${fewest} items that may be listed, got ${groupSize}`);
    });
    return found;
  }
}

/** Where the tokens of each row are among the response positions, [B * T]; padding is at P. T is the longest row. */
function padded({ positions, sequenceLength, batchSize }: TappedBatch): {
  places: Int32Array;
  mask: Float32Array;
  length: number;
} {
  const counts = new Int32Array(batchSize);
  const rows = positions.map((position) => Math.floor(position / sequenceLength));
  for (const row of rows) counts[row]++;
  const length = counts.reduce((most, count) => Math.max(most, count), 0);
  const places = new Int32Array(batchSize * length).fill(positions.length);
  const mask = new Float32Array(batchSize * length);
  counts.fill(0);
  rows.forEach((row, p) => {
    const at = row * length + counts[row]++;
    places[at] = p;
    mask[at] = 1;
  });
  return { places, mask, length };
}

function sameNumbers(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
