/* global ilrec */
import { drawCurve } from './curve.js';

const EPOCHS = 30;
const CURVE_KEY = 'ilrec-curve';
const element = (id) => document.getElementById(id);

const data = ilrec.prepareInteractions(ilrec.demoCatalogue({ numItems: 120, numUsers: 400 }));
const tokenizer = ilrec.SemanticIdTokenizer.fromSemanticIds(data.semanticIds);
const { train, test } = ilrec.leaveOneOut(data);
const batches = ilrec.createBatches({
  sequences: train,
  itemTokens: tokenizer.itemTokens,
  batchSize: 50,
  bucketTokens: 64,
}); // one length: WebGPU compiles per shape
const trie = ilrec.buildPrefixTrie(tokenizer.itemTokens);
const store = ilrec.indexedDbStore('web');

let model = null;
let isBusy = false;
let abort = new AbortController();
let curve = [];
let history = [];

/** Trains from nothing, or from the checkpoint. */
async function run(isResumed) {
  abort = new AbortController(); // first of all: Stop counts from now on
  let optimizer = null;
  try {
    const skipped = [];
    const backend = await ilrec.useBackend(element('backend').value, { onSkip: (reason) => skipped.push(reason) });
    element('skipped').replaceChildren(...skipped.map((reason) => textElement('li', reason)));
    const status = (text) => say(`${backend}: ${text}`);
    if (!isResumed) await store.clear();

    releaseModel();
    model = ilrec.causalLM({ vocabSize: tokenizer.vocabSize, hiddenSize: 32, numHiddenLayers: 4, hiddenDropout: 0.1 });
    const method = ilrec.ilrec({ numNegativeLayers: 2, penaltyWeight: 0.1 });
    optimizer = new ilrec.AdamW({ learningRate: 3e-3, clipNorm: 1 });
    const startStep = await ilrec.resumeFrom(store, { model, optimizer, method });
    curve = startStep === 0 ? [] : JSON.parse(localStorage.getItem(CURVE_KEY) ?? '[]').slice(0, startStep);
    status('the first step compiles …');

    const show = {
      onStep({ step, metrics, tokensPerSecond }, { totalSteps }) {
        curve[step - 1] = metrics.crossEntropy;
        drawCurve(element('curve'), curve, totalSteps);
        for (const name of ['crossEntropy', 'numNegatives', 'penaltyMass'])
          element(name).textContent = metrics[name].toFixed(name === 'numNegatives' ? 1 : 3);
        element('tokensPerSecond').textContent = Math.round(tokensPerSecond).toLocaleString('en');
        status(`step ${step} of ${totalSteps}`);
      },
      onEpochEnd: () => localStorage.setItem(CURVE_KEY, JSON.stringify(curve)),
    };
    const checkpoints = ilrec.checkpointing({ store, everySeconds: 10, signal: abort.signal });
    const { step, totalSteps } = await ilrec.trainModel({
      model,
      method,
      optimizer,
      batches,
      epochs: EPOCHS,
      startStep,
      callbacks: [show, checkpoints],
    });
    localStorage.setItem(CURVE_KEY, JSON.stringify(curve));
    drawCurve(element('curve'), curve, totalSteps);
    status(step < totalSteps ? `stopped and saved at step ${step} of ${totalSteps}` : `done after ${step} steps`);
    await recommend();
  } finally {
    optimizer?.dispose();
  }
}

/** Frees the former model, the weights of layers that are used twice too, such as a tied embedding: dispose() alone leaves those. */
function releaseModel() {
  const weights = model?.getWeights() ?? [];
  model?.dispose();
  for (const weight of weights) if (!weight.isDisposed) weight.dispose();
  model = null;
}

async function recommend() {
  const prompts = [ilrec.historyPrompt(tokenizer, history, 20)];
  const [{ items, scores }] = await ilrec.constrainedBeamSearch(ilrec.createCausalDecoder(model), trie, prompts, {
    listLength: 8,
    exclude: [new Set(history)],
    renormalize: true,
  });
  const bought = test[Number(element('customer').value)];
  element('found').replaceChildren(
    ...Array.from(items, (item, rank) => {
      const row = document.createElement('li');
      row.append(
        textElement(item === bought ? 'b' : 'span', data.titles[item]),
        textElement('span', `${(100 * Math.exp(scores[rank])).toFixed(1)} %`, 'share'),
      );
      return row;
    }),
  );
  element('hint').textContent =
    'Probability of each item, of all items of the shop. Blue: what the customer really ordered next, which training has not seen.';
}

function showHistory() {
  element('history').replaceChildren(
    ...history.map((item, at) => {
      const row = textElement('li', data.titles[item]);
      const remove = textElement('button', '×');
      remove.ariaLabel = `Remove ${data.titles[item]}`;
      remove.onclick = () => setHistory(history.toSpliced(at, 1));
      row.append(remove);
      return row;
    }),
  );
}

function setHistory(items) {
  history = items;
  showHistory();
  element('found').replaceChildren();
}

/** Does one thing that takes a while, and says what went wrong. */
async function act(work) {
  setBusy(true);
  try {
    await work();
  } catch (error) {
    sayError(error);
  } finally {
    rest();
  }
}

function rest() {
  setBusy(false);
  showCheckpoint().catch(sayError);
}

function setBusy(busy) {
  isBusy = busy;
  for (const id of ['train', 'backend']) element(id).disabled = busy;
  element('stop').disabled = !busy;
  element('recommend').disabled = busy || model === null;
  element('resume').disabled = true;
}

async function showCheckpoint() {
  const step = (await store.loadLatest())?.step ?? 0;
  element('resume').disabled = step === 0 || isBusy;
  element('resume').textContent = step === 0 ? 'Resume' : `Resume from step ${step}`;
}

function say(text) {
  element('status').textContent = text;
}

/** Says what a user can mend; anything else goes to the console too. */
function sayError(error) {
  say(error.message);
  if (error.name !== 'IlrecError') throw error;
}

function textElement(kind, text, className = '') {
  return Object.assign(document.createElement(kind), { textContent: text, className });
}

element('train').onclick = () => act(() => run(false));
element('resume').onclick = () => act(() => run(true));
element('stop').onclick = () => abort.abort();
element('recommend').onclick = () => act(recommend);
element('titles').append(
  ...data.titles.map((title) => Object.assign(document.createElement('option'), { value: title })),
);
element('item').onchange = ({ target }) => {
  const item = data.titles.indexOf(target.value);
  if (item < 0) return;
  setHistory([...history, item]);
  target.value = '';
};
element('customer').append(
  ...data.userIds.slice(0, 50).map((id, user) => Object.assign(textElement('option', id), { value: user })),
);
element('customer').onchange = ({ target }) => setHistory([...data.sequences[target.value].slice(0, -1)].slice(-6));
element('customer').onchange({ target: { value: 0 } });
drawCurve(element('curve'), [], 1);
rest();
