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

/** The examples of one epoch, written when asked for. */
export interface PromptExamples {
  readonly length: number;
  /** Tokens of an example's prompt and response together. */
  lengthOf(index: number): number;
  at(index: number): PromptExample;
}

export interface ExampleOptions {
  /** Newest items of a history that are shown; default the language's. */
  maxHistory?: number;
  /** Share of each task's examples that an epoch draws, in place of the templates' weights; tasks left out keep theirs. */
  tasks?: Readonly<Partial<Record<TaskName, number>>>;
  /** Items that a target must have before it; default 1. */
  minHistory?: number;
  /** Together with the epoch decides which examples and templates are drawn. Default 0. */
  seed?: number;
  /** From 0; default 0. */
  epoch?: number;
}

/** How a language model reads and writes items. */
export interface ItemLanguage {
  /** The tokenizer to save with the model. */
  readonly tokenizer: TextTokenizer;
  /** 1 + the highest token id. */
  readonly vocabSize: number;
  /** Padding at the right, which no token before it sees. */
  readonly padTokenId: number;
  /** The end of a response. */
  readonly eosTokenId: number;
  /** What the model writes for each item, [N]: the sequences of the item trie. Items may share one. */
  readonly itemTokens: readonly Int32Array[];
  /** The distinct tokens of `itemTokens`, ascending: the slice that ILRec's distillation may be confined to. */
  readonly responseTokens: readonly number[];
  /** Tokens that ask for the item after a history (oldest first, may be empty); `historyOf` remembers it. */
  readonly prompt: (history: ArrayLike<number>) => Int32Array;
  /** The history that a prompt for an item shows, where it was made lately by `prompt` or an example; else null. */
  readonly historyOf: (prompt: Int32Array) => readonly number[] | null;
  /** @throws IlrecError when there is no example, or an item is not in the catalogue. */
  readonly examples: (sequences: readonly ArrayLike<number>[], options?: ExampleOptions) => PromptExamples;
}

/** Options that both languages share. */
export interface LanguageOptions {
  /** The checkpoint's own. */
  tokenizer: TextTokenizer;
  /** Newest items of a history that a prompt shows; default 20. */
  maxHistory?: number;
  /** Most tokens of a prompt; a history loses its oldest items until it fits. The model's window must hold the response too. Default no limit. */
  maxPromptTokens?: number;
  /** Tokens of a title; what comes after is cut off. Default no limit. */
  maxTitleTokens?: number;
  /** The end of a response; default the tokenizer's end-of-sequence token. */
  eosTokenId?: number;
  /** Written before every prompt; default the start token if the tokenizer puts it before texts. null: none. */
  bosTokenId?: number | null;
  /** Prompts that `historyOf` knows; the oldest are forgotten. Default 65,536. */
  rememberedPrompts?: number;
}

interface LanguageParts extends LanguageOptions {
  caller: string;
  templates: PromptTemplates;
  names: ItemNames;
  itemTokens: readonly Int32Array[];
  eosTokenId: number;
}

/** The language of given names; `lcRecLanguage` and `titleLanguage` decide what these are. */
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
          `${caller}: there must be at least one example, got none; give users with two items or more, or tasks a weight above 0`,
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

/** The tokenizer's own end of a sequence unless another is given. @throws IlrecError when there is none. */
export function endToken(
  caller: string,
  { tokenizer, eosTokenId = tokenizer.eosTokenId ?? undefined }: LanguageOptions,
): number {
  if (
    eosTokenId === undefined ||
    !(Number.isInteger(eosTokenId) && eosTokenId >= 0 && eosTokenId < tokenizer.vocabSize)
  ) {
    throw new IlrecError(
      `${caller}: responses must end with a token of the tokenizer, got ${eosTokenId === undefined ? 'none' : eosTokenId}; set eosTokenId below ${tokenizer.vocabSize}`,
    );
  }
  return eosTokenId;
}

function startTokens(caller: string, { tokenizer, bosTokenId }: LanguageOptions): Int32Array {
  if (bosTokenId === null) return new Int32Array(0);
  if (bosTokenId !== undefined) {
    if (!(Number.isInteger(bosTokenId) && bosTokenId >= 0 && bosTokenId < tokenizer.vocabSize)) {
      throw new IlrecError(
        `${caller}: bosTokenId must be a token in [0, ${tokenizer.vocabSize}), got ${bosTokenId}; null writes none`,
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
          `${caller}: items must be integers in [0, ${numItems}), got ${items[i]} at ${i} of sequence ${sequence}; use item numbers of the catalogue`,
        );
      }
    }
  });
}
