import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { ilrec } from '../../src/ilrec/ilrec';
import { addLora } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { familyOf } from '../../src/models/families';
import type { HuggingFaceConfig } from '../../src/models/hugging_face_config';
import { estimateMemory, type MemoryEstimate, type MemoryRequest } from '../../src/pretrained/memory_estimate';
import { disposeModel } from '../../src/models/dispose_model';
import { gradientCheckpointing } from '../../src/training/gradient_checkpointing';
import { forEachBackend } from '../support/backends';
import { peakBytes } from '../support/peak_memory';
import { SMALL_CONFIG } from '../support/small_checkpoint';

const llama = {
  model_type: 'llama',
  vocab_size: 601,
  hidden_size: 40,
  intermediate_size: 108,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 10,
  tie_word_embeddings: true,
};
const qwen3 = { ...llama, model_type: 'qwen3', head_dim: 14, tie_word_embeddings: false };
const gpt2 = {
  model_type: 'gpt2',
  vocab_size: 601,
  n_embd: 36,
  n_layer: 4,
  n_head: 3,
  n_positions: 64,
  attn_pdrop: 0,
  resid_pdrop: 0,
  embd_pdrop: 0,
};
const large = {
  ...llama,
  vocab_size: 20_011,
  hidden_size: 24,
  intermediate_size: 68,
  head_dim: 6,
  num_hidden_layers: 3,
}; // read tile by tile
// kernels too large to be joined
const wide = { ...llama, vocab_size: 97, hidden_size: 256, intermediate_size: 688, num_hidden_layers: 2, head_dim: 64 };

/** What a step of variableGrads under ILRec's loss holds at its peak beside the weights, by what the engine counts. */
function trainingPeak(config: HuggingFaceConfig, request: MemoryRequest): number {
  const {
    batchSize: B = 0,
    sequenceLength: T = 0,
    responsePositions: P = B * T,
    numNegativeLayers: k = 4,
    lora,
    gradientCheckpointing: checkpoints = false,
  } = request;
  const model = familyOf(config, 'x').build(config, 'x');
  if (lora !== undefined) addLora(model, { rank: lora.rank, targets: [...lora.targets] as string[] });
  const restored = checkpoints ? gradientCheckpointing(model) : null;
  const method = ilrec(k === 0 ? { penaltyWeight: 0, distillationWeight: 0 } : { numNegativeLayers: k });
  model.compile({ optimizer: 'sgd', loss: method.loss });
  method.attach(model);
  const ids = tf.zeros([B, T], 'int32');
  const labels = tf.tensor2d(
    Int32Array.from({ length: B * T }, (_, i) => (i < P ? i % 7 : -100)),
    [B, T],
    'int32',
  );
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const step = (): void => {
    const { value, grads } = tf.variableGrads(() => method.lossOf(ids, labels), variables);
    tf.dispose([value, grads]);
  };
  step(); // what is made once, such as a check that a block repeats, is not a step's
  const bytes = peakBytes(step);
  method.detach();
  restored?.remove();
  disposeModel(model);
  tf.dispose([ids, labels]);
  return bytes;
}

