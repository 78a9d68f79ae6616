import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, IlrecError } from '../errors';
import { initializerSeed, mixSeeds } from '../ops/dropout';
import { checkTokenIds } from '../ops/token_ids';
import { type CallArgs, type LayerArgs, onlyInput } from './layer_types';
import { projectOntoVocabulary } from './projection';
import { TokenEmbedding } from './token_embedding';

/** Arguments of `ItemEmbedding`. */
export interface ItemEmbeddingArgs extends LayerArgs {
  /** N, items of the catalogue. */
  numItems: number;
  /** D. */
  hiddenSize: number;
  /**
   * The code of each item, [N] lists of the same length: numbers from 0 for each level, as `codesOfSemanticIds` makes
   * them. Default none: each item has its own row and nothing else.
   */
  codes?: readonly ArrayLike<number>[] | null;
  /**
   * Lengths of code prefixes that get a row of their own, beside the rows of single codes: [2] adds one row for each
   * pair of first and second code. Default [2] where codes have two levels or more.
   */
  nodeDepths?: readonly number[] | null;
  /**
   * Whether a learned number is added to the scores of items already in the history, by the loss and by
   * `causalItemScorer`. For data in which people choose items again. Default false.
   */
  useRepeatBias?: boolean;
  /** Factor of the embedded items. Default sqrt(D). */
  inputScale?: number | null;
  /** Standard deviation of the initial rows, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of the initial rows. Default 0. */
  seed?: number;
  /** Rows of each table, which loading needs and `codes` tells otherwise. */
  tableSizes?: readonly number[] | null;
}

/**
 * Embeds items as the sum of rows that similar items share; called on hidden states, it is the tied head that scores
 * all items.
 *
 * ```
 * T_i = E_i + sum over levels l of C^l[c_l(i)] + sum over depths d of Node^d[c_1(i) ... c_d(i)]
 * x_t = sqrt(D) T[i_t],   z_i = h T_i + b_i
 * ```
 * Items with common codes learn from each other, so rare items are placed well. The token N, one more than the last
 * item, begins a history; the head does not score it.
 *
 * Input int32 [B, T] gives [B, T, D]; hidden states [B, T, D] give scores [B, T, N]. In a functional model the second
 * call of the layer is the head. The codes are saved with the weights.
 *
 * @param args see `ItemEmbeddingArgs`.
 * @throws IlrecError when sizes or codes are wrong, or when it is called on a token above N. On WebGPU, tokens that were
 *   computed on the device are not checked.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { ItemEmbedding } from 'tfjs-ilrec';
 *
 * const codes = [[0, 0], [0, 1], [1, 0]]; // three items; the first two share their first code
 * const embedding = new ItemEmbedding({ numItems: 3, hiddenSize: 4, codes });
 * const hidden = embedding.apply(tf.tensor2d([[3, 0, 2]], [1, 3], 'int32')) as tf.Tensor; // 3 begins the history
 * console.log(hidden.shape, (embedding.apply(hidden) as tf.Tensor).shape); // [ 1, 3, 4 ] [ 1, 3, 3 ]
 * ```
 */
export class ItemEmbedding extends TokenEmbedding {
  static override readonly className: string = 'ILRecItemEmbedding';
  override readonly projections: readonly string[] = []; // an adapter has no single weight to add to
  private readonly itemArgs: ItemEmbeddingArgs;
  private readonly parts: Int32Array[];
  private readonly tableSizes: readonly number[];
  private readonly inputScale: number;
  private tables: tfl.LayerVariable[] = [];
  private indices: tfl.LayerVariable[] = [];
  private offsets!: tfl.LayerVariable;
  private repeats: tfl.LayerVariable | null = null;

  constructor(args: ItemEmbeddingArgs) {
    const { numItems, hiddenSize, codes = null, tableSizes = null } = args;
    for (const [name, value] of Object.entries({ numItems, hiddenSize })) {
      if (!Number.isInteger(value) || value < 1)
        throw new IlrecError(`ILRecItemEmbedding: ${name} must be a positive integer, got ${value}`);
    }
    super({ ...args, vocabSize: numItems });
    this.itemArgs = args;
    const rows = codes === null ? [] : tablesOf(codes, numItems, args.nodeDepths ?? null);
    this.parts = rows.map(({ index }) => index);
    this.tableSizes = codes === null ? (tableSizes ?? []) : rows.map(({ size }) => size);
    this.inputScale = args.inputScale ?? Math.sqrt(hiddenSize);
  }

  /** The token that begins a history: N. */
  get startTokenId(): number {
    return this.vocabSize;
  }

