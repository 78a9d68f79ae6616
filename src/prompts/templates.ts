import * as z from 'zod';
import { jsonErrorPlace } from '../files/json_error_place';
import { IlrecError } from '../errors';

/** What a prompt may show in the place of a name in braces. */
export const PLACEHOLDERS = ['history:id', 'history:title', 'id', 'title'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** What a prompt asks for. `name` is what the language calls an item: its semantic id, or its title where there are no ids. */
export type ResponseKind = 'name' | 'title';

export interface Task {
  /** Whether an example is a place in a user's sequence or an item of the catalogue. */
  readonly of: 'sequence' | 'item';
  /** What its templates may show; at least one must be there. */
  readonly shows: readonly Placeholder[];
  readonly response: ResponseKind;
}

/** LC-Rec's kinds of training example (Zheng et al., arXiv 2311.09049): the next item, an item's title and id each from the other, and both at once. */
export const TASKS = {
  nextItem: { of: 'sequence', shows: ['history:id', 'history:title'], response: 'name' },
  nextItemFromTitles: { of: 'sequence', shows: ['history:title'], response: 'name' },
  nextTitle: { of: 'sequence', shows: ['history:id', 'history:title'], response: 'title' },
  idOfTitle: { of: 'item', shows: ['title'], response: 'name' },
  titleOfId: { of: 'item', shows: ['id'], response: 'title' },
} as const satisfies Record<string, Task>;
export type TaskName = keyof typeof TASKS;
export const TASK_NAMES = Object.keys(TASKS) as TaskName[];

/** A piece of a template: text to write as it is, or the name of what comes in its place. */
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
        message: `must show ${shows.map((place) => `{${place}}`).join(' or ')}, got ${JSON.stringify(text)}`,
      });
  });
  return z.strictObject({ weight: z.number().min(0).default(1), templates: z.array(template).min(1) });
}

const promptTemplatesSchema = z.strictObject({
  /** Free text: what the file is for. */
  description: z.string().optional(),
  /** What stands around every prompt, such as the marks of a chat; the response follows it. */
  format,
  /** How the items of a history are strung together. */
  history: z
    .strictObject({
      /** Before and after each item. */
      before: z.string().default(''),
      after: z.string().default(''),
      separator: z.string().default(', '),
      /** Written where there is no history. */
      empty: z.string().default(''),
    })
    .prefault({}),
  /** Per task how many of its examples an epoch draws, as a share of all there are, and the templates drawn from. `nextItem`'s first one asks for recommendations. */
  tasks: z.strictObject({
    nextItem: taskSchema('nextItem'),
    nextItemFromTitles: taskSchema('nextItemFromTitles').optional(),
    nextTitle: taskSchema('nextTitle').optional(),
    idOfTitle: taskSchema('idOfTitle').optional(),
    titleOfId: taskSchema('titleOfId').optional(),
  }),
});

/** Templates as a file holds them. */
export type PromptTemplatesInput = z.input<typeof promptTemplatesSchema>;
/** Templates with every default filled in. */
export type PromptTemplates = z.output<typeof promptTemplatesSchema>;

/**
 * Checks templates and fills in the defaults; unknown keys and unknown names in braces are refused. `{{` and `}}` stand for braces.
 *
 * @param value the text of a JSON file, or what it holds.
 * @param source the file's name, for errors.
 * @throws IlrecError that lists everything wrong with it, each by its key.
 */
export function parsePromptTemplates(value: unknown, source = 'templates'): PromptTemplates {
  const parsed = promptTemplatesSchema.safeParse(typeof value === 'string' ? parseJson(value, source) : value);
  if (!parsed.success)
    throw new IlrecError(
      `parsePromptTemplates: ${source} must follow the rules of templates:\n${z.prettifyError(parsed.error)}`,
    );
  return parsed.data;
}

/** The parts of a template that has been checked, put into its format. */
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

/** Reports what is wrong with a template's braces; the names in them, or null where something is. */
function check(template: string, allowed: readonly Placeholder[], context: z.RefinementCtx): Placeholder[] | null {
  const shown: Placeholder[] = [];
  let wrong = false;
  const report = (message: string): void => {
    context.addIssue({ code: 'custom', message });
    wrong = true;
  };
  for (const [token, place] of tokensOf(template)) {
    if (token === '{' || token === '}')
      report(`must write a brace that is text twice, got ${JSON.stringify(template)}`);
    else if (place !== undefined && !(allowed as readonly string[]).includes(place)) {
      report(`may show ${allowed.map((name) => `{${name}}`).join(' or ') || 'nothing'}, got {${place}}`);
    } else if (place !== undefined) shown.push(place as Placeholder);
  }
  return wrong ? null : shown;
}

/** Doubled braces, names in braces (with the name), single braces and what is between. */
function* tokensOf(template: string): Generator<readonly [string, string | undefined]> {
  for (const [token, place] of template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/gu)) yield [token, place];
}

function parseJson(text: string, source: string): unknown {
  const place = jsonErrorPlace(text);
  if (place !== null) {
    throw new IlrecError(
      `parsePromptTemplates: ${source} must be JSON, got ${JSON.stringify(place.found)} at line ${place.line}, column ${place.column}; mend it there`,
    );
  }
  return JSON.parse(text);
}
