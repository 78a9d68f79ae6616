/**
 * Reads, splits and names data, without a model, a backend or a package of TensorFlow.
 *
 * @module tfjs-ilrec/data
 */

export { demoCatalogue, type DemoCatalogueOptions } from './data/demo_catalogue';
export { readLcRec, type LcRecFiles } from './data/lc_rec';
export { leaveOneOut } from './data/leave_one_out';
export { readMiniOneRec, type MiniOneRecFiles } from './data/minionerec';
export { readWindows, type WindowFiles } from './data/windows';
export type { WindowColumns } from './data/window_rows';
export type { ColumnRole, TableColumns } from './data/column_roles';
export { readPlain, type PlainFiles, type PlainOptions } from './data/plain_table';
export { readRecBole, type RecBoleFiles } from './data/recbole';
export { splitCases, type EvaluationCases } from './data/split_cases';
export type { TextFile } from './data/text_file';
export type {
  InteractionData,
  LeaveOneOut,
  PreparedData,
  PrepareReport,
  PublishedCase,
  PublishedCases,
  SemanticIdReport,
} from './data/types';
export { prepareInteractions, type PrepareOptions } from './preparation/prepare';
export { formatPrepareReport } from './preparation/prepare_report';
export { makeItemVectors, type ItemVectors } from './semantic_ids/make_item_vectors';
export { makeSemanticIds, type MakeSemanticIdsOptions } from './semantic_ids/make_semantic_ids';
export { trainByteLevelBpe, type TrainByteLevelBpeOptions } from './tokenizers/byte_level_bpe';
export { encodeTitles, type EncodeTitlesOptions } from './tokenizers/item_titles';
export { codesOfSemanticIds } from './tokenizers/codes_of_semantic_ids';
export { SemanticIdTokenizer, type SemanticIdTokenizerJson } from './tokenizers/semantic_id_tokenizer';
export {
  TextTokenizer,
  type AddTokensOptions,
  type DecodeTextOptions,
  type EncodeTextOptions,
  type TokenizerJson,
} from './tokenizers/text_tokenizer';
export { IlrecError } from './errors';
