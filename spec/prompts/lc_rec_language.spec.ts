import { expect } from 'chai';
import { lcRecLanguage, type LcRecLanguageOptions } from '../../src/prompts/lc_rec_language';
import type { Batches } from '../../src/training/batches';
import { promptBatches } from '../../src/training/prompt_batches';
import { byteTokenizer, BOS, EOS, PAD } from '../support/byte_tokenizer';

const tokenizer = byteTokenizer();
const semanticIds = [
  ['<a_0>', '<b_0>'],
  ['<a_0>', '<b_1>'],
  ['<a_1>', '<b_0>'],
  ['<a_1>', '<b_0>'],
];
const titles = ['Saw', 'Drill', null, 'Nut'];
const templates = {
  format: '{prompt}=',
  history: { separator: '|', empty: '-' },
  tasks: {
    nextItem: { templates: ['H:[{history:id}]', 'Then? [{history:id}]'] },
    nextItemFromTitles: { templates: ['T:[{history:title}]'] },
    nextTitle: { templates: ['N:[{history:id}]'] },
    idOfTitle: { templates: ['I:{title}'] },
    titleOfId: { templates: ['W:{id}'] },
  },
};

function language(options: Partial<LcRecLanguageOptions> = {}): ReturnType<typeof lcRecLanguage> {
  return lcRecLanguage({ tokenizer, semanticIds, titles, templates, ...options });
}

/** Text of tokens, special ones too. */
function textOf({ tokenizer: own }: { tokenizer: typeof tokenizer }, tokens: Int32Array): string {
  return own.decode(tokens);
}

