import * as z from 'zod';
import { jsonErrorPlace } from '../files/json_error_place';
import { IlrecError } from '../errors';

/** Names in braces that a template may contain; a prompt shows their values. */
export const PLACEHOLDERS = ['history:id', 'history:title', 'id', 'title'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/**
 * What the response is: `name`, the language's name of an item (its semantic id, or its title in a language without
 * ids), or `title`.
 */
export type ResponseKind = 'name' | 'title';

/** A kind of training example. */
export interface Task {
  /** Whether an example is a position in a user's sequence or an item of the catalogue. */
  readonly of: 'sequence' | 'item';
  /** Placeholders of its templates, which contain at least one. */
  readonly shows: readonly Placeholder[];
  readonly response: ResponseKind;
}

/** The kinds of training examples of LC-Rec (Zheng et al., arXiv 2311.09049). */
export const TASKS = {
  nextItem: { of: 'sequence', shows: ['history:id', 'history:title'], response: 'name' },
  nextItemFromTitles: { of: 'sequence', shows: ['history:title'], response: 'name' },
  nextTitle: { of: 'sequence', shows: ['history:id', 'history:title'], response: 'title' },
  idOfTitle: { of: 'item', shows: ['title'], response: 'name' },
  titleOfId: { of: 'item', shows: ['id'], response: 'title' },
} as const satisfies Record<string, Task>;
/** Name of a kind of training example. */
export type TaskName = keyof typeof TASKS;
export const TASK_NAMES = Object.keys(TASKS) as TaskName[];

/** A piece of a template: literal text, or a placeholder. */
export type TemplatePart = { readonly text: string } | { readonly placeholder: Placeholder };

const format = z
  .string()
  .default('{prompt}')
  .superRefine((text, context) => {
    if (text.split('{prompt}').length !== 2)
      context.addIssue({ code: 'custom', message: `must hold {prompt} once, got ${JSON.stringify(text)}` });
    else check(text.replace('{prompt}', ''), [], context);
  });

function taskSchema(
  name: TaskName,
): z.ZodObject<{ weight: z.ZodDefault<z.ZodNumber>; templates: z.ZodArray<z.ZodString> }> {
  const template = z.string().superRefine((text, context) => {
    const { shows } = TASKS[name];
    const shown = check(text, shows, context);
    if (shown?.length === 0)
      context.addIssue({
        code: 'custom',
        message: `must contain ${shows.map((place) => `{${place}}`).join(' or ')}, got ${JSON.stringify(text)}`,
      });
  });
  return z.strictObject({ weight: z.number().min(0).default(1), templates: z.array(template).min(1) });
}

const promptTemplatesSchema = z.strictObject({
  /** Free text about the file. */
  description: z.string().optional(),
  /** Text around every prompt, such as the markers of a chat format; the response follows it. */
  format,
  /** How the items of a history are joined. */
  history: z
    .strictObject({
      /** Text before each item. */
      before: z.string().default(''),
      /** Text after each item. */
      after: z.string().default(''),
      /** Text between items. */
      separator: z.string().default(', '),
      /** Text for an empty history. */
      empty: z.string().default(''),
    })
    .prefault({}),
  /**
   * For each task the share of its examples that an epoch draws, and its templates. The first of `nextItem` asks for
   * recommendations.
   */
  tasks: z.strictObject({
    nextItem: taskSchema('nextItem'),
    nextItemFromTitles: taskSchema('nextItemFromTitles').optional(),
    nextTitle: taskSchema('nextTitle').optional(),
    idOfTitle: taskSchema('idOfTitle').optional(),
    titleOfId: taskSchema('titleOfId').optional(),
  }),
});

/** The content of a templates file. */
export type PromptTemplatesInput = z.input<typeof promptTemplatesSchema>;
/** Checked templates, with defaults. */
export type PromptTemplates = z.output<typeof promptTemplatesSchema>;

/**
 * Checks prompt templates and adds defaults. `{{` and `}}` stand for literal braces.
 *
 * @param value text of a JSON file, or its parsed content.
 * @param source name of the file in error messages. Default 'templates'.
 * @param caller the function that error messages name. Default 'parsePromptTemplates'.
 * @returns the checked templates.
 * @throws IlrecError that lists every problem with its key: unknown keys, unknown names in braces, missing
 * placeholders.
 * @example
 * ```ts
 * import { parsePromptTemplates } from 'tfjs-ilrec';
 *
 * const templates = parsePromptTemplates({ tasks: { nextItem: { templates: ['Bought: {history:title}. Next?'] } } });
 * console.log(templates.tasks.nextItem.weight, templates.format); // 1 {prompt}
 * ```
 */
export function parsePromptTemplates(
  value: unknown,
  source = 'templates',
  caller = 'parsePromptTemplates',
): PromptTemplates {
  const parsed = promptTemplatesSchema.safeParse(typeof value === 'string' ? parseJson(value, source, caller) : value);
  if (!parsed.success)
    throw new IlrecError(`${caller}: ${source} must be valid templates:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The parts of a checked template, inside its format. */
export function templateParts(template: string, templateFormat: string): TemplatePart[] {
  const [before, after] = templateFormat.split('{prompt}');
  const parts: TemplatePart[] = [];
  let text = '';
  for (const [token, place] of tokensOf(before + template + after)) {
    if (place === undefined) text += token.length === 2 && (token === '{{' || token === '}}') ? token[0] : token;
    else {
      if (text !== '') parts.push({ text });
      parts.push({ placeholder: place as Placeholder });
      text = '';
    }
  }
  if (text !== '') parts.push({ text });
  return parts;
}

/** Reports problems with a template's braces. Returns the names in them, or null when there was a problem. */
function check(template: string, allowed: readonly Placeholder[], context: z.RefinementCtx): Placeholder[] | null {
  const shown: Placeholder[] = [];
  let wrong = false;
  const report = (message: string): void => {
    context.addIssue({ code: 'custom', message });
    wrong = true;
  };
  for (const [token, place] of tokensOf(template)) {
    if (token === '{' || token === '}') report(`must double a literal brace, got ${JSON.stringify(template)}`);
    else if (place !== undefined && !(allowed as readonly string[]).includes(place)) {
      report(`may contain ${allowed.map((name) => `{${name}}`).join(' or ') || 'nothing'}, got {${place}}`);
    } else if (place !== undefined) shown.push(place as Placeholder);
  }
  return wrong ? null : shown;
}

/** Splits a template into doubled braces, names in braces (with the name), single braces and other text. */
function* tokensOf(template: string): Generator<readonly [string, string | undefined]> {
  for (const [token, place] of template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/gu)) yield [token, place];
}

function parseJson(text: string, source: string, caller: string): unknown {
  const place = jsonErrorPlace(text);
  if (place !== null) {
    throw new IlrecError(
      `${caller}: ${source} must be JSON, got ${JSON.stringify(place.found)} at line ${place.line}, column ` +
        `${place.column}; fix it there`,
    );
  }
  return JSON.parse(text);
}
