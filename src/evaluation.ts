/**
 * Ranking metrics, full-ranking evaluation and statistics.
 *
 * @module tfjs-ilrec/evaluation
 */

export * from './evaluation/index';
