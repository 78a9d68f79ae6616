import { type PromptTemplates, parsePromptTemplates } from './templates';

/** The templates of configs/prompts/lc_rec.json. */
export const LC_REC_TEMPLATES: PromptTemplates = parsePromptTemplates({
  description:
    'Prompts of text and semantic ids, for the five tasks of LC-Rec. The first template of nextItem asks for recommendations.',
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

/** The templates of configs/prompts/bigrec.json. */
export const TITLE_TEMPLATES: PromptTemplates = parsePromptTemplates({
  description:
    'Prompts of titles alone, as in BIGRec: the answer is the title of the next item. A title stands after a line break, where byte-level tokenizers cut it as they would by itself.',
  format: '{prompt}\nNext:\n',
  history: { separator: '\n', empty: '(nothing yet)' },
  tasks: {
    nextItem: {
      weight: 1,
      templates: ['A customer bought these products, oldest first:\n{history:title}'],
    },
  },
});
