import { markovScorer } from '../models/markov';
import { countingMethod } from './counting';

/** What most often followed the last item. */
export const markovMethod = countingMethod(
  {
    name: 'markov',
    title: 'Markov',
    summary: 'what most often followed the last item',
    color: { light: '#7d55b5', dark: '#bb9cec' },
    order: 20,
  },
  markovScorer,
);
