import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import type { CausalLMConfig } from '../../src/models/causal_lm';
import { familyOf } from '../../src/models/families';
import type { HuggingFaceConfig } from '../../src/models/hugging_face_config';
import { llamaConfig } from '../../src/models/llama';
import { mistralConfig } from '../../src/models/mistral';
import { qwen2Config } from '../../src/models/qwen2';
import { qwen3Config } from '../../src/models/qwen3';
import { rotaryFrequencies } from '../../src/ops/rotary_frequencies';

/** Made by transformers; see the file's `source`. */
interface Golden {
  cases: (
    | { config: HuggingFaceConfig; error: string }
    | { config: HuggingFaceConfig; frequencies: number[]; amplitude: number; windows: (number | null)[] }
  )[];
}
const golden = JSON.parse(readFileSync(new URL('../golden/configs.json', import.meta.url), 'utf8')) as Golden;
const READERS: Record<string, (config: HuggingFaceConfig, source: string) => CausalLMConfig> = {
  llama: llamaConfig,
  mistral: mistralConfig,
  qwen2: qwen2Config,
  qwen3: qwen3Config,
};
const { config: sizes } = golden.cases[0];
const llama = { ...sizes, rope_scaling: undefined, rope_parameters: undefined };

function windowsOf({ numHiddenLayers = 0, slidingWindow = null, layerTypes }: CausalLMConfig): (number | null)[] {
  return Array.from({ length: numHiddenLayers }, (_, i) =>
    layerTypes?.[i] === 'full_attention' ? null : slidingWindow,
  );
}

describe('A config.json', () => {
  for (const one of golden.cases) {
    const { model_type: type, ...settings } = one.config;
    const own = Object.entries(settings).filter(([key, value]) => sizes[key] !== value);
    const read = (): CausalLMConfig => READERS[type as string](one.config, 'x');

    if ('error' in one)
      it(`is refused as transformers cannot run it: ${type} ${JSON.stringify(Object.fromEntries(own))}`, () => {
        expect(read).to.throw(
          IlrecError,
          /^loadPretrained: .* in x\/config\.json must|^loadPretrained: x\/config\.json/,
        );
      });
    else
      it(`means what transformers makes of it: ${type} ${JSON.stringify(Object.fromEntries(own))}`, () => {
        const config = read();
        const { headDim = 0, ropeTheta = NaN, ropeScaling } = config;
        const { frequencies, amplitude } = rotaryFrequencies(headDim, ropeTheta, ropeScaling);
        expect(frequencies).to.have.length(one.frequencies.length);
        one.frequencies.forEach((frequency, i) => expect(frequencies[i] / frequency).to.be.closeTo(1, 1e-6));
        expect(amplitude).to.be.closeTo(one.amplitude, 1e-7);
        expect(windowsOf(config)).to.deep.equal(one.windows);
      });
  }

  it('is refused where its layers would have settings that the family does not have', () => {
    const mixed = ['full_attention', 'sliding_attention', 'full_attention'];
    expect(() => mistralConfig({ ...llama, sliding_window: 4, layer_types: mixed }, 'x')).to.throw(
      IlrecError,
      'loadPretrained: layer_types in x/config.json must be "sliding_attention" for every layer, because ' +
        'sliding_window is 4, got "full_attention" for layer 0; use the checkpoint\'s own config',
    );
    expect(() => mistralConfig({ ...llama, sliding_window: null, layer_types: mixed }, 'x', 'estimateMemory')).to.throw(
      'estimateMemory: layer_types in x/config.json must be "full_attention" for every layer, because ' +
        'sliding_window is null, got "sliding_attention" for layer 1',
    );
    expect(() => llamaConfig({ ...llama, layer_types: mixed }, 'x')).to.throw('because a Llama has no window');
    expect(() => qwen2Config({ ...llama, layer_types: mixed }, 'x')).to.throw('because it sets no window');
    expect(() => qwen3Config({ ...llama, layer_types: mixed.slice(1) }, 'x')).to.throw(
      'loadPretrained: layer_types in x/config.json must have one entry for each of the 3 layers, got 2',
    );
    const perLayer = { full_attention: { rope_theta: 5e5 }, sliding_attention: { rope_theta: 1e4 } };
    expect(() => llamaConfig({ ...llama, rope_parameters: perLayer }, 'x')).to.throw(
      'loadPretrained: x/config.json must use a supported rotary embedding, got settings of their own for ' +
        '"full_attention" layers; they must be the same for all layers',
    );
    expect(() => llamaConfig({ ...llama, partial_rotary_factor: 0.25 }, 'x')).to.throw(
      'got partial_rotary_factor 0.25; it must be 1',
    );
  });

  it('is refused where a name is one that every JavaScript object has', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
      expect(() => llamaConfig({ ...llama, rope_scaling: { rope_type: name, factor: 2 } }, 'x'), name).to.throw(
        IlrecError,
        `got rope_type "${name}"; it must be one of default, linear, llama3, yarn`,
      );
      expect(() => llamaConfig({ ...llama, rope_scaling: { type: name, factor: 2 } }, 'x'), name).to.throw(IlrecError);
      expect(() => llamaConfig({ ...llama, hidden_act: name }, 'x'), name).to.throw(IlrecError, 'hidden_act');
      expect(() => familyOf({ ...llama, model_type: name }, 'x'), name).to.throw(IlrecError, `got "${name}"`);
      expect(() => llamaConfig({ ...llama, layer_types: [name, name, name] }, 'x'), name).to.throw(IlrecError);
    }
  });
});
