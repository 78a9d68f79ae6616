export { addItemTokens } from './add_item_tokens';
export { LC_REC_TEMPLATES, TITLE_TEMPLATES } from './default_templates';
export { initialRows, type InitialRowsOptions, type InitialRowStrategy, type TokenRows } from './initial_rows';
export type { ExampleOptions, ItemLanguage, LanguageOptions, PromptExample, PromptExamples } from './item_language';
export { lcRecLanguage, type LcRecLanguage, type LcRecLanguageOptions, type SemanticIdToken } from './lc_rec_language';
export { parsePromptTemplates, type PromptTemplates, type PromptTemplatesInput, type TaskName } from './templates';
export { titleLanguage, type TitleLanguage, type TitleLanguageOptions } from './title_language';
