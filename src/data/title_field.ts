/** Whose title or name it is when it is not the item's. */
const OF_ANOTHER =
  /(?:^|_)(?:sub|brand|categor|cat_|store|shop|seller|vendor|merchant|supplier|manufactur|maker|publisher|developer|author|director|user|file|image|genre|city|country|state_|department|company|class|type|tag)/;
const RANKS = [/^title$/, /title$/, /^name$/, /name$/];

/**
 * Finds the column or field that holds the titles of items: `title`, or else one that ends in it (`movie_title`), or
 * else `name`, or else one that ends in it (`item_name`). Names of a brand, a category, a store and the like are never
 * titles. Upper and lower case are the same.
 *
 * @returns the places of the best names: none, one, or several when it is not clear which is meant.
 */
export function titlePlaces(names: readonly string[]): number[] {
  const words = names.map((name) =>
    name
      .trim()
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replace(/[\s-]+/g, '_')
      .toLowerCase(),
  );
  for (const rank of RANKS) {
    const places = words.flatMap((word, place) => (rank.test(word) && !OF_ANOTHER.test(word) ? [place] : []));
    if (places.length > 0) return places;
  }
  return [];
}
