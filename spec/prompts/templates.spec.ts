import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { LC_REC_TEMPLATES, TITLE_TEMPLATES } from '../../src/prompts/default_templates';
import { parsePromptTemplates, templateParts } from '../../src/prompts/templates';

const tasks = { nextItem: { templates: ['After {history:id}?'] } };

describe('parsePromptTemplates', () => {
  it('fills in what a file leaves out', () => {
    expect(parsePromptTemplates({ tasks })).to.deep.equal({
      format: '{prompt}',
      history: { before: '', after: '', separator: ', ', empty: '' },
      tasks: { nextItem: { weight: 1, templates: ['After {history:id}?'] } },
    });
  });

  it('reads the files of configs/prompts, which hold the defaults', () => {
    for (const [name, templates] of [
      ['lc_rec', LC_REC_TEMPLATES],
      ['bigrec', TITLE_TEMPLATES],
    ] as const) {
      const path = new URL(`../../configs/prompts/${name}.json`, import.meta.url);
      expect(parsePromptTemplates(readFileSync(path, 'utf8'), `${name}.json`)).to.deep.equal(templates);
    }
  });

  it('takes its own result', () => {
    expect(parsePromptTemplates(LC_REC_TEMPLATES)).to.deep.equal(LC_REC_TEMPLATES);
  });

  it('says where a file is no JSON', () => {
    expect(() => parsePromptTemplates('{\n  "tasks": ,', 'shop.json')).to.throw(
      'parsePromptTemplates: shop.json must be JSON, got "," at line 2, column 12; fix it there',
    );
  });

  it('names file and key of everything that breaks a rule', () => {
    const value = {
      formt: 1,
      format: 'no place',
      history: { separator: 3 },
      tasks: {
        nextItem: { weight: -1, templates: ['{history:id} {titel}', 'no place', 'a { b {history:id}'] },
        titleOfId: { templates: ['{title}'] },
        idOfTitle: { templates: [] },
        sing: {},
      },
    };
    let message = '';
    try {
      parsePromptTemplates(value, 'shop.json');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split('\n')[0]).to.equal('parsePromptTemplates: shop.json must be valid templates:');
    for (const [rule, key] of [
      ['may contain {history:id} or {history:title}, got {titel}', 'tasks.nextItem.templates[0]'],
      ['must contain {history:id} or {history:title}, got "no place"', 'tasks.nextItem.templates[1]'],
      ['must double a literal brace, got "a { b {history:id}"', 'tasks.nextItem.templates[2]'],
      ['may contain {id}, got {title}', 'tasks.titleOfId.templates[0]'],
      ['must hold {prompt} once, got "no place"', 'format'],
    ])
      expect(message).to.include(`✖ ${rule}\n  → at ${key}`);
    for (const part of [
      '"formt"',
      '"sing"',
      '→ at history.separator',
      '→ at tasks.nextItem.weight',
      '→ at tasks.idOfTitle.templates',
    ])
      expect(message).to.include(part);
  });

  it('refuses a format that shows an item, and a file without a template for the next item', () => {
    expect(() => parsePromptTemplates({ format: '{prompt} {title}', tasks })).to.throw(
      'may contain nothing, got {title}',
    );
    expect(() => parsePromptTemplates({ tasks: {} })).to.throw('→ at tasks.nextItem');
  });
});

describe('templateParts', () => {
  it('puts a template into its format and cuts it at the names', () => {
    expect(templateParts('Is {title} {id}?', '<{prompt}>')).to.deep.equal([
      { text: '<Is ' },
      { placeholder: 'title' },
      { text: ' ' },
      { placeholder: 'id' },
      { text: '?>' },
    ]);
  });

  it('makes doubled braces single ones', () => {
    expect(templateParts('{{a}} {id}}}', '{{{prompt}')).to.deep.equal([
      { text: '{{a} ' },
      { placeholder: 'id' },
      { text: '}' },
    ]);
  });
});
