import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { IlrecError } from '../../src/errors';
import type { CausalDecoder, DecoderState } from '../../src/generation/decoder';
import { generate, type GenerateOptions } from '../../src/generation/generate';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';

const VOCAB = 7;
const prompts = fc.array(fc.array(fc.integer({ min: 0, max: VOCAB - 1 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
});
const settings = fc.record({
  maxNewTokens: fc.integer({ min: 1, max: 6 }),
  numBeams: fc.integer({ min: 1, max: 4 }),
  eosTokenId: fc.constantFrom(null, 2, [1, 4]),
  lengthPenalty: fc.constantFrom(1, 0, 2.5, -0.5),
  earlyStopping: fc.constantFrom<boolean | 'never'>(false, true, 'never'),
});

/** A decoder whose next-token probabilities are a function of the new tokens; the hidden states are the logits. */
function tableDecoder(vocabSize: number, next: (tokens: readonly number[]) => readonly number[]): CausalDecoder {
  interface State extends DecoderState {
    rows: number[][];
    hidden: tf.Tensor2D;
  }
  const logits = (rows: number[][]): tf.Tensor2D =>
    tf.tensor2d(
      rows.map((row) => next(row).map((p) => Math.log(p))),
      [rows.length, vocabSize],
    );
  return {
    vocabSize,
    prefill: (given, beamWidth) => {
      const rows = given.map((): number[] => []);
      return { batchSize: given.length, beamWidth, rows, hidden: logits(rows) } as State;
    },
    hidden: (state) => (state as State).hidden,
    step: (opaque, tokens, parents) => {
      const state = opaque as State;
      const before = state.rows.length / state.batchSize;
      state.rows = Array.from(tokens, (token, row) => [
        ...state.rows[Math.floor(row / state.beamWidth) * before + parents[row]],
        token,
      ]);
      state.hidden.dispose();
      state.hidden = logits(state.rows);
    },
    project: (hidden) => tf.clone(hidden),
    dispose: (state) => (state as State).hidden.dispose(),
  };
}

/** Token 0 ends. A short likely answer, a longer likelier one, and one that pays only after many tokens. */
const threeAnswers = tableDecoder(3, (tokens) => {
  const known: Record<string, number[]> = {
    '': [0.31, 0.6, 0.09],
    '1': [0.5, 0.4, 0.1],
    '2': [0.2, 0.4, 0.4],
    '11': [0.9, 0.06, 0.04],
    '12': [0.8, 0.1, 0.1],
  };
  return known[tokens.join('')] ?? (tokens.every((token) => token === 1) ? [1e-9, 1, 1e-9] : [0.98, 0.01, 0.01]);
});

function logProbability(decoder: FakeDecoder, prompt: readonly number[], tokens: ArrayLike<number>): number {
  return Array.from(tokens).reduce((sum, token, t) => {
    const logits = decoder.logits([...prompt, ...Array.from(tokens).slice(0, t)]);
    return sum + logits[token] - Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
  }, 0);
}

const plain = (rows: { tokens: Int32Array; score: number }[]): { tokens: number[]; score: number }[] =>
  rows.map(({ tokens, score }) => ({ tokens: [...tokens], score }));

describe('generate', () => {
  forEachBackend((backend) => {
    const numRuns = backend === 'cpu' ? 60 : 25;
    const expectRows = (rows: { tokens: Int32Array; score: number }[], expected: [number[], number][]): void => {
      expect(plain(rows).map(({ tokens }) => tokens)).to.deep.equal(expected.map(([tokens]) => tokens));
      rows.forEach(({ score }, at) => expect(score).to.be.closeTo(expected[at][1], 1e-6));
    };

    it('writes the likeliest token each time', async () => {
      // 1 (0.6), then 0 (0.5), which ends: ln(0.6 * 0.5) / 2
      const [rows] = await generate(threeAnswers, [[0]], { maxNewTokens: 9, eosTokenId: 0 });
      expectRows(rows, [[[1, 0], Math.log(0.3) / 2]]);
    });

    it('finds with beams the sequence that starts with a less likely token', async () => {
      // 1 0: 0.55 * 0.4; 0 1: 0.45 * 0.9
      const decoder = tableDecoder(2, (tokens) =>
        tokens.length === 0 ? [0.45, 0.55] : tokens[0] === 0 ? [0.1, 0.9] : [0.6, 0.4],
      );
      const options = { maxNewTokens: 2, lengthPenalty: 0 };
      expectRows((await generate(decoder, [[0]], options))[0], [[[1, 0], Math.log(0.33)]]);
      expectRows((await generate(decoder, [[0]], { ...options, numBeams: 2, numReturnSequences: 2 }))[0], [
        [[0, 1], Math.log(0.405)],
        [[1, 0], Math.log(0.33)],
      ]);
    });

    it('ends early as soon as enough sequences are finished, when none can be better, or when none could ever be', async () => {
      const search = { maxNewTokens: 9, numBeams: 2, numReturnSequences: 2, eosTokenId: 0 };
      // After two tokens 1 0 (0.3) and 0 (0.31) are finished and 1 1 (0.24) runs.
      expectRows((await generate(threeAnswers, [[0]], { ...search, earlyStopping: true }))[0], [
        [[1, 0], Math.log(0.3) / 2],
        [[0], Math.log(0.31)],
      ]);
      // ln(0.24) / 2 beats ln(0.31): one more step finishes 1 1 0; then 1 1 1 (0.0144) at ln(0.0144) / 3 beats nothing.
      expectRows((await generate(threeAnswers, [[0]], { ...search, earlyStopping: false }))[0], [
        [[1, 1, 0], Math.log(0.216) / 3],
        [[1, 0], Math.log(0.3) / 2],
      ]);
      // ln(0.0144) / 9 may still: and nine times 1 does.
      expectRows((await generate(threeAnswers, [[0]], { ...search, earlyStopping: 'never' }))[0], [
        [[1, 1, 1, 1, 1, 1, 1, 1, 1], Math.log(0.0144) / 9],
        [[1, 1, 0], Math.log(0.216) / 3],
      ]);
    });

    it('divides by the length to the power of the penalty', async () => {
      const search = { maxNewTokens: 3, numBeams: 2, numReturnSequences: 2, eosTokenId: 0 };
      // At 0 the shorter sequences stay ahead: 1 1 0 has 0.216.
      expectRows((await generate(threeAnswers, [[0]], { ...search, lengthPenalty: 0 }))[0], [
        [[0], Math.log(0.31)],
        [[1, 0], Math.log(0.3)],
      ]);
      expectRows((await generate(threeAnswers, [[0]], { ...search, lengthPenalty: 2 }))[0], [
        [[1, 1, 0], Math.log(0.216) / 9],
        [[1, 0], Math.log(0.3) / 4],
      ]);
    });

    it('does not finish a candidate behind the best beams', async () => {
      // 0 (0.2) would end but is third of two beams; both beams go on and then end.
      const decoder = tableDecoder(3, (tokens) => (tokens.length === 0 ? [0.2, 0.5, 0.3] : [0.8, 0.1, 0.1]));
      const [rows] = await generate(decoder, [[0]], {
        maxNewTokens: 4,
        numBeams: 2,
        numReturnSequences: 2,
        eosTokenId: 0,
        lengthPenalty: 0,
      });
      expectRows(rows, [
        [[1, 0], Math.log(0.4)],
        [[2, 0], Math.log(0.24)],
      ]);
    });

    it('takes the lower of equally likely tokens', async () => {
      const decoder = tableDecoder(4, () => [0.1, 0.3, 0.3, 0.3]);
      expectRows((await generate(decoder, [[0]], { maxNewTokens: 2 }))[0], [[[1, 1], Math.log(0.3)]]);
      const [rows] = await generate(decoder, [[0]], { maxNewTokens: 1, numBeams: 2, numReturnSequences: 2 });
      expect(rows.map(({ tokens }) => [...tokens])).to.deep.equal([[1], [2]]);
    });

    it('equals scoring every sequence when the beam is wide', async () => {
      const decoder = new FakeDecoder(5);
      const [rows] = await generate(decoder, [[3, 1]], {
        maxNewTokens: 3,
        numBeams: 25,
        numReturnSequences: 25,
        lengthPenalty: 0,
      });
      const all = Array.from({ length: 125 }, (_, n) => [Math.floor(n / 25), Math.floor(n / 5) % 5, n % 5]);
      const scored = all
        .map((tokens) => ({ tokens, score: logProbability(decoder, [3, 1], tokens) }))
        .sort((a, b) => b.score - a.score);
      expectRows(
        rows,
        scored.slice(0, 25).map(({ tokens, score }): [number[], number] => [tokens, score]),
      );
    });

    it('gives each prompt of a batch what it gets alone, and every sequence its own probability', async () => {
      await fc.assert(
        fc.asyncProperty(prompts, settings, async (batch, options) => {
          const decoder = new FakeDecoder(VOCAB);
          const ends = [options.eosTokenId ?? []].flat();
          const together = await generate(decoder, batch, { ...options, numReturnSequences: options.numBeams });
          for (const [at, rows] of together.entries()) {
            const [alone] = await generate(decoder, [batch[at]], { ...options, numReturnSequences: options.numBeams });
            expect(plain(alone)).to.deep.equal(plain(rows));
            expect(rows).to.have.length(options.numBeams);
            expect(new Set(rows.map(({ tokens }) => tokens.join())).size).to.equal(rows.length);
            rows.forEach(({ tokens, score }, rank) => {
              expect(score).to.be.closeTo(
                logProbability(decoder, batch[at], tokens) / tokens.length ** options.lengthPenalty,
                1e-4 * Math.max(1, Math.abs(score)),
              );
              if (rank > 0) expect(score).to.be.at.most(rows[rank - 1].score);
              const end = tokens.findIndex((token) => ends.includes(token));
              expect(tokens.length).to.equal(end >= 0 ? end + 1 : options.maxNewTokens);
            });
          }
          expect(decoder.openStates).to.equal(0);
        }),
        { numRuns },
      );
    });

    it('stops when every prompt is done, and runs each prompt once', async () => {
      const decoder = new FakeDecoder(VOCAB);
      const [first, second] = await generate(decoder, [[3], [4, 5]], { maxNewTokens: 6 });
      expect([decoder.prefills, decoder.prefilledTokens, decoder.steps]).to.deep.equal([1, 3, 5]);
      const ends = [first[0].tokens[2], second[0].tokens[1]];
      const shorter = new FakeDecoder(VOCAB);
      const rows = await generate(shorter, [[3], [4, 5]], { maxNewTokens: 6, eosTokenId: ends });
      expect(shorter.steps).to.equal(Math.max(...rows.map(([{ tokens }]) => tokens.length)) - 1);
    });

    it('returns fewer sequences where the vocabulary holds no more', async () => {
      const [rows] = await generate(new FakeDecoder(2), [[1]], { maxNewTokens: 1, numBeams: 5, numReturnSequences: 5 });
      expect(rows.map(({ tokens }) => [...tokens]).sort()).to.deep.equal([[0], [1]]);
    });

    it('never writes a token of probability 0', async () => {
      const decoder = tableDecoder(3, () => [0, 1, 0]);
      const [rows] = await generate(decoder, [[0]], { maxNewTokens: 3, numBeams: 2, numReturnSequences: 2 });
      expectRows(rows, [[[1, 1, 1], 0]]);
    });

    it('gives nothing for no prompts', async () => {
      const decoder = new FakeDecoder(VOCAB);
      expect(await generate(decoder, [], { maxNewTokens: 3 })).to.deep.equal([]);
      expect(decoder.prefills).to.equal(0);
    });

    for (const [options, message] of [
      [{ maxNewTokens: 0 }, 'generate: maxNewTokens must be an integer of at least 1, got 0'],
      [{ maxNewTokens: 2, numBeams: 1.5 }, 'generate: numBeams must be an integer of at least 1, got 1.5'],
      [
        { maxNewTokens: 2, numReturnSequences: 2 },
        'generate: numReturnSequences must be at most numBeams, got 2 and 1; raise numBeams',
      ],
      [{ maxNewTokens: 2, lengthPenalty: NaN }, 'generate: lengthPenalty must be a finite number, got NaN'],
      [{ maxNewTokens: 2, eosTokenId: [2, 7] }, 'generate: eosTokenId must be token ids in [0, 7), got 7'],
    ] as [GenerateOptions, string][]) {
      it(`refuses: ${message.slice('generate: '.length)}`, async () => {
        await expectRefused(generate(new FakeDecoder(VOCAB), [[1]], options), message);
      });
    }

    it('refuses prompts that the decoder cannot read', async () => {
      const decoder = new FakeDecoder(VOCAB);
      await expectRefused(
        generate(decoder, [[1], []], { maxNewTokens: 2 }),
        'generate: a prompt must have at least one token, got none for prompt 1',
      );
      await expectRefused(
        generate(decoder, [[1, 7]], { maxNewTokens: 2 }),
        'generate: prompt tokens must be integers in [0, 7), got 7 at position 1 of prompt 0',
      );
      expect(decoder.prefills).to.equal(0);
    });

    it('says that weights have diverged, and frees its state', async () => {
      const numTensors = tf.memory().numTensors;
      const decoder = tableDecoder(2, (tokens) => (tokens.length === 2 ? [NaN, 0.5] : [0.5, 0.5]));
      await expectRefused(
        generate(decoder, [[0]], { maxNewTokens: 4, numBeams: 2 }),
        "generate: logits must be numbers, got NaN; the model's weights have diverged",
      );
      expect(tf.memory().numTensors).to.equal(numTensors);
    });

    it('leaves no tensor behind', async () => {
      const numTensors = tf.memory().numTensors;
      const decoder = new FakeDecoder(VOCAB);
      await generate(decoder, [[1, 2], [3]], { maxNewTokens: 4, numBeams: 3, eosTokenId: 2 });
      expect(tf.memory().numTensors).to.equal(numTensors);
    });
  });
});

async function expectRefused(work: Promise<unknown>, message: string): Promise<void> {
  let error: unknown = null;
  await work.catch((thrown: unknown) => (error = thrown));
  expect(error).to.be.instanceOf(IlrecError);
  expect((error as IlrecError).message).to.equal(message);
}