describe('estimateMemory', () => {
  before(async () => void (await tf.setBackend('cpu')));

  it('counts weights, gradients and moments exactly', () => {
    // embedding and head 13 * 12 each; a block: norms 2 * 12, q and o 12 * 12, k and v 12 * 4, MLP 3 * 12 * 17; final
    // norm 12
    const numbers = 2 * 156 + 2 * (24 + 288 + 96 + 612) + 12;
    const of = (request: Partial<MemoryRequest>): number[] => {
      const { weights, gradients, optimizer, activations, loss, total } = estimateMemory({
        config: SMALL_CONFIG,
        mode: 'training',
        ...request,
      });
      expect(total).to.equal(weights + gradients + optimizer + activations + loss);
      return [weights, gradients, optimizer, activations, loss].map((bytes) => bytes / 4);
    };
    expect(of({ mode: 'inference' })).to.deep.equal([numbers, 0, 0, 0, 0]);
    expect(of({})).to.deep.equal([numbers, numbers, 2 * numbers, 0, 0]);
    expect(of({ optimizer: 'adamw' })).to.deep.equal(of({ optimizer: 'adam' }));
    expect(of({ optimizer: 'sgd' })).to.deep.equal([numbers, numbers, 0, 0, 0]);
    // q [12, 12] and v [12, 4] at rank 3, two blocks: 3 * (24 + 16) each; the final norm is trained with them
    const adapters = 2 * 3 * (24 + 16);
    expect(of({ lora: { rank: 3, targets: ['q_proj', /v_proj$/], trainModules: ['norm'] } })).to.deep.equal([
      numbers + adapters,
      adapters + 12,
      2 * (adapters + 12),
      0,
      0,
    ]);
    expect(of({ lora: { rank: 3, targets: ['lm_head'] } })[1]).to.equal(3 * (13 + 12));
    const tied = {
      config: { ...SMALL_CONFIG, tie_word_embeddings: true },
      lora: { rank: 3, targets: ['lm_head/weight'] },
    };
    expect(of(tied)).to.deep.equal([numbers - 156 + 75, 75, 150, 0, 0]);
  });

  for (const [name, config] of Object.entries({ llama, qwen3, gpt2 })) {
    it(`takes the same from a built ${name} as from its config`, () => {
      const model = familyOf(config, 'x').build(config, 'x');
      const request = {
        mode: 'training',
        batchSize: 3,
        sequenceLength: 20,
        numNegativeLayers: 2,
        lora: { rank: 2, targets: [/v_proj|c_attn/] },
      } as const;
      expect(estimateMemory({ ...request, model })).to.deep.equal(estimateMemory({ ...request, config }));
      expect(estimateMemory({ mode: 'inference', model }).weights).to.equal(4 * model.countParams());
      disposeModel(model);
    });
  }

  it('names the largest tensor: a weight, the logits or the scores', () => {
    const largest = (batchSize: number, sequenceLength: number): number =>
      estimateMemory({ config: llama, mode: 'inference', batchSize, sequenceLength }).largestTensor / 4;
    expect(largest(0, 0)).to.equal(601 * 40);
    expect(largest(5, 16)).to.equal(5 * 16 * 601);
    expect(largest(1, 700)).to.equal(4 * 700 * 700);
    expect(
      estimateMemory({ config: llama, mode: 'training', batchSize: 5, sequenceLength: 16, responsePositions: 50 })
        .largestTensor / 4,
    ).to.equal(50 * 601);
  });

  it('grows with the batch, the sequence, the rank and the layers of S, and shrinks with checkpointing and adapters', () => {
    const total = (change: Partial<MemoryRequest>): number =>
      estimateMemory({
        config: llama,
        mode: 'training',
        batchSize: 4,
        sequenceLength: 32,
        responsePositions: 20,
        numNegativeLayers: 1,
        ...change,
      }).total;
    const base = total({});
    for (const larger of [
      { batchSize: 5 },
      { sequenceLength: 33 },
      { responsePositions: 21 },
      { numNegativeLayers: 2 },
    ])
      expect(total(larger), JSON.stringify(larger)).to.be.above(base);
    for (const smaller of [{ gradientCheckpointing: true }, { optimizer: 'sgd' as const }, { numNegativeLayers: 0 }])
      expect(total(smaller), JSON.stringify(smaller)).to.be.below(base);
    const adapted = (rank: number): number =>
      total({ lora: { rank, targets: ['q_proj'] }, gradientCheckpointing: true });
    expect(adapted(1))
      .to.be.below(adapted(8))
      .and.below(total({ gradientCheckpointing: true }));
  });

  forEachBackend((backend) => {
    const cases: [string, HuggingFaceConfig, Partial<MemoryRequest>][] = [
      ['a Llama under ILRec, every position', llama, { batchSize: 2, sequenceLength: 20, numNegativeLayers: 3 }],
      ['a GPT-2', gpt2, { batchSize: 2, sequenceLength: 32, responsePositions: 8, numNegativeLayers: 2 }],
      [
        'adapters on checkpointed blocks',
        gpt2,
        {
          batchSize: 2,
          sequenceLength: 32,
          responsePositions: 6,
          numNegativeLayers: 1,
          lora: { rank: 4, targets: ['c_attn'] },
          gradientCheckpointing: true,
        },
      ],
      [
        'a Llama under ILRec, few response positions',
        llama,
        { batchSize: 4, sequenceLength: 40, responsePositions: 16, numNegativeLayers: 2 },
      ],
      [
        'a Llama under cross-entropy, long sequences',
        llama,
        { batchSize: 1, sequenceLength: 128, responsePositions: 8, numNegativeLayers: 0 },
      ],
      [
        'a Llama with dropout',
        { ...llama, attention_dropout: 0.1 },
        { batchSize: 2, sequenceLength: 64, responsePositions: 8, numNegativeLayers: 1 },
      ],
      ['a wide Llama', wide, { batchSize: 2, sequenceLength: 32, responsePositions: 8, numNegativeLayers: 1 }],
      ['a Qwen3', qwen3, { batchSize: 4, sequenceLength: 32, responsePositions: 16, numNegativeLayers: 2 }],
      [
        'checkpointed blocks',
        llama,
        { batchSize: 4, sequenceLength: 40, responsePositions: 8, numNegativeLayers: 1, gradientCheckpointing: true },
      ],
      [
        'adapters on blocks and a tied head',
        llama,
        {
          batchSize: 2,
          sequenceLength: 32,
          responsePositions: 60,
          numNegativeLayers: 3,
          lora: { rank: 4, targets: ['q_proj', 'lm_head'] },
        },
      ],
      [
        'adapters',
        llama,
        {
          batchSize: 4,
          sequenceLength: 40,
          responsePositions: 8,
          numNegativeLayers: 1,
          lora: { rank: 4, targets: ['q_proj', 'v_proj', 'down_proj'] },
        },
      ],
      [
        'adapters under a large vocabulary',
        large,
        {
          batchSize: 2,
          sequenceLength: 32,
          responsePositions: 30,
          numNegativeLayers: 2,
          lora: { rank: 4, targets: ['q_proj', 'v_proj'] },
        },
      ],
      [
        'adapters and long sequences under a large vocabulary',
        large,
        {
          batchSize: 2,
          sequenceLength: 80,
          responsePositions: 30,
          numNegativeLayers: 2,
          lora: { rank: 4, targets: ['q_proj', 'v_proj'] },
        },
      ],
      [
        'adapters on checkpointed blocks under a large vocabulary',
        large,
        {
          batchSize: 2,
          sequenceLength: 80,
          responsePositions: 30,
          numNegativeLayers: 1,
          lora: { rank: 4, targets: ['q_proj'] },
          gradientCheckpointing: true,
        },
      ],
      [
        'a large vocabulary, tied',
        large,
        { batchSize: 2, sequenceLength: 32, responsePositions: 30, numNegativeLayers: 2 },
      ],
      [
        'a large vocabulary, untied',
        { ...large, tie_word_embeddings: false },
        { batchSize: 2, sequenceLength: 32, responsePositions: 30, numNegativeLayers: 1 },
      ],
      [
        'a large vocabulary under cross-entropy',
        large,
        { batchSize: 2, sequenceLength: 40, responsePositions: 70, numNegativeLayers: 0 },
      ],
    ];
    for (const [name, config, request] of cases.slice(0, backend === 'cpu' ? 3 : cases.length)) {
      it(`is within a quarter of what a step of ${name} holds`, () => {
        const whole = { config, mode: 'training', ...request } as const;
        const { gradients, activations, loss } = estimateMemory(whole);
        expect((gradients + activations + loss) / trainingPeak(config, whole)).to.be.within(0.8, 1.25);
      });
    }

    it('takes no more for the loss of a frozen head when the vocabulary is four times as large', () => {
      const request = {
        mode: 'training',
        batchSize: 2,
        sequenceLength: 32,
        responsePositions: 30,
        numNegativeLayers: 2,
        lora: { rank: 2, targets: ['q_proj'] },
      } as const;
      // where ten times as many logits are made at once
      const streamed = backend === 'tensorflow' ? { ...large, vocab_size: 10 * large.vocab_size } : large;
      const larger = { ...streamed, vocab_size: 4 * streamed.vocab_size };
      const of = (config: HuggingFaceConfig, change: Partial<MemoryRequest> = {}): MemoryEstimate =>
        estimateMemory({ config, ...request, ...change });
      expect(of(larger).loss).to.equal(of(streamed).loss);
      // the embedding; logits never exist as a whole
      expect(of(larger).largestTensor).to.equal(4 * (larger.vocab_size * 24));
      if (backend === 'wasm')
        expect(trainingPeak(larger, request) / trainingPeak(large, request)).to.be.within(0.95, 1.05);
      for (const trained of [{ lora: undefined }, { lora: { ...request.lora, trainModules: ['embed_tokens'] } }]) {
        const [more, less] = [
          of({ ...streamed, vocab_size: 40 * streamed.vocab_size }, trained),
          of(streamed, trained),
        ];
        expect(more.gradients + more.loss).to.be.above(less.gradients + less.loss);
      }
      // its logits are made at once, about four times as many
      const adapted = { lora: { rank: 2, targets: ['lm_head'] } };
      expect(of(larger, adapted).loss / of(streamed, adapted).loss).to.be.within(3.99, 4);
      expect(of(streamed, adapted).loss).to.be.above(of(streamed).loss);
    });

    it('is within a quarter of what a prediction holds @slow', () => {
      for (const [config, batchSize, sequenceLength] of [
        [llama, 2, 24],
        [llama, 1, 160],
        [{ ...llama, vocab_size: 11 }, 3, 32],
        [gpt2, 2, 24],
        [{ ...gpt2, vocab_size: 11, n_positions: 160 }, 1, 160],
        [{ ...gpt2, vocab_size: 11 }, 3, 32],
      ] as const) {
        const model = familyOf(config, 'x').build(config, 'x');
        const ids = tf.zeros([batchSize, sequenceLength], 'int32');
        const held = peakBytes(() => tf.dispose(model.predict(ids)));
        const { activations, loss } = estimateMemory({ config, mode: 'inference', batchSize, sequenceLength });
        expect(Math.max(activations, loss) / held, JSON.stringify([config, batchSize, sequenceLength])).to.be.within(
          0.8,
          1.25,
        );
        ids.dispose();
        disposeModel(model);
      }
    });
  });

  it('refuses what it cannot estimate', () => {
    const refusal =
      (request: Partial<MemoryRequest>): (() => unknown) =>
      () =>
        estimateMemory({ mode: 'training', config: SMALL_CONFIG, ...request });
    expect(refusal({ batchSize: -1 })).to.throw(
      IlrecError,
      'estimateMemory: batchSize must be an integer of 0 or more, got -1',
    );
    expect(refusal({ config: undefined })).to.throw(
      IlrecError,
      'estimateMemory: config or model must be given, got neither; pass config.json of the checkpoint',
    );
    expect(refusal({ lora: { rank: 0, targets: ['q_proj'] } })).to.throw(
      IlrecError,
      'estimateMemory: rank must be a positive integer, got 0',
    );
    expect(refusal({ lora: { rank: 1, targets: ['c_attn'] } })).to.throw(
      IlrecError,
      /^estimateMemory: targets must match weights of the model, got none for c_attn; it has embed_tokens\/weight, /,
    );
    const foreign = tfl.sequential({
      layers: [tfl.layers.embedding({ inputDim: 5, outputDim: 3, inputShape: [4], name: 'table' })],
    });
    expect(refusal({ model: foreign })).to.throw(
      IlrecError,
      'estimateMemory: the model must have blocks of causalLM or loadPretrained, got layers table; measure a training step with tf.profile instead',
    );
    const own = causalLM({
      vocabSize: 7,
      hiddenSize: 8,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      attentionDropout: 0.1,
    });
    expect(estimateMemory({ model: own, mode: 'training', batchSize: 1, sequenceLength: 4 }).total).to.be.above(0);
    [foreign, own].forEach(disposeModel);
  });
});
