import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { PrefixTrie } from '../generation/prefix_trie';
import { IlrecError } from '../errors';
import { TokenEmbedding } from '../layers';

/** Reads a table that is made, or only looked at, in a tidy. */
export async function readVectors(table: () => tf.Tensor2D): Promise<Float32Array> {
  const copy = tf.tidy(() => tf.clone(table()));
  return (await copy.data().finally(() => copy.dispose())) as Float32Array;
}

/**
 * A vector per item of a model that writes items token by token: the mean of the embeddings of the item's tokens.
 *
 * @param trie the items' token sequences.
 * @returns [N, D] flat.
 * @throws IlrecError when the model has no embedding of tokens that is known here.
 */
export async function tokenVectors(model: tfl.LayersModel, trie: PrefixTrie): Promise<Float32Array> {
  const embedding = model.layers.find((layer) => layer instanceof TokenEmbedding);
  if (embedding === undefined)
    throw new IlrecError(
      `similar: the model must have an ILRecTokenEmbedding layer, got ` +
        `${model.layers.map((layer) => layer.getClassName()).join(', ')}; use a run of another method`,
    );
  const rows = await readVectors(() => embedding.weight); // [V, D] flat
  const size = embedding.hiddenSize;
  const vectors = new Float32Array(trie.numItems * size);
  const walk = (node: number, depth: number, sum: Float64Array): void => {
    for (let i = trie.itemLow[node]; i < trie.terminalHigh[node]; i++)
      vectors.set(
        sum.map((value) => value / depth),
        trie.itemOrder[i] * size,
      );
    for (let edge = trie.childStart[node]; edge < trie.childStart[node + 1]; edge++) {
      const from = trie.childToken[edge] * size;
      walk(
        edge + 1,
        depth + 1,
        sum.map((value, d) => value + rows[from + d]),
      );
    }
  };
  walk(0, 0, new Float64Array(size));
  return vectors;
}
