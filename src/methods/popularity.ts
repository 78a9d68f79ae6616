import { popularityScorer } from '../models/popularity';
import { countingMethod } from './counting';

/** The items that most people chose, the same for everyone: the floor of every comparison. */
export const popularityMethod = countingMethod(
  {
    name: 'popularity',
    title: 'Popularity',
    summary: 'the most frequent items, the same for everyone',
    color: { light: '#7b7f88', dark: '#9aa0aa' },
    order: 10,
  },
  popularityScorer,
);
