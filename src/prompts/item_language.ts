import { IlrecError } from '../errors';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { PromptMemory } from './prompt_memory';
import { type ItemNames, PromptWriter } from './prompt_writer';
import { drawExamples } from './task_examples';
import { type PromptTemplates, type TaskName, TASKS } from './templates';

/** One training example: the model reads the prompt and learns the response. */
export interface PromptExample {
  readonly prompt: Int32Array;
  readonly response: Int32Array;
}

/** The examples of one epoch; each is written when it is read. */
export interface PromptExamples {
  /** Number of examples. */
  readonly length: number;
  /** Number of tokens of prompt and response together. */
  lengthOf(index: number): number;
  /** The example, index in [0, length). */
  at(index: number): PromptExample;
}

/** Options of `ItemLanguage.examples`. */
export interface ExampleOptions {
  /** Most items of a history that a prompt shows, the newest. Default the language's. */
  maxHistory?: number;
  /** Share of each task's examples that an epoch draws. Default the weights in the templates. */
  tasks?: Readonly<Partial<Record<TaskName, number>>>;
  /** Least number of items before a target. Default 1. */
  minHistory?: number;
  /** Seed of the drawn examples and templates, together with the epoch. Default 0. */
  seed?: number;
  /** Number of the epoch, from 0. Default 0. */
  epoch?: number;
}

/** How a language model reads and writes the items of a catalogue. */
export interface ItemLanguage {
  /** The tokenizer to save with the model. */
  readonly tokenizer: TextTokenizer;
  /** V, 1 + the highest token id of the tokenizer. */
  readonly vocabSize: number;
  /** Token for padding on the right. */
  readonly padTokenId: number;
  /** Token that ends a response. */
  readonly eosTokenId: number;
  /** Tokens that the model writes for each item, [N]; the input of `buildPrefixTrie`. Items may share a sequence. */
  readonly itemTokens: readonly Int32Array[];
  /** The distinct tokens of `itemTokens`, ascending. ILRec's distillation can be restricted to them. */
  readonly responseTokens: readonly number[];
  /**
   * Tokens of the prompt for the next item after a history (oldest first, may be empty). `historyOf` remembers the
   * history.
   */
  readonly prompt: (history: ArrayLike<number>) => Int32Array;
  /** The history shown by a recent prompt of `prompt` or of an example; null when it is not remembered. */
  readonly historyOf: (prompt: Int32Array) => readonly number[] | null;
  /**
   * The training examples of an epoch.
   *
   * @throws IlrecError when there is none, an item is not in the catalogue, or an option is out of range.
   */
  readonly examples: (sequences: readonly ArrayLike<number>[], options?: ExampleOptions) => PromptExamples;
}

/** Options of both languages. */
export interface LanguageOptions {
  /** The checkpoint's tokenizer. */
  tokenizer: TextTokenizer;
  /** Most items of a history that a prompt shows, the newest. Default 20. */
  maxHistory?: number;
  /**
   * Most tokens of a prompt; the oldest items of a history are dropped until it fits. Leave room for the response in
   * the model's window. Default no limit.
   */
  maxPromptTokens?: number;
  /** Most tokens of a title; longer titles are cut. Default no limit. */
  maxTitleTokens?: number;
  /** Token that ends a response. Default the tokenizer's end-of-sequence token. */
  eosTokenId?: number;
  /**
   * Token before every prompt, null for none. Default the tokenizer's begin-of-sequence token, if the tokenizer adds
   * one to texts.
   */
  bosTokenId?: number | null;
  /** Number of prompts whose histories `historyOf` remembers. Default 65,536. */
  rememberedPrompts?: number;
}

interface LanguageParts extends LanguageOptions {
  caller: string;
  templates: PromptTemplates;
  names: ItemNames;
  itemTokens: readonly Int32Array[];
  eosTokenId: number;
}

