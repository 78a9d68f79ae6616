import type * as tfl from '@tensorflow/tfjs-layers';

type Layer = tfl.layers.Layer;

/**
 * The layers that a selector matches.
 *
 * @param selector a name, a list of names, a pattern on names, or a predicate.
 * @param refuse makes the error for a name, pattern or predicate without a match.
 * @throws the error that `refuse` makes.
 */
export function selectLayers(
  layers: readonly Layer[],
  selector: string | readonly string[] | RegExp | ((layer: Layer) => boolean),
  refuse: (named: string) => Error,
): Layer[] {
  const tests: [string, (layer: Layer) => boolean][] =
    typeof selector === 'string' || Array.isArray(selector)
      ? [selector].flat().map((name: string) => [`"${name}"`, (layer) => layer.name === name])
      : [
          [
            String(selector),
            selector instanceof RegExp
              ? (layer) => layer.name.search(selector) >= 0
              : (selector as (layer: Layer) => boolean),
          ],
        ];
  const chosen = new Set<Layer>();
  for (const [named, test] of tests) {
    const matches = layers.filter(test);
    if (matches.length === 0) throw refuse(named);
    for (const layer of matches) chosen.add(layer);
  }
  return [...chosen];
}
