/** Items up to which one forward pass scores them all; larger catalogues are decoded by their semantic ids. */
export const MAX_ITEM_TOKENS = 200_000;

/** Rows of a batch: small data need many small steps. */
const [LEAST_ROWS, MOST_ROWS] = [16, 128];
const LEAST_BATCHES = 16; // of an epoch, above the least rows

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
 * @param users of the dataset, for the rows of a batch. Default many.
 */
export function withStyleDefaults(
  value: unknown,
  methods: Readonly<Record<string, Json>>,
  autoStyle?: 'items' | 'ids',
  users = Infinity,
): unknown {
  if (!isObject(value)) return value;
  const { items = {} } = value;
  if (!isObject(items)) return value; // the schema refuses it
  const isOld = OLD_KEYS.some((key) => Object.hasOwn(value, key));
  const asked = items.style ?? (isOld ? 'ids' : 'auto');
  const style = asked === 'auto' ? (autoStyle ?? asked) : asked;
  if (style !== 'auto' && style !== 'items') return { ...value, items: { ...items, style } };
  const training = { ...ITEM_DEFAULTS.training, batchSize: itemBatchSize(users) };
  return withDefaults({ ...ITEM_DEFAULTS, training, methods }, { ...value, items: { ...items, style } });
}

/** The largest power of two that makes 16 batches or more of the users, from 16 to 128. */
export function itemBatchSize(users: number): number {
  const rows = 2 ** Math.floor(Math.log2(Math.max(1, users) / LEAST_BATCHES));
  return Math.min(MOST_ROWS, Math.max(LEAST_ROWS, rows));
}

/** What `items.style: 'auto'` is for a catalogue. */
export function autoStyleOf(numItems: number): 'items' | 'ids' {
  return numItems <= MAX_ITEM_TOKENS ? 'items' : 'ids';
}

/** Adds the fields of `defaults` that `value` leaves out, at every depth. */
export function withDefaults(defaults: Json, value: Json): Json {
  const merged: Record<string, unknown> = { ...defaults, ...value };
  for (const [key, own] of Object.entries(defaults)) {
    const given = value[key];
    if (given === undefined) merged[key] = own;
    else if (isObject(own) && isObject(given)) merged[key] = withDefaults(own, given);
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
