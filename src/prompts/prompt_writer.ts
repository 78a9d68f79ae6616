import { IlrecError } from '../errors';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { type PromptTemplates, type TaskName, TASK_NAMES, TASKS, templateParts } from './templates';

/** What prompts call each item. */
export interface ItemNames {
  /** Tokens of the items' ids, [N]; null where the language has none. */
  readonly id: readonly Int32Array[] | null;
  /** Tokens of the items' titles, without an end, [N]; null for an item without one. */
  readonly title: readonly (Int32Array | null)[];
}

export interface PromptWriterOptions {
  /** The function that users called, for errors. */
  caller: string;
  tokenizer: TextTokenizer;
  templates: PromptTemplates;
  names: ItemNames;
  /** Tokens before every prompt. */
  startTokens: Int32Array;
  /** Newest items of a history that are shown. */
  maxHistory: number;
  /** Tokens of a prompt; a history loses its oldest items until it fits. */
  maxPromptTokens: number;
}

/** What a prompt is about. */
export interface PromptSubject {
  /** Items shown, oldest first; none for prompts about an item. */
  readonly history: readonly number[];
  /** The item in question; -1 where there is none. */
  readonly item: number;
}

type Part = Int32Array | 'history:id' | 'history:title' | 'id' | 'title';

/**
 * Puts token pieces together: a template's text and each name are encoded apart and once, so that a name has the same tokens everywhere
 * and a prompt costs a copy. A tokenizer that puts a space before every text (Llama 2) puts one before every piece.
 */
export class PromptWriter {
  private readonly parts: Readonly<Record<TaskName, readonly (readonly Part[])[]>>;
  private readonly before: Int32Array;
  private readonly between: Int32Array;
  private readonly after: Int32Array;
  private readonly empty: Int32Array;

  constructor(private readonly options: PromptWriterOptions) {
    const { tokenizer, templates, names, caller, maxHistory, maxPromptTokens } = options;
    for (const [name, value] of Object.entries({ maxHistory, maxPromptTokens })) {
      if (!(value >= 1) || (value !== Infinity && !Number.isInteger(value)))
        throw new IlrecError(`${caller}: ${name} must be a positive integer, got ${value}`);
    }
    const { before, after, separator, empty } = templates.history;
    [this.before, this.between, this.after, this.empty] = [before, after + separator + before, after, empty].map(
      (text) => tokenizer.encode(text),
    );
    const compile = (task: TaskName): Part[][] => {
      const { templates: texts = [] } = templates.tasks[task] ?? {};
      if (names.id === null && TASKS[task].of === 'item' && texts.length > 0)
        throw new IlrecError(`${caller}: tasks must be about titles alone, got ${task}; leave it out`);
      return texts.map((template) =>
        templateParts(template, templates.format).map((part) => {
          if ('text' in part) return tokenizer.encode(part.text);
          if (names.id === null && part.placeholder === 'history:id') {
            throw new IlrecError(
              `${caller}: templates must call items by their titles, got {history:id} in a template of ${task}; write {history:title}`,
            );
          }
          return part.placeholder;
        }),
      );
    };
    this.parts = Object.fromEntries(TASK_NAMES.map((task) => [task, compile(task)])) as Record<TaskName, Part[][]>;
    this.checkLongestNames();
  }

  /** How many templates a task has. */
  numTemplates(task: TaskName): number {
    return this.parts[task].length;
  }

  /** The newest items that a prompt shows: at most `maxHistory`, fewer where their names would make the prompt too long. */
  shownHistory(task: TaskName, template: number, history: ArrayLike<number>, maxHistory = Infinity): number[] {
    const { maxPromptTokens } = this.options;
    const shown = Array.prototype.slice.call(
      history,
      Math.max(0, history.length - Math.min(maxHistory, this.options.maxHistory)),
    ) as number[];
    while (shown.length > 1 && this.length(task, template, { history: shown, item: -1 }) > maxPromptTokens)
      shown.shift();
    return shown;
  }

  /** Tokens of the prompt that `write` would make. */
  length(task: TaskName, template: number, subject: PromptSubject): number {
    let length = 0;
    this.visit(task, template, subject, (piece) => (length += piece.length));
    return length;
  }

  /** @throws IlrecError when the prompt is empty or longer than `maxPromptTokens`; the constructor has tried the longest names. */
  write(task: TaskName, template: number, subject: PromptSubject): Int32Array {
    const { caller, maxPromptTokens } = this.options;
    const length = this.length(task, template, subject);
    if (length === 0 || length > maxPromptTokens) {
      throw new IlrecError(
        `${caller}: a prompt must have 1 to ${maxPromptTokens} tokens, got ${length} for ${task} with ${subject.history.length} items of history; ` +
          (length === 0 ? 'write some text into the template' : 'raise maxPromptTokens or set maxTitleTokens'),
      );
    }
    const prompt = new Int32Array(length);
    let at = 0;
    this.visit(task, template, subject, (piece) => {
      prompt.set(piece, at);
      at += piece.length;
    });
    return prompt;
  }

  /** Writes the prompts of the longest names alone, so that a limit too low is told before training and not in the middle of it. */
  private checkLongestNames(): void {
    const { id, title } = this.options.names;
    const longest = (names: readonly (Int32Array | null)[]): number =>
      names.reduce((best, name, item) => ((name?.length ?? 0) > (names[best]?.length ?? 0) ? item : best), 0);
    const items = new Set([longest(title), ...(id === null ? [] : [longest(id)])]);
    for (const task of TASK_NAMES) {
      for (const template of this.parts[task].keys())
        for (const item of items) this.write(task, template, { history: [item], item });
    }
  }

  private visit(
    task: TaskName,
    template: number,
    { history, item }: PromptSubject,
    piece: (tokens: Int32Array) => void,
  ): void {
    piece(this.options.startTokens);
    for (const part of this.parts[task][template]) {
      if (typeof part !== 'string') piece(part);
      else if (part === 'id' || part === 'title') piece(this.nameOf(item, part));
      else if (history.length === 0) piece(this.empty);
      else {
        const kind = part === 'history:id' ? 'id' : 'title';
        history.forEach((each, i) => {
          piece(i === 0 ? this.before : this.between);
          piece(this.nameOf(each, kind));
        });
        piece(this.after);
      }
    }
  }

  /** An item's title, or its id where it has none or ids are asked for. */
  private nameOf(item: number, kind: 'id' | 'title'): Int32Array {
    const { id, title } = this.options.names;
    const name = (kind === 'title' ? title[item] : null) ?? id?.[item];
    if (name === undefined)
      throw new IlrecError(
        `${this.options.caller}: items must be integers in [0, ${title.length}), got ${item}; use item numbers of the catalogue`,
      );
    return name;
  }
}
