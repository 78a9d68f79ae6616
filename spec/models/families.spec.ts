import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { FAMILIES, familyOf } from '../../src/models/families';
import type { HuggingFaceConfig } from '../../src/models/hugging_face_config';
import { llamaConfig } from '../../src/models/llama';
import { mistralConfig } from '../../src/models/mistral';
import { qwen2Config } from '../../src/models/qwen2';
import { qwen3Config } from '../../src/models/qwen3';

const sizes = {
  vocab_size: 31,
  hidden_size: 24,
  intermediate_size: 29,
  num_hidden_layers: 3,
  num_attention_heads: 6,
  num_key_value_heads: 2,
};
const llama: HuggingFaceConfig = { model_type: 'llama', architectures: ['LlamaForCausalLM'], ...sizes };
const gpt2: HuggingFaceConfig = {
  model_type: 'gpt2',
  vocab_size: 31,
  n_positions: 17,
  n_embd: 24,
  n_layer: 2,
  n_head: 3,
};
const rope = (rope_scaling: object): HuggingFaceConfig => ({ ...llama, rope_scaling });

describe('familyOf', () => {
  before(async () => {
    await tf.setBackend('cpu');
  });

  it("finds each family by model_type, and builds every weight that its table names with the table's shape", () => {
    for (const [config, weights] of [
      [llama, 29 + 1],
      [{ ...llama, model_type: 'mistral', architectures: [] }, 30],
      [{ ...llama, model_type: 'qwen2', architectures: undefined }, 39],
      [{ ...llama, model_type: 'qwen3', architectures: undefined }, 36],
      [gpt2, 28],
    ] as [HuggingFaceConfig, number][]) {
      const family = familyOf(config, 'here');
      expect(family.modelType).to.equal(config.model_type);
      const model = family.build(config, 'here');
      const table = family.weights(config, 'here');
      expect(table.length, family.modelType).to.equal(weights);
      expect(model.weights.length).to.equal(table.length);
      for (const { layer, weight, shape, transposed } of table) {
        const variable = model
          .getLayer(layer)
          .weights.find(({ originalName }) => originalName === `${layer}/${weight}`);
        expect(variable?.shape, `${layer}/${weight}`).to.deep.equal(transposed ? [...shape].reverse() : shape);
      }
      model.dispose();
    }
  });

  it('has a prefix and tensors to ignore that no weight of its own falls under', () => {
    for (const family of FAMILIES) {
      const table = family.weights(
        { ...llama, ...gpt2, head_dim: undefined, tie_word_embeddings: false, attention_bias: true },
        'here',
      );
      expect(table.filter(({ name }) => family.ignored.test(name))).to.deep.equal([]);
      expect(table.filter(({ name }) => !name.startsWith(family.basePrefix)).map(({ name }) => name)).to.deep.equal([
        'lm_head.weight',
      ]);
    }
  });

  it('refuses an unknown architecture by naming those it knows', () => {
    expect(() => familyOf({ model_type: 'mamba' }, 'my/model')).to.throw(
      'familyOf: model_type in my/model/config.json must be one of llama, mistral, qwen2, qwen3, gpt2, got "mamba"; use a checkpoint of one of these families',
    );
    expect(() => familyOf({}, 'x')).to.throw('got undefined;');
    expect(() => familyOf({ ...llama, architectures: ['LlamaForSequenceClassification'] }, 'x')).to.throw(
      'architectures in x/config.json must name LlamaForCausalLM, got ["LlamaForSequenceClassification"]',
    );
  });
});

describe('configs of checkpoints', () => {
  it('fall back to what the family means when a field is absent', () => {
    expect(llamaConfig({ ...llama, num_key_value_heads: undefined }, 'x')).to.include({
      numKeyValueHeads: 6,
      headDim: 4,
      ropeTheta: 10000,
      rmsNormEps: 1e-6,
      tieWordEmbeddings: false,
      hiddenAct: 'silu',
    });
    expect(mistralConfig(llama, 'x').slidingWindow).to.equal(4096);
    expect(mistralConfig({ ...llama, sliding_window: null }, 'x').slidingWindow).to.equal(null);
    expect(qwen3Config(llama, 'x')).to.include({ headDim: 128, qkNorm: true, qkvBias: false });
  });

  it("use Qwen's sliding window only where it is switched on, from max_window_layers on", () => {
    expect(qwen2Config({ ...llama, sliding_window: 8, max_window_layers: 1 }, 'x').slidingWindow).to.equal(null);
    const on = qwen2Config({ ...llama, sliding_window: 8, max_window_layers: 1, use_sliding_window: true }, 'x');
    expect(on.slidingWindow).to.equal(8);
    expect(on.layerTypes).to.deep.equal(['full_attention', 'sliding_attention', 'sliding_attention']);
  });

  it('read rotary settings of older and newer configs alike', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    const older = llamaConfig({ ...llama, rope_theta: 777, rope_scaling: { type: 'llama3', ...scaling } }, 'x');
    const newer = llamaConfig({ ...llama, rope_parameters: { rope_type: 'llama3', rope_theta: 777, ...scaling } }, 'x');
    expect(older).to.deep.equal(newer);
    expect(older.ropeScaling).to.deep.equal({
      ropeType: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 64,
    });
    expect(
      llamaConfig({ ...llama, max_position_embeddings: 99, ...rope({ rope_type: 'yarn', factor: 2 }) }, 'x')
        .ropeScaling,
    ).to.deep.equal({ ropeType: 'yarn', factor: 2, originalMaxPositionEmbeddings: 99 });
  });

  it('refuse what is not supported by one sentence', () => {
    expect(() => llamaConfig(rope({ rope_type: 'dynamic', factor: 2 }), 'x')).to.throw(
      'x/config.json must use a supported rotary embedding, got rope_type "dynamic"; it must be one of default, linear, llama3, yarn',
    );
    expect(() => llamaConfig(rope({ rope_type: 'linear' }), 'x')).to.throw('got rope_type linear with');
    expect(() => llamaConfig(rope({ rope_type: 'default', partial_rotary_factor: 0.5 }), 'x')).to.throw(
      'partial_rotary_factor 0.5; it must be 1',
    );
    expect(() => llamaConfig({ ...llama, quantization_config: { bits: 4 } }, 'x')).to.throw(
      'quantised checkpoints are not supported',
    );
    expect(() => llamaConfig({ ...llama, num_key_value_heads: 4 }, 'x', 'estimateMemory')).to.throw(
      "estimateMemory: num_key_value_heads in x/config.json must divide num_attention_heads, got 4 and 6; use the checkpoint's own config",
    );
    expect(() => llamaConfig({ ...llama, hidden_size: 30 }, 'x')).to.throw(
      "loadPretrained: hidden_size / num_attention_heads in x/config.json must be even, got 30 / 6; use the checkpoint's own config",
    );
    expect(() => llamaConfig({ ...llama, hidden_act: 'swiglu' }, 'x')).to.throw('hidden_act');
    expect(() => llamaConfig({ ...llama, hidden_size: '24' }, 'x')).to.throw('hidden_size');
    expect(() => familyOf(gpt2, 'x').build({ ...gpt2, n_head: 5 }, 'x')).to.throw(
      'loadPretrained: n_head in x/config.json must divide n_embd, got 5 and 24',
    );
    expect(() => familyOf(gpt2, 'x').build({ ...gpt2, add_cross_attention: true }, 'x')).to.throw(
      'cross attention is not supported',
    );
  });
});