describe('lcRecLanguage', () => {
  it('gives each token of the ids one id of its own behind those of the tokenizer, by level', () => {
    // 256 bytes and three special tokens come first: <a_0> 259, <a_1> 260, <b_0> 261, <b_1> 262
    const made = language();
    expect(made.itemTokens.map((tokens) => [...tokens])).to.deep.equal([
      [259, 261],
      [259, 262],
      [260, 261],
      [260, 261],
    ]);
    expect(made.vocabSize).to.equal(263);
    expect(made.responseTokens).to.deep.equal([259, 260, 261, 262]);
    expect(made.semanticIdTokens).to.deep.equal([
      { token: '<a_0>', level: 0, id: 259, isNew: true },
      { token: '<a_1>', level: 0, id: 260, isNew: true },
      { token: '<b_0>', level: 1, id: 261, isNew: true },
      { token: '<b_1>', level: 1, id: 262, isNew: true },
    ]);
    expect([made.padTokenId, made.eosTokenId]).to.deep.equal([PAD, EOS]);
    expect(tokenizer.vocabSize).to.equal(259);
  });

  it('keeps the ids of a tokenizer that has the tokens already', () => {
    const again = language({ tokenizer: language().tokenizer });
    expect(again.itemTokens).to.deep.equal(language().itemTokens);
    expect(again.semanticIdTokens.some(({ isNew }) => isNew)).to.equal(false);
  });

  it('asks for the next item by the first template, in text and ids', () => {
    const made = language();
    expect(textOf(made, made.prompt([1, 2]))).to.equal('<s>H:[<a_0><b_1>|<a_1><b_0>]=');
    expect(textOf(made, made.prompt([]))).to.equal('<s>H:[-]=');
    expect([...made.prompt([0])]).to.deep.equal([BOS, ...tokenizer.encode('H:['), 259, 261, ...tokenizer.encode(']=')]);
  });

  it('writes a prompt as the tokenizer would encode its whole text', () => {
    const made = language();
    expect([...made.prompt([3, 0, 1])]).to.deep.equal([
      ...made.tokenizer.encode('H:[<a_1><b_0>|<a_0><b_0>|<a_0><b_1>]=', { addSpecialTokens: true }),
    ]);
  });

  it('puts text before, between and after the items of a history', () => {
    const made = language({
      templates: {
        history: { before: '- ', separator: ';', after: '.' },
        tasks: { nextItem: { templates: ['H {history:title}{{!}}'] } },
      },
    });
    expect(textOf(made, made.prompt([0, 1]))).to.equal('<s>H - Saw.;- Drill.{!}');
  });

  it("writes the special tokens of a chat's format as such", () => {
    const chat = language({
      tokenizer: byteTokenizer({ extra: ['<|user|>', '<|model|>'] }),
      templates: { format: '<|user|>{prompt}<|model|>', tasks: { nextItem: { templates: ['{history:id}?'] } } },
    });
    const [user, model] = [259, 260];
    expect([...chat.prompt([0])]).to.deep.equal([BOS, user, 261, 263, '?'.charCodeAt(0), model]);
  });

  it('shows the newest items where there are more than maxHistory, or more than fit', () => {
    const history = [0, 1, 2, 3];
    const made = language({ maxHistory: 3 });
    expect(textOf(made, made.prompt(history))).to.equal('<s>H:[<a_0><b_1>|<a_1><b_0>|<a_1><b_0>]=');
    const short = language({
      maxPromptTokens: 11,
      templates: { ...templates, tasks: { nextItem: { templates: templates.tasks.nextItem.templates.slice(0, 1) } } },
    }); // <s> H : [ ] = and two items of two tokens with a | between
    expect(textOf(short, short.prompt(history))).to.equal('<s>H:[<a_1><b_0>|<a_1><b_0>]=');
    expect(short.historyOf(short.prompt(history))).to.deep.equal([2, 3]);
  });

  it('knows the history of its prompts, of no others', () => {
    const made = language();
    const prompt = made.prompt(Int32Array.of(1, 2));
    expect(made.historyOf(prompt)).to.deep.equal([1, 2]);
    expect(made.historyOf(prompt.slice(1))).to.equal(null);
  });

  it('makes the five tasks of LC-Rec, each response with its end', () => {
    const made = language();
    const examples = made.examples([[0, 3, 1]], { seed: 5 });
    const texts = Array.from({ length: examples.length }, (_, i) => {
      const { prompt, response } = examples.at(i);
      expect(examples.lengthOf(i)).to.equal(prompt.length + response.length);
      return textOf(made, prompt) + textOf(made, response);
    });
    const either = (text: string): string => text.replace('Then? ', 'H:');
    expect(texts.map(either)).to.have.members([
      '<s>H:[<a_0><b_0>]=<a_1><b_0></s>',
      '<s>H:[<a_0><b_0>|<a_1><b_0>]=<a_0><b_1></s>',
      '<s>T:[Saw]=<a_1><b_0></s>',
      '<s>T:[Saw|Nut]=<a_0><b_1></s>',
      '<s>N:[<a_0><b_0>]=Nut</s>',
      '<s>N:[<a_0><b_0>|<a_1><b_0>]=Drill</s>',
      '<s>I:Saw=<a_0><b_0></s>',
      '<s>I:Drill=<a_0><b_1></s>',
      '<s>I:Nut=<a_1><b_0></s>',
      '<s>W:<a_0><b_0>=Saw</s>',
      '<s>W:<a_0><b_1>=Drill</s>',
      '<s>W:<a_1><b_0>=Nut</s>',
    ]);
  });

  it('gives the same batches, and knows their histories, when it is made anew in the middle of a training', () => {
    const batchesOf = (made: ReturnType<typeof language>): Batches =>
      promptBatches({
        examples: (epoch) =>
          made.examples(
            [
              [0, 3, 1, 2],
              [1, 1, 0],
            ],
            { seed: 4, epoch },
          ),
        padTokenId: PAD,
        batchSize: 5,
        seed: 4,
      });
    const whole = [...batchesOf(language()).batchesOf(3)];
    const resumed = language();
    expect([...batchesOf(resumed).batchesOf(3, 2)]).to.deep.equal(whole.slice(2));
    const histories = whole.slice(2).flatMap(({ inputIds, labels, batchSize, sequenceLength }) =>
      Array.from({ length: batchSize }, (_, b) => {
        const first = labels.subarray(b * sequenceLength, (b + 1) * sequenceLength).findIndex((label) => label >= 0);
        return resumed.historyOf(inputIds.slice(b * sequenceLength, b * sequenceLength + first + 1));
      }),
    );
    expect(histories.filter((history) => history !== null).length).to.be.above(0);
  });

  it('puts the id of an item without a title into a history of titles, and asks for no such title', () => {
    const made = language();
    const examples = made.examples([[2, 0, 2]], { tasks: { nextItem: 0, idOfTitle: 0, titleOfId: 0 } });
    const texts = Array.from(
      { length: examples.length },
      (_, i) => textOf(made, examples.at(i).prompt) + textOf(made, examples.at(i).response),
    );
    expect(texts).to.have.members([
      '<s>T:[<a_1><b_0>]=<a_0><b_0></s>',
      '<s>T:[<a_1><b_0>|Saw]=<a_1><b_0></s>',
      '<s>N:[<a_1><b_0>]=Saw</s>',
    ]);
  });

  it('remembers the histories of prompts that ask for an item after a history, not of the others', () => {
    const made = language();
    const examples = made.examples([[0, 3, 1]]);
    for (let i = 0; i < examples.length; i++) {
      const { prompt } = examples.at(i);
      const text = textOf(made, prompt);
      const shows = /^<s>(H|Then|T)/.test(text) ? (text.includes('|') ? [0, 3] : [0]) : null;
      expect(made.historyOf(prompt), text).to.deep.equal(shows);
    }
  });

  it('ends ids with the end token where one begins another, and only there', () => {
    const made = language({ semanticIds: [['<a_0>'], ['<a_0>', '<b_0>']], titles: undefined });
    expect(made.itemTokens.map((tokens) => [...tokens])).to.deep.equal([
      [259, EOS],
      [259, 260, EOS],
    ]);
    const { response } = made.examples([[0, 1]], { tasks: { nextItemFromTitles: 0 } }).at(0);
    expect([...response]).to.deep.equal([259, 260, EOS]);
    const apart = language({ semanticIds: [['<a_0>'], ['<a_1>', '<b_0>']], titles: undefined });
    expect(apart.itemTokens.map((tokens) => [...tokens])).to.deep.equal([[259], [260, 261]]);
  });

  it('lets no title name an item', () => {
    const made = language({ titles: ['Saw <a_1><b_0></s>', 'Drill', 'Nut', 'Bolt'] });
    expect(Math.max(...(made.titleTokens[0] as Int32Array))).to.be.below(256);
  });

  it('puts a start token before prompts as the tokenizer does, or as told', () => {
    const first = (options: Partial<LcRecLanguageOptions>): number => language(options).prompt([0])[0];
    expect(first({ tokenizer: byteTokenizer({ addsStart: false }) })).to.equal('H'.charCodeAt(0));
    expect(first({ bosTokenId: null })).to.equal('H'.charCodeAt(0));
    expect(first({ tokenizer: byteTokenizer({ addsStart: false }), bosTokenId: BOS })).to.equal(BOS);
  });

  it('refuses what names no item, each by a sentence', () => {
    expect(() => language({ semanticIds: [] })).to.throw(
      'lcRecLanguage: there must be at least one item, got none; give one semantic id per item',
    );
    expect(() => lcRecLanguage(undefined as never)).to.throw(
      'lcRecLanguage: tokenizer must be a TextTokenizer, got undefined; use a checkpoint with tokenizer.json',
    );
    expect(() => language({ semanticIds: [['<a_0>'], []] })).to.throw(
      'lcRecLanguage: a semantic id must have at least one token and no empty one, got [] for item 1',
    );
    expect(() => language({ titles: ['Saw'] })).to.throw(
      'lcRecLanguage: titles must have one entry per semantic id, got 1 for 4; use null for an item without a title',
    );
    expect(() => language({ tokenizer: byteTokenizer({ named: false }) })).to.throw(
      'lcRecLanguage: responses must end with a token of the tokenizer, got none; set eosTokenId below 263',
    );
    expect(() => language({ eosTokenId: 263 })).to.throw(
      'lcRecLanguage: responses must end with a token of the tokenizer, got 263; set eosTokenId below 263',
    );
    expect(() => language({ bosTokenId: 263 })).to.throw(
      'lcRecLanguage: bosTokenId must be a token in [0, 263), got 263; use null for none',
    );
    expect(() => language({ rememberedPrompts: 0 })).to.throw(
      'lcRecLanguage: rememberedPrompts must be a positive integer, got 0',
    );
    expect(() => language({ maxHistory: 0 })).to.throw('lcRecLanguage: maxHistory must be a positive integer, got 0');
    expect(() => language().prompt([4])).to.throw(
      'lcRecLanguage: items must be integers in [0, 4), got 4; use item numbers of the catalogue',
    );
    expect(() => language().examples([[0], [1, 7]])).to.throw(
      'lcRecLanguage: items must be integers in [0, 4), got 7 at 1 of sequence 1; use item numbers of the catalogue',
    );
    expect(() => language({ titles: undefined }).examples([[0], []])).to.throw(
      'lcRecLanguage: there must be at least one example, got none; give users with at least two items, or a task a weight above 0',
    );
    expect(() => language().examples([[0, 1]], { minHistory: -1 })).to.throw(
      'lcRecLanguage: minHistory must be an integer of at least 0, got -1',
    );
    expect(() => language().examples([[0, 1]], { tasks: { nextTitle: -1 } })).to.throw(
      'lcRecLanguage: weights of tasks must be 0 or more, got -1 for nextTitle',
    );
    expect(() => language({ maxPromptTokens: 7 })).to.throw(
      // before anything is trained
      'lcRecLanguage: a prompt must have 1 to 7 tokens, got 8 for nextItem with 1 items of history; raise maxPromptTokens or set maxTitleTokens',
    );
  });
});
