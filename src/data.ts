/**
 * Reading, generating and preparing interaction data.
 *
 * @module tfjs-ilrec/data
 */

export { demoCatalogue, type DemoCatalogueOptions } from './data/demo_catalogue';
export { readLcRec, type LcRecFiles } from './data/lc_rec';
export { leaveOneOut } from './data/leave_one_out';
export { readMiniOneRec, type MiniOneRecFiles } from './data/minionerec';
export { readPlain, type PlainFiles } from './data/plain';
export { readRecBole, type RecBoleFiles } from './data/recbole';
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
