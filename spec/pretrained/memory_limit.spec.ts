import { freemem, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { causalLM } from '../../src/models/causal_lm';
import { estimateMemory, type MemoryRequest } from '../../src/pretrained/memory_estimate';
import { type MemoryLimit, memoryLimit } from '../../src/pretrained/memory_limit';
import { nodeMemoryLimit } from '../../src/pretrained/memory_limit_node';
import { refuseAboveMemory } from '../../src/pretrained/refuse_above_memory';
import '../support/backends';

const MiB = 2 ** 20;
/** SmolLM2-135M's shape. */
const smollm2 = {
  model_type: 'llama',
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  tie_word_embeddings: true,
};
const training: MemoryRequest = {
  config: smollm2,
  mode: 'training',
  batchSize: 8,
  sequenceLength: 256,
  responsePositions: 64,
};

describe('memoryLimit', () => {
  before(async () => {
    await tf.setBackend('wasm');
    await tf.ready();
  });

  it('gives wasm what its heap has left', () => {
    const before = memoryLimit();
    expect(before.name).to.equal('the wasm backend');
    const tensor = tf.zeros([1000]);
    expect(before.bytes - memoryLimit().bytes).to.equal(4000);
    expect(before.bytes).to.be.within(4032 * MiB - 50 * MiB, 4032 * MiB);
    tensor.dispose();
    expect(memoryLimit('wasm', { availableBytes: 5 * MiB }).bytes).to.equal(5 * MiB);
  });

  it('gives webgpu the largest binding of its adapter, and the others what the machine has', () => {
    const adapterLimits = { maxBufferSize: 256 * MiB, maxStorageBufferBindingSize: 128 * MiB };
    expect(memoryLimit('webgpu', { adapterLimits })).to.deep.equal({
      name: 'the webgpu backend',
      bytes: Infinity,
      tensorBytes: 128 * MiB,
    });
    expect(memoryLimit('cpu')).to.deep.equal({ name: 'the cpu backend', bytes: Infinity, tensorBytes: Infinity });
    expect(memoryLimit('tensorflow', { availableBytes: 7 })).to.deep.equal({
      name: 'the node backend',
      bytes: 7,
      tensorBytes: Infinity,
    });
    expect(nodeMemoryLimit('cpu').bytes).to.be.within(Math.min(16 * MiB, freemem() / 4), totalmem());
  });
});

describe('refuseAboveMemory', () => {
  const limit = (mebibytes: number): MemoryLimit => ({
    name: 'the wasm backend',
    bytes: mebibytes * MiB,
    tensorBytes: Infinity,
  });
  const refusal = (request: MemoryRequest, allowed: MemoryLimit, caller?: string): string => {
    try {
      refuseAboveMemory(request, { limit: allowed, caller });
    } catch (error) {
      expect(error).to.be.instanceOf(IlrecError);
      return (error as Error).message;
    }
    throw new Error('nothing was refused');
  };

  it('lets through what fits, with its estimate', () => {
    expect(refuseAboveMemory(training, { limit: limit(1e6) })).to.deep.equal(estimateMemory(training));
    const exactly = { ...limit(0), bytes: estimateMemory(training).total };
    expect(refuseAboveMemory(training, { limit: exactly }).total).to.equal(exactly.bytes);
    expect(refusal(training, { ...exactly, bytes: exactly.bytes - 1 })).to.match(/; gradient checkpointing would fit$/);
  });

  it('takes the weights of a model for loaded, and those of a config for still to come', () => {
    const model = causalLM({ vocabSize: 97, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 2 });
    const request: MemoryRequest = { model, mode: 'training', batchSize: 2, sequenceLength: 5 };
    const { total, weights } = estimateMemory(request);
    const left = (bytes: number): MemoryLimit => ({ ...limit(0), bytes });
    expect(refuseAboveMemory(request, { limit: left(total - weights) }).total).to.equal(total);
    expect(refusal(request, left(total - weights - 1))).to.match(/; gradient checkpointing would fit$/);
    expect(refusal(training, left(estimateMemory(training).total - 1))).to.match(/; gradient checkpointing would fit$/);
    model.dispose();
  });

  it('says in one sentence what is needed, for what, and what would fit', () => {
    expect(refusal(training, limit(8192), 'trainRun')).to.match(
      /^trainRun: the wasm backend has 8\.0 GiB left, but \d+\.\d GiB are needed \(weights 513\.1 MiB, gradients 513\.1 MiB, optimizer 1\.0 GiB, activations \d+\.\d GiB, loss [\d.]+ [MG]iB\); gradient checkpointing would fit$/,
    );
  });

  it('names the mildest change that fits: checkpointing, then a smaller batch, adapters or a smaller rank, shorter sequences', () => {
    const wayOut = (request: MemoryRequest, allowed: number): string =>
      refusal(request, { ...limit(0), bytes: allowed }).replace(/^.*; /, '');
    /** The bytes that a changed request needs. */
    const need = (change: Partial<MemoryRequest>): number => estimateMemory({ ...training, ...change }).total;
    const checkpointed = { gradientCheckpointing: true };
    expect(wayOut(training, need(checkpointed))).to.equal('gradient checkpointing would fit');
    expect(wayOut(training, need({ ...checkpointed, batchSize: 2, responsePositions: 16 }))).to.equal(
      'gradient checkpointing and batchSize 2 would fit',
    );
    const lora = { rank: 8, targets: ['q_proj', 'v_proj'] };
    expect(wayOut(training, need({ ...checkpointed, lora }))).to.equal(
      'gradient checkpointing and LoRA of rank 8 on q_proj, v_proj would fit',
    );
    expect(wayOut(training, need({ ...checkpointed, lora, batchSize: 1, responsePositions: 8 }))).to.equal(
      'gradient checkpointing and LoRA of rank 8 on q_proj, v_proj and batchSize 1 would fit',
    );
    expect(
      wayOut(training, need({ ...checkpointed, lora, batchSize: 1, sequenceLength: 64, responsePositions: 2 })),
    ).to.equal(
      'gradient checkpointing and LoRA of rank 8 on q_proj, v_proj and batchSize 1 and sequenceLength 64 would fit',
    );
    const gpt2: MemoryRequest = {
      ...training,
      config: { model_type: 'gpt2', vocab_size: 97, n_embd: 96, n_layer: 6, n_head: 4, n_positions: 256 },
    };
    const onGpt2 = {
      ...gpt2,
      ...checkpointed,
      batchSize: 1,
      responsePositions: 8,
      lora: { rank: 8, targets: ['c_attn'] },
    };
    expect(wayOut(gpt2, estimateMemory(onGpt2).total)).to.equal(
      'gradient checkpointing and LoRA of rank 8 on c_attn and batchSize 1 would fit',
    );
    const adapted: MemoryRequest = {
      ...training,
      ...checkpointed,
      batchSize: 1,
      sequenceLength: 8,
      responsePositions: 4,
      lora: { rank: 64, targets: ['gate_proj', 'up_proj', 'down_proj'] },
    };
    const smaller = estimateMemory({
      ...adapted,
      lora: { rank: 16, targets: ['gate_proj', 'up_proj', 'down_proj'] },
    }).total;
    expect(wayOut(adapted, smaller)).to.equal('LoRA of rank 16 on gate_proj, up_proj, down_proj would fit');
    expect(wayOut(training, 400 * MiB)).to.equal(
      'its weights alone are 513.1 MiB: use a smaller checkpoint or a backend with more memory',
    );
    expect(
      wayOut(
        { config: { ...smollm2, num_hidden_layers: 1 }, mode: 'inference', batchSize: 20, sequenceLength: 9 },
        155 * MiB,
      ),
    ).to.equal('batchSize 5 would fit');
  });

  it('refuses a tensor that the adapter cannot bind, whatever memory there is', () => {
    const adapter: MemoryLimit = { name: 'the webgpu backend', bytes: Infinity, tensorBytes: 128 * MiB };
    const gpt2Medium = {
      model_type: 'gpt2',
      vocab_size: 50257,
      n_embd: 1024,
      n_layer: 24,
      n_head: 16,
      n_positions: 1024,
    };
    expect(refusal({ config: gpt2Medium, mode: 'inference' }, adapter)).to.equal(
      'refuseAboveMemory: the webgpu backend takes tensors of up to 128.0 MiB, got one of 196.3 MiB; use a smaller checkpoint or a backend with more memory',
    );
    expect(refusal({ config: smollm2, mode: 'inference', batchSize: 8, sequenceLength: 256 }, adapter)).to.match(
      /got one of 384\.0 MiB; batchSize 2 would fit$/,
    );
  });
});
