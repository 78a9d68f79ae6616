import { IlrecError } from '../errors';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { type PromptTemplates, type TaskName, TASK_NAMES, TASKS, templateParts } from './templates';

/** The names of the items in prompts. */
export interface ItemNames {
  /** Tokens of the items' ids, [N]; null when the language has no ids. */
  readonly id: readonly Int32Array[] | null;
  /** Tokens of the items' titles, without end token, [N]; null for an item without title. */
  readonly title: readonly (Int32Array | null)[];
}

export interface PromptWriterOptions {
  /** The public function that error messages name. */
  caller: string;
  tokenizer: TextTokenizer;
  templates: PromptTemplates;
  names: ItemNames;
  /** Tokens before every prompt. */
  startTokens: Int32Array;
  /** Most items of a history that are shown, the newest. */
  maxHistory: number;
  /** Most tokens of a prompt; the oldest items of a history are dropped until it fits. */
  maxPromptTokens: number;
}

/** The subject of a prompt. */
export interface PromptSubject {
  /** Items shown, oldest first; empty for prompts about one item. */
  readonly history: readonly number[];
  /** The item of a prompt about one item; else -1. */
  readonly item: number;
}

type Part = Int32Array | 'history:id' | 'history:title' | 'id' | 'title';

/**
 * Writes prompts by concatenating token sequences. The texts of the templates and the names are each encoded once and
 * alone, so that a name has the same tokens everywhere and writing a prompt is a copy. A tokenizer that adds a space
 * before every text (Llama 2) adds one before every piece.
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
        throw new IlrecError(`${caller}: tasks must be about titles only, got ${task}; leave it out`);
      return texts.map((template) =>
        templateParts(template, templates.format).map((part) => {
          if ('text' in part) return tokenizer.encode(part.text);
          if (names.id === null && part.placeholder === 'history:id') {
            throw new IlrecError(
              `${caller}: templates must name items by their titles, got {history:id} in a template of ${task}; ` +
                'write {history:title}',
            );
          }
          return part.placeholder;
        }),
      );
    };
    this.parts = Object.fromEntries(TASK_NAMES.map((task) => [task, compile(task)])) as Record<TaskName, Part[][]>;
    this.checkLongestNames();
  }

  /** Number of templates of a task. */
  numTemplates(task: TaskName): number {
    return this.parts[task].length;
  }

  /** The newest items that a prompt shows: at most `maxHistory`, fewer if the prompt would be too long. */
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

  /** Number of tokens of the prompt that `write` would return. */
  length(task: TaskName, template: number, subject: PromptSubject): number {
    let length = 0;
    this.visit(task, template, subject, (piece) => (length += piece.length));
    return length;
  }

  /**
   * The tokens of a prompt.
   *
   * @throws IlrecError when it is empty or longer than `maxPromptTokens`; the constructor has tried the longest names.
   */
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

  /**
   * Writes prompts with only the longest name, so that a limit that is too low fails before training and not during it.
   */
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

  /** Tokens of an item's title or id; the id when a title is missing. */
  private nameOf(item: number, kind: 'id' | 'title'): Int32Array {
    const { id, title } = this.options.names;
    const name = (kind === 'title' ? title[item] : null) ?? id?.[item];
    if (name === undefined)
      throw new IlrecError(
        `${this.options.caller}: items must be integers in [0, ${title.length}), got ${item}; use item numbers ` +
          'of the catalogue',
      );
    return name;
  }
}