/** Makes a language from the names of the items, which `lcRecLanguage` and `titleLanguage` choose. */
export function createLanguage(parts: LanguageParts): ItemLanguage {
  const {
    caller,
    tokenizer,
    templates,
    names,
    itemTokens,
    eosTokenId,
    maxHistory = 20,
    maxPromptTokens = Infinity,
    rememberedPrompts,
  } = parts;
  if (rememberedPrompts !== undefined && !(Number.isInteger(rememberedPrompts) && rememberedPrompts >= 1)) {
    throw new IlrecError(`${caller}: rememberedPrompts must be a positive integer, got ${rememberedPrompts}`);
  }
  const memory = new PromptMemory(rememberedPrompts);
  const writer = new PromptWriter({
    caller,
    tokenizer,
    templates,
    names,
    startTokens: startTokens(caller, parts),
    maxHistory,
    maxPromptTokens,
  });
  const ended = (tokens: Int32Array): Int32Array =>
    tokens[tokens.length - 1] === eosTokenId ? tokens : Int32Array.of(...tokens, eosTokenId);
  const responses = {
    name: itemTokens.map(ended),
    title: names.title.map((title) => (title === null ? null : ended(title))),
  };
  const hasTitle = names.title.map((title) => title !== null);

  return {
    tokenizer,
    vocabSize: tokenizer.vocabSize,
    padTokenId: tokenizer.padTokenId ?? eosTokenId,
    eosTokenId,
    itemTokens,
    responseTokens: [...new Set(itemTokens.flatMap((tokens) => [...tokens]))].sort((a, b) => a - b),
    prompt: (history) => {
      const shown = writer.shownHistory('nextItem', 0, history);
      const prompt = writer.write('nextItem', 0, { history: shown, item: -1 });
      memory.remember(prompt, shown);
      return prompt;
    },
    historyOf: (prompt) => memory.historyOf(prompt),
    examples: (sequences, { maxHistory: shownItems, tasks = {}, minHistory = 1, seed = 0, epoch = 0 } = {}) => {
      checkItems(caller, sequences, itemTokens.length);
      if (!(Number.isInteger(minHistory) && minHistory >= 0))
        throw new IlrecError(`${caller}: minHistory must be an integer of at least 0, got ${minHistory}`);
      const weights = Object.fromEntries(
        Object.entries(templates.tasks).map(([task, { weight }]) => [task, tasks[task as TaskName] ?? weight]),
      );
      for (const [task, weight] of Object.entries(weights)) {
        if (!(weight >= 0 && Number.isFinite(weight)))
          throw new IlrecError(`${caller}: weights of tasks must be 0 or more, got ${weight} for ${task}`);
      }
      const drawn = drawExamples({
        sequences,
        hasTitle,
        weights,
        numTemplates: (task) => writer.numTemplates(task),
        minHistory,
        seed,
        epoch,
      });
      if (drawn.length === 0)
        throw new IlrecError(
          `${caller}: there must be at least one example, got none; give users with at least two items, or a ` +
            'task a weight above 0',
        );
      const subjectOf = (index: number): { history: readonly number[]; item: number; response: Int32Array } => {
        const { task, sequence, at, template } = drawn[index];
        const item = sequence < 0 ? at : sequences[sequence][at];
        const before = sequence < 0 ? [] : (Array.prototype.slice.call(sequences[sequence], 0, at) as number[]);
        return {
          history: writer.shownHistory(task, template, before, shownItems),
          item,
          response: responses[TASKS[task].response][item] as Int32Array,
        };
      };
      return {
        length: drawn.length,
        lengthOf: (index) => {
          const { response, ...subject } = subjectOf(index);
          return writer.length(drawn[index].task, drawn[index].template, subject) + response.length;
        },
        at: (index) => {
          const { task, sequence, template } = drawn[index];
          const { response, ...subject } = subjectOf(index);
          const prompt = writer.write(task, template, subject);
          if (sequence >= 0 && TASKS[task].response === 'name') memory.remember(prompt, subject.history);
          return { prompt, response };
        },
      };
    },
  };
}

/** @throws IlrecError when there is no tokenizer. */
export function checkTokenizer(caller: string, options: Partial<LanguageOptions> | undefined): void {
  const tokenizer: unknown = options?.tokenizer;
  if (typeof tokenizer !== 'object' || tokenizer === null || !('encode' in tokenizer))
    throw new IlrecError(
      `${caller}: tokenizer must be a TextTokenizer, got ${tokenizer === null ? 'null' : typeof tokenizer}; use ` +
        'a checkpoint with tokenizer.json, or TextTokenizer.fromJSON',
    );
}

/** The end token: the given one, or the tokenizer's. @throws IlrecError when there is none. */
export function endToken(
  caller: string,
  { tokenizer, eosTokenId = tokenizer.eosTokenId ?? undefined }: LanguageOptions,
): number {
  if (
    eosTokenId === undefined ||
    !(Number.isInteger(eosTokenId) && eosTokenId >= 0 && eosTokenId < tokenizer.vocabSize)
  ) {
    throw new IlrecError(
      `${caller}: responses must end with a token of the tokenizer, got ` +
        `${eosTokenId === undefined ? 'none' : eosTokenId}; set eosTokenId below ${tokenizer.vocabSize}`,
    );
  }
  return eosTokenId;
}

function startTokens(caller: string, { tokenizer, bosTokenId }: LanguageOptions): Int32Array {
  if (bosTokenId === null) return new Int32Array(0);
  if (bosTokenId !== undefined) {
    if (!(Number.isInteger(bosTokenId) && bosTokenId >= 0 && bosTokenId < tokenizer.vocabSize)) {
      throw new IlrecError(
        `${caller}: bosTokenId must be a token in [0, ${tokenizer.vocabSize}), got ${bosTokenId}; use null for none`,
      );
    }
    return Int32Array.of(bosTokenId);
  }
  const [first] = tokenizer.encode('', { addSpecialTokens: true });
  return first !== undefined && first === tokenizer.bosTokenId ? Int32Array.of(first) : new Int32Array(0);
}

function checkItems(caller: string, sequences: readonly ArrayLike<number>[], numItems: number): void {
  sequences.forEach((items, sequence) => {
    for (let i = 0; i < items.length; i++) {
      if (!(Number.isInteger(items[i]) && items[i] >= 0 && items[i] < numItems)) {
        throw new IlrecError(
          `${caller}: items must be integers in [0, ${numItems}), got ${items[i]} at ${i} of sequence ` +
            `${sequence}; use item numbers of the catalogue`,
        );
      }
    }
  });
}