  override build(): void {
    const { vocabSize, hiddenSize } = this;
    const { initializerRange = 0.02, seed = 0, useRepeatBias = false } = this.itemArgs;
    const zeros = tfl.initializers.zeros();
    const rows = (name: string, numRows: number, stream: number): tfl.LayerVariable =>
      this.addWeight(
        name,
        [numRows, hiddenSize],
        'float32',
        initializerRange === 0
          ? zeros
          : tfl.initializers.randomNormal({
              mean: 0,
              stddev: initializerRange,
              seed: initializerSeed(mixSeeds(seed, stream)),
            }),
      );
    this.embeddings = rows('weight', vocabSize + 1, 0);
    this.tables = this.tableSizes.map((size, table) => rows(`table_${table}`, size + 1, table + 1)); // the last is the start token's
    this.offsets = this.addWeight('bias', [vocabSize], 'float32', zeros);
    if (useRepeatBias) this.repeats = this.addWeight('repeat_bias', [1], 'float32', zeros);
    this.indices = this.tableSizes.map((size, table) => {
      const index = this.addWeight(`index_${table}`, [vocabSize + 1], 'int32', zeros, undefined, false);
      const part = this.parts[table];
      if (part !== undefined) tf.tidy(() => void index.write(tf.tensor1d(Int32Array.from([...part, size]), 'int32')));
      return index;
    });
    this.built = true;
  }

  /** T of all items, [N, D]. Made at each call, so call it in a tidy; gradients flow into the rows it is made of. */
  override get weight(): tf.Tensor2D {
    return tf.tidy(() => this.composed(null));
  }

  /** b, [N]; owned by the layer. */
  override get bias(): tf.Tensor1D {
    return this.offsets.read() as tf.Tensor1D;
  }

  /** Added to the scores of items already in the history, [1]; null without `useRepeatBias`. */
  get repeatBias(): tf.Tensor1D | null {
    return (this.repeats?.read() ?? null) as tf.Tensor1D | null;
  }

  /** T of some items, int32 [n] to [n, D]. */
  rowsOf(items: tf.Tensor1D): tf.Tensor2D {
    return tf.tidy(() => this.composed(items));
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    const x = onlyInput(inputs, 'ILRecItemEmbedding');
    if (x.rank !== 2) return projectOntoVocabulary(this, x, { training: kwargs.training === true }); // [B, T, N]
    calledAs('ILRecItemEmbedding', () => checkTokenIds(x, this.vocabSize + 1));
    return tf.tidy(() => {
      const flat = this.composed(tf.reshape(tf.cast(x, 'int32'), [-1])); // [B*T, D]
      return tf.reshape(tf.mul(flat, this.inputScale), [...x.shape, this.hiddenSize]);
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    const {
      vocabSize,
      padTokenId: _,
      ...config
    } = super.getConfig() as tf.serialization.ConfigDict & {
      vocabSize: number;
    };
    const { inputScale, tableSizes } = this;
    const { useRepeatBias = false } = this.itemArgs;
    return { ...config, numItems: vocabSize, useRepeatBias, inputScale, tableSizes: [...tableSizes] };
  }

  /** @param items null for all items without the start token. */
  private composed(items: tf.Tensor1D | null): tf.Tensor2D {
    const { vocabSize, hiddenSize } = this;
    const own = this.embeddings.read() as tf.Tensor2D;
    let sum: tf.Tensor = items === null ? tf.slice(own, [0, 0], [vocabSize, hiddenSize]) : tf.gather(own, items);
    this.tables.forEach((table, i) => {
      const index = this.indices[i].read() as tf.Tensor1D; // [N + 1]
      const places = items === null ? tf.slice(index, 0, vocabSize) : tf.gather(index, items);
      sum = tf.add(sum, tf.gather(table.read(), tf.cast(places, 'int32')));
    });
    return sum as tf.Tensor2D;
  }
}

interface Table {
  /** Row of each item, [N]. */
  readonly index: Int32Array;
  readonly size: number;
}

/** The rows that items share: one table for each level, then one for each depth of `nodeDepths`. */
function tablesOf(
  codes: readonly ArrayLike<number>[],
  numItems: number,
  nodeDepths: readonly number[] | null,
): Table[] {
  if (codes.length !== numItems)
    throw new IlrecError(
      `ILRecItemEmbedding: codes must have one list for each of the ${numItems} items, got ${codes.length}`,
    );
  const numLevels = codes[0].length;
  const other = codes.findIndex((code) => code.length !== numLevels);
  if (other >= 0)
    throw new IlrecError(
      `ILRecItemEmbedding: all codes must have ${numLevels} levels, got ${codes[other].length} for item ${other}`,
    );
  const depths = nodeDepths ?? (numLevels >= 2 ? [2] : []);
  const wrong = depths.find((depth) => !(Number.isInteger(depth) && depth >= 2 && depth <= numLevels));
  if (wrong !== undefined)
    throw new IlrecError(
      `ILRecItemEmbedding: nodeDepths must be from 2 to the ${numLevels} levels of the codes, got ${wrong}`,
    );
  const keysOf = [
    ...Array.from({ length: numLevels }, (_, level) => (code: ArrayLike<number>) => String(code[level])),
    ...depths.map((depth) => (code: ArrayLike<number>) => Array.prototype.slice.call(code, 0, depth).join()),
  ];
  return keysOf.map((keyOf) => {
    const rows = new Map<string, number>();
    const index = Int32Array.from(codes, (code) => {
      const key = keyOf(code);
      const row = rows.get(key) ?? rows.size;
      rows.set(key, row);
      return row;
    });
    return { index, size: rows.size };
  });
}
