/**
 * Writes checkpoints and adapters for check_written.py to read with transformers and peft: `npx tsx
 * spec/golden/write_for_check.ts OUT`. Each folder holds what a user of this package would have written, changed from
 * the golden one, and ours.json with what we compute.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { addLora, type LoraAdapter, type LoraOptions } from '../../src/lora';
import { saveAdapter } from '../../src/lora/peft_files_node';
import type { Pretrained } from '../../src/pretrained/load_pretrained';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { resizeTokenEmbeddings } from '../../src/pretrained/resize_embeddings';
import { savePretrained, type SavePretrainedOptions } from '../../src/pretrained/save_pretrained_node';
import type { TextTokenizer } from '../../src/tokenizers/text_tokenizer';
import { checkpointFolder, goldenCheckpoints, readGoldenCheckpoint } from '../support/golden';
import '../support/backends';
import { normals } from '../support/random';

const TOLERANCE = 1e-4;
const NEW_TOKENS = ['<a_1>', '<a_2>', '<b_17>'];
const TEXTS = ['Cordless drill 18V', 'bought <a_1><b_17> and <a_2>; Größe 13 mm 🔧', '<a_1>'];

/** Moves every weight, so that nothing written is merely the file that was read. */
function move(variables: readonly tfl.LayerVariable[], scale: number): void {
  variables.forEach((variable, at) => {
    tf.tidy(() => {
      variable.write(
        tf.add(variable.read(), tf.tensor(normals(variable.read().size, at + 1, scale), variable.shape as number[])),
      );
    });
  });
}

function logitsOf(model: tfl.LayersModel, prompt: readonly number[]): { shape: number[]; float32: string } {
  return tf.tidy(() => {
    const logits = tf.squeeze(model.predict(tf.tensor2d([...prompt], [1, prompt.length], 'int32')) as tf.Tensor, [0]);
    return {
      shape: logits.shape,
      float32: Buffer.from((logits.dataSync() as Float32Array).slice().buffer).toString('base64'),
    };
  });
}

function note(folder: string, ours: Record<string, unknown>): void {
  writeFileSync(join(folder, 'ours.json'), JSON.stringify({ tolerance: TOLERANCE, texts: null, ...ours }));
  console.log(folder);
}

const textsOf = (tokenizer: TextTokenizer | null): unknown =>
  tokenizer && TEXTS.map((text) => ({ text, ids: [...tokenizer.encode(text)] }));

/** A checkpoint in some precision; its logits are those of what the file holds. */
async function writeCheckpoint(
  out: string,
  name: string,
  checkpoint: string,
  change: (loaded: Pretrained) => Partial<SavePretrainedOptions>,
  options: Partial<SavePretrainedOptions>,
): Promise<void> {
  const folder = join(out, name);
  const loaded = await loadPretrained(checkpointFolder(checkpoint));
  move(loaded.model.weights, 0.05);
  const written = { ...loaded, ...change(loaded) };
  await savePretrained(folder, { ...written, ...options });
  const { model, tokenizer } = options.dtype === undefined ? written : await loadPretrained(folder);
  const { prompts } = readGoldenCheckpoint(checkpoint);
  note(folder, { prompt: prompts[0], logits: logitsOf(model, prompts[0]), texts: textsOf(tokenizer ?? null) });
}

/** New tokens in tokenizer, embedding and head. */
function withNewTokens({ model, tokenizer }: Pretrained): Partial<SavePretrainedOptions> {
  if (tokenizer === null) throw new Error('withNewTokens: the checkpoint must have a tokenizer');
  const extended = tokenizer.addTokens(NEW_TOKENS);
  return {
    model: resizeTokenEmbeddings(model, Math.max(extended.vocabSize, model.outputs[0].shape[2] as number)),
    tokenizer: extended,
  };
}

function adapted(model: tfl.LayersModel, options: LoraOptions): LoraAdapter {
  const adapter = addLora(model, options);
  move(adapter.parameters, 0.3);
  return adapter;
}

async function writeAdapter(out: string, name: string, base: string, options: LoraOptions): Promise<void> {
  const folder = join(out, name);
  const { model } = await loadPretrained(checkpointFolder(base));
  const adapter = adapted(model, options);
  await saveAdapter(adapter, folder);
  const { prompts } = readGoldenCheckpoint(base);
  const isTied = model.layers.every((layer) => layer.name !== 'lm_head');
  // peft wants a tied embedding under both of its names
  const twice = isTied ? adapter.modules.reduce((sum, { copy }) => sum + copy.read().size, 0) : 0;
  note(folder, {
    base,
    prompt: prompts[0],
    logits: logitsOf(model, prompts[0]),
    numbers: adapter.numParameters + twice,
  });
}

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('write_for_check: give a folder to write to');
mkdirSync(out, { recursive: true });
await tf.setBackend('wasm');
for (const name of goldenCheckpoints) await writeCheckpoint(out, name, name, () => ({}), { maxShardBytes: 5e4 });
await writeCheckpoint(out, 'llama3_f16', 'llama3', () => ({}), { dtype: 'F16' });
await writeCheckpoint(out, 'qwen3_bf16', 'qwen3', () => ({}), { dtype: 'BF16' });
for (const name of ['llama2', 'llama3', 'mistral', 'qwen2', 'gpt2', 'gpt2_untied', 'smollm2'])
  await writeCheckpoint(out, `${name}_new_tokens`, name, withNewTokens, {});
for (const name of ['llama2', 'gpt2']) {
  const merged = ({ model }: Pretrained): Partial<SavePretrainedOptions> => {
    adapted(model, {
      targets: ['q_proj', 'down_proj', 'c_attn', 'mlp_c_proj'].filter((target) =>
        model.weights.some((weight) => weight.originalName.endsWith(target)),
      ),
      rank: 3,
    }).merge();
    return {};
  };
  await writeCheckpoint(out, `${name}_merged`, name, merged, {});
}
await writeAdapter(out, 'llama3_adapter', 'llama3', { targets: ['q_proj', 'v_proj', 'down_proj'], rank: 3, alpha: 7 });
await writeAdapter(out, 'mistral_adapter', 'mistral', { targets: /_proj$/, rank: 2, alpha: 5, rsLora: true });
await writeAdapter(out, 'llama2_head_adapter', 'llama2', {
  targets: ['q_proj', 'lm_head/weight'],
  rank: 5,
  alpha: 4,
  rsLora: true,
});
await writeAdapter(out, 'gpt2_adapter', 'gpt2', { targets: ['c_attn', 'c_proj', 'c_fc'], rank: 3, alpha: 7 });
await writeAdapter(out, 'gpt2_untied_head_adapter', 'gpt2_untied', {
  targets: ['c_fc', 'lm_head/weight'],
  rank: 3,
  alpha: 7,
});
await writeAdapter(out, 'llama2_modules_adapter', 'llama2', {
  targets: 'o_proj',
  rank: 2,
  trainModules: ['embed_tokens', 'lm_head'],
});
await writeAdapter(out, 'qwen2_tied_modules_adapter', 'qwen2', {
  targets: 'k_proj',
  rank: 2,
  trainModules: ['embed_tokens'],
});
await writeAdapter(out, 'qwen3_adapter', 'qwen3', {
  targets: (path) => /layers_[02]\/(q_proj|up_proj)$/.test(path),
  rank: 2,
});
process.exit(0);
