import type { MethodName } from '../runs/run_directory_node';

/** How methods are written in tables and charts. */
export const METHOD_TITLES: Readonly<Record<MethodName, string>> = {
  popularity: 'Popularity',
  markov: 'Markov',
  sasrec: 'SASRec',
  sft: 'SFT',
  ilrec: 'ILRec',
};
