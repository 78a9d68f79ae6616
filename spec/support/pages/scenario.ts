import type * as Ilrec from 'tfjs-ilrec';

type Library = typeof Ilrec;

/** What a page does; `after` in another page than `before`. */
export interface Call {
  readonly part: 'before' | 'after';
  readonly backend: Ilrec.BrowserBackendName;
  /** Name of the store. */
  readonly run: string;
}

/** Numbers only, so that they go through JSON unchanged. */
export interface Answer {
  readonly backend: string;
  readonly step: number;
  /** Per epoch, as `fitDataset` returns them; empty for the run that is cut short. */
  readonly losses: number[];
  /** Weights and optimizer state. */
  readonly state: number[];
  /** Recommended; where the training is done. */
  readonly items: number[];
  readonly scores: number[];
}

const EPOCHS = 2;
const STOP_AFTER = 3; // of 4 steps: inside the second epoch

/** `before`: a whole training, and one that is stopped and left in IndexedDB. `after`: goes on with that one. */
export async function play(lib: Library, { part, backend, run }: Call): Promise<Answer[]> {
  const used = await lib.useBackend(backend);
  const store = lib.indexedDbStore(run);
  if (part === 'after') return [await trained(lib, used, store)];
  await store.clear();
  return [await trained(lib, used, store), await stopped(lib, used, store)];
}

function makeTraining(lib: Library) {
  const data = lib.prepareInteractions(lib.demoCatalogue({ numItems: 40, numUsers: 12, seed: 3 }));
  const tokenizer = lib.SemanticIdTokenizer.fromSemanticIds(data.semanticIds);
  const batches = lib.createBatches({
    sequences: lib.leaveOneOut(data).train,
    itemTokens: tokenizer.itemTokens,
    batchSize: 15,
    bucketTokens: 64,
    maxHistory: 4,
  });
  const model = lib.causalLM({
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 4,
    numHiddenLayers: 2,
    numAttentionHeads: 1,
    hiddenDropout: 0.2,
  });
  const method = lib.ilrec({ numNegativeLayers: 1, distillationWeight: 0.1 });
  return { data, tokenizer, batches, model, method, optimizer: new lib.AdamW({ learningRate: 0.01, clipNorm: 1 }) };
}

/** With plain `fitDataset`, from where the store's run was stopped; then recommends. */
async function trained(lib: Library, backend: string, store: Ilrec.SnapshotStore): Promise<Answer> {
  const { data, tokenizer, batches, model, method, optimizer } = makeTraining(lib);
  const startStep = await lib.resumeFrom(store, { model, optimizer, method });
  model.compile({ optimizer, loss: method.loss, metrics: method.metrics });
  const initialEpoch = Math.floor(startStep / batches.stepsPerEpoch);
  const { history } = await model.fitDataset(lib.batchDataset(batches, { startStep }), {
    epochs: EPOCHS,
    initialEpoch,
    callbacks: [method.callback],
    verbose: 0,
  });
  const trie = lib.buildPrefixTrie(tokenizer.itemTokens);
  const [{ items, scores }] = await lib.constrainedBeamSearch(
    lib.createCausalDecoder(model),
    trie,
    [lib.historyPrompt(tokenizer, data.sequences[0])],
    { beamWidth: 8 },
  );
  const state = numbersOf(await lib.takeSnapshot(model, optimizer, method.step));
  return {
    backend,
    step: method.step,
    losses: history.loss as number[],
    state,
    items: [...items],
    scores: [...scores],
  };
}

/** With `trainModel`, which a signal stops after a step and leaves in the store. */
async function stopped(lib: Library, backend: string, store: Ilrec.SnapshotStore): Promise<Answer> {
  const { batches, model, method, optimizer } = makeTraining(lib);
  const abort = new AbortController();
  const stopper: Ilrec.TrainingCallback = {
    onStep: ({ step }) => {
      if (step === STOP_AFTER) abort.abort();
    },
  };
  const { step } = await lib.trainModel({
    model,
    method,
    optimizer,
    batches,
    epochs: EPOCHS,
    callbacks: [stopper, lib.checkpointing({ store, signal: abort.signal })],
  });
  return {
    backend,
    step,
    losses: [],
    state: numbersOf(await lib.takeSnapshot(model, optimizer, step)),
    items: [],
    scores: [],
  };
}

function numbersOf({ file }: Ilrec.TrainingSnapshot): number[] {
  return [...file.tensors.values()].flatMap(({ data }) => [...data]);
}
