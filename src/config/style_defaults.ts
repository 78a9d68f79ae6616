/** Items up to which one forward pass scores them all; larger catalogues are decoded by their semantic ids. */
export const MAX_ITEM_TOKENS = 200_000;

/**
 * Defaults of a config whose language model names items by tokens of their own: where they differ from those of the
 * sections. They were chosen on the validation users of the Instruments data.
 */
const ITEM_DEFAULTS = {
  model: {
    hiddenSize: 64,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    attentionDropout: 0.4,
    hiddenDropout: 0.4,
    embeddingDropout: 0.4,
  },
  training: {
    batchSize: 128,
    learningRate: 0.002,
    warmupRatio: 0.1,
    learningRateFloor: 0.01,
    beta2: 0.98,
    weightDecay: 0.1,
  },
};

/** Keys of config files of 0.1, which knew no such style. */
const OLD_KEYS = ['method', 'sasrec'];

type Json = Readonly<Record<string, unknown>>;

/**
 * Fills in what a config's style changes, before the sections fill in the rest. A file with keys of 0.1 keeps what it
 * meant then: semantic ids.
 *
 * @param methods what each method's section changes, by name.
 * @param autoStyle what the style 'auto' is; it stays open by default.
 */
export function withStyleDefaults(
  value: unknown,
  methods: Readonly<Record<string, Json>>,
  autoStyle?: 'items' | 'ids',
): unknown {
  if (!isObject(value)) return value;
  const { items = {} } = value;
  if (!isObject(items)) return value; // the schema refuses it
  const isOld = OLD_KEYS.some((key) => Object.hasOwn(value, key));
  const asked = items.style ?? (isOld ? 'ids' : 'auto');
  const style = asked === 'auto' ? (autoStyle ?? asked) : asked;
  if (style !== 'auto' && style !== 'items') return { ...value, items: { ...items, style } };
  return filled({ ...ITEM_DEFAULTS, methods }, { ...value, items: { ...items, style } });
}

/** What `items.style: 'auto'` is for a catalogue. */
export function autoStyleOf(numItems: number): 'items' | 'ids' {
  return numItems <= MAX_ITEM_TOKENS ? 'items' : 'ids';
}

/** Fields of `defaults` that `value` leaves out, at every depth. */
function filled(defaults: Json, value: Json): Json {
  const merged: Record<string, unknown> = { ...defaults, ...value };
  for (const [key, own] of Object.entries(defaults)) {
    const given = value[key];
    if (given === undefined) merged[key] = own;
    else if (isObject(own) && isObject(given)) merged[key] = filled(own, given);
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
