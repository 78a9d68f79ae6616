import { basename, dirname, join, resolve } from 'node:path';
import { IlrecError } from '../errors';
import { isFolder, listFolder } from './open_text_node';
import type { PlainPaths } from './plain_table_node';
import { parsePythonDict } from './python_dict';
import { parseJsonLine } from './text_file';

/** Datasets that `readDataset` reads as they are published. */
export const PUBLISHED_TABLES = ['movielens', 'amazon', 'steam', 'retailrocket'] as const;
/** One of `PUBLISHED_TABLES`. */
export type PublishedTable = (typeof PUBLISHED_TABLES)[number];

const PACKED = '(\\.gz|\\.zst)?$';
const MOVIE_FIELDS = 24; // of u.item: number, title, two dates, address and 19 genres
const STEAM_FIELDS = 5; // of steam-200k.csv: user, game, behaviour, hours and 0

/**
 * Finds the files of a published dataset, and says how they are read.
 *
 * @param caller the public function that errors name.
 * @param input the dataset's folder, or its file of interactions.
 * @throws IlrecError when the folder has no such file, or several.
 */
export async function publishedTable(caller: string, format: PublishedTable, input: string): Promise<PlainPaths> {
  const given = !(await isFolder(input));
  const folder = given ? dirname(input) : input;
  const names = await listFolder(folder);
  const find = (pattern: string): string[] => names.filter((name) => new RegExp(pattern + PACKED, 'i').test(name));
  /** The one file of a pattern, or undefined. */
  const oneOf = (pattern: string): string | undefined => {
    const found = find(pattern);
    if (found.length > 1)
      throw new IlrecError(
        `${caller}: ${folder} must have only one such file, got ${found.join(', ')}; give the file itself as input or ` +
          'move the others away',
      );
    return found[0] && join(folder, found[0]);
  };
  const { pattern, words, read } = TABLES[format];
  const interactions = given ? input : oneOf(pattern);
  if (interactions === undefined)
    throw new IlrecError(
      `${caller}: ${folder} must have a file ${words}, got none; give the folder of the unpacked dataset as input`,
    );
  return read({ interactions, folder: basename(resolve(folder)), oneOf });
}

interface Found {
  readonly interactions: string;
  /** Name of the folder. */
  readonly folder: string;
  oneOf(pattern: string): string | undefined;
}

interface TableRule {
  /** The file of interactions, without the ending of a compressed file. */
  readonly pattern: string;
  /** The same for people. */
  readonly words: string;
  read(found: Found): PlainPaths;
}

const TABLES: Readonly<Record<PublishedTable, TableRule>> = {
  movielens: {
    pattern: '^(ratings\\.(csv|dat)|u\\.data)',
    words: 'ratings.csv, ratings.dat or u.data',
    read: movieLens,
  },
  amazon: {
    pattern: '^(?!meta_).*\\.(jsonl|ndjson|json|csv)',
    words: 'of reviews, such as All_Beauty.jsonl.gz or All_Beauty_5.json.gz',
    read: amazon,
  },
  steam: {
    pattern: '^(steam_(reviews|new)\\.json|steam-200k\\.csv)',
    words: 'steam_reviews.json.gz or steam-200k.csv',
    read: steam,
  },
  retailrocket: {
    pattern: '^events\\.csv',
    words: 'events.csv',
    read: ({ interactions }) => ({
      interactions,
      name: 'retailrocket',
      columns: { user: 'visitorid', item: 'itemid', time: 'timestamp', event: 'event' },
    }),
  },
};

/** MovieLens 100K (u.data), 1M and 10M (ratings.dat), and those since (ratings.csv). */
function movieLens({ interactions, folder, oneOf }: Found): PlainPaths {
  const name = /^ml-/i.test(folder) ? folder : 'movielens';
  if (hasEnding(interactions, 'csv')) {
    const columns = { user: 'userId', item: 'movieId', rating: 'rating', time: 'timestamp' };
    return { interactions, name, columns, titles: oneOf('^movies\\.csv') };
  }
  const columns = ['user', 'item', 'rating', 'time'];
  if (hasEnding(interactions, 'dat')) {
    const dialect = { delimiter: '::', quotes: false };
    const titleForm = { titleColumns: ['item', 'title', '-'], dialect, latin1: true };
    return { interactions, name, columns, form: { dialect }, titles: oneOf('^movies\\.dat'), titleForm };
  }
  const titleColumns = ['item', 'title', ...new Array<string>(MOVIE_FIELDS - 2).fill('-')];
  return {
    interactions,
    name,
    columns,
    form: { dialect: { delimiter: '\t', quotes: false } },
    titles: oneOf('^u\\.item'),
    titleForm: { titleColumns, dialect: { delimiter: '|', quotes: false }, latin1: true },
  };
}

/** Amazon Reviews 2023 (user_id, parent_asin, timestamp) and 2018 (reviewerID, asin, unixReviewTime). */
function amazon({ interactions, oneOf }: Found): PlainPaths {
  const name = basename(interactions).split('.')[0];
  const category = name.replace(/^(reviews|ratings)_/i, '').replace(/_\d+(core)?$/i, '');
  return {
    interactions,
    name,
    // `title` is that of the review
    columns: { user: 'user_id', item: 'parent_asin', time: 'timestamp', rating: 'rating', title: '-' },
    form: { lenient: true },
    titles: oneOf(`^meta_${category.replace(/\W/g, '\\$&')}\\.(jsonl|ndjson|json)`),
    titleForm: { titleColumns: { item: 'parent_asin', title: 'title' }, lenient: true, tolerant: true },
  };
}

/** Steam: UCSD's reviews, a Python dict per line, or the purchases of Kaggle's steam-200k.csv. */
function steam({ interactions, oneOf }: Found): PlainPaths {
  if (hasEnding(interactions, 'csv')) {
    const columns = ['user', 'item', 'event', ...new Array<string>(STEAM_FIELDS - 3).fill('-')];
    return { interactions, name: 'steam', columns, events: ['purchase'] };
  }
  return {
    interactions,
    name: 'steam',
    columns: { user: 'username', item: 'product_id', time: 'date', title: '-' },
    form: { parseLine: parseDictLine, userNames: true },
    titles: oneOf('^steam_games\\.json'),
    titleForm: {
      titleColumns: { item: 'id', title: 'app_name' },
      lenient: true,
      tolerant: true,
      parseLine: parseDictLine,
    },
  };
}

/** A line of Python, as published, or of JSON, as many convert it. */
const parseDictLine: typeof parseJsonLine = (reader, file, line, number) => {
  try {
    return parsePythonDict(reader, file, line, number);
  } catch (error) {
    if (!/:\s*(true|false|null)\b/.test(line)) throw error;
    return parseJsonLine(reader, file, line, number);
  }
};

function hasEnding(path: string, ending: string): boolean {
  return new RegExp(`\\.${ending}(\\.gz|\\.zst)?$`, 'i').test(path);
}
