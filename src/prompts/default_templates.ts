import { type PromptTemplates, parsePromptTemplates } from './templates';

/**
 * The default templates of `lcRecLanguage`: LC-Rec's five tasks, in text and semantic ids. Equal to
 * configs/prompts/lc_rec.json.
 *
 * @example
 * ```ts
 * import { LC_REC_TEMPLATES } from 'tfjs-ilrec';
 *
 * const { history, tasks } = LC_REC_TEMPLATES;
 * console.log(history.empty, Object.keys(tasks).length); // (nothing yet) 5
 * ```
 */
export const LC_REC_TEMPLATES: PromptTemplates = parsePromptTemplates({
  description:
    'Prompts of text and semantic ids, for the five tasks of LC-Rec. The first template of nextItem asks for ' +
    'recommendations.',
  format: '{prompt}\nAnswer:\n',
  history: { separator: '\n', empty: '(nothing yet)' },
  tasks: {
    nextItem: {
      weight: 1,
      templates: [
        'A customer bought, oldest first:\n{history:id}\nWhat will the customer buy next?',
        'Purchases so far:\n{history:id}\nPredict the next one.',
        'Someone owns these products and is looking for one more:\n{history:id}\nWhich one fits?',
        'Name the product that follows in this shopping history.\n{history:id}',
      ],
    },
    nextItemFromTitles: {
      weight: 0.5,
      templates: [
        'A customer bought products with these titles, oldest first:\n{history:title}\nWhich product comes next?',
        'Titles of earlier purchases:\n{history:title}\nPredict the next product.',
      ],
    },
    nextTitle: {
      weight: 0.5,
      templates: [
        'A customer bought, oldest first:\n{history:id}\nWhat is the title of the next product?',
        'Purchases so far:\n{history:id}\nWrite the title of the one that follows.',
      ],
    },
    idOfTitle: {
      weight: 1,
      templates: ['Which product is called "{title}"?', 'Find the product with this title:\n{title}'],
    },
    titleOfId: {
      weight: 1,
      templates: ['What is the title of {id}?', 'Write the title of product {id}.'],
    },
  },
});

/**
 * The default templates of `titleLanguage`: the next item's title, as in BIGRec. Equal to configs/prompts/bigrec.json.
 *
 * @example
 * ```ts
 * import { TITLE_TEMPLATES } from 'tfjs-ilrec';
 *
 * console.log(TITLE_TEMPLATES.tasks.nextItem.templates.length); // 1
 * ```
 */
export const TITLE_TEMPLATES: PromptTemplates = parsePromptTemplates({
  description:
    'Prompts of titles alone, as in BIGRec: the answer is the title of the next item. A title stands after a ' +
    'line break, where byte-level tokenizers cut it as they would by itself.',
  format: '{prompt}\nNext:\n',
  history: { separator: '\n', empty: '(nothing yet)' },
  tasks: {
    nextItem: {
      weight: 1,
      templates: ['A customer bought these products, oldest first:\n{history:title}'],
    },
  },
});
