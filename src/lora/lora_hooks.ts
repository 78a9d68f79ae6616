import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { CallArgs } from '../layers/layer_types';
import { linear } from '../ops/linear';
import { shadow } from '../shadow';
import type { LoraAdapter, LoraPair, TrainedModule } from './lora_adapter';
import { baseValue, isAdaptable, isHead, type LoraSite } from './lora_sites';

type Layer = tfl.layers.Layer;
type Inputs = tf.Tensor | tf.Tensor[];

/** Layers with adapters, of any model. */
const adaptedLayers = new WeakSet<Layer>();

/** The parts of tfjs's dense layer that its call needs. */
interface Dense {
  readonly kernel: tfl.LayerVariable;
  readonly bias: tfl.LayerVariable | null;
  readonly activation: { apply(x: tf.Tensor): tf.Tensor } | null;
}

/** The hooks on the layers of one model, through which they compute with the current adapter. */
export class LoraHooks {
  private readonly sites = new Map<string, LoraSite>();
  private readonly redirected = new Set<tfl.LayerVariable>();
  private readonly scoped = new Set<Layer>();
  private readonly restores: (() => void)[] = [];
  private readonly layers = new Set<Layer>();
  /** Adapted weights of the layers that are being called now. */
  private readonly effective = new Map<tfl.LayerVariable, tf.Tensor>();
  /** Tied embeddings that are looking up tokens now. */
  private readonly lookups = new Set<Layer>();
  /** Layers that used a dropout mask in the current call. */
  private readonly dropped = new WeakSet<Layer>();
  private pairs = new Map<LoraSite, LoraPair>();
  private copies = new Map<tfl.LayerVariable, TrainedModule[]>();

  /** @param currentAdapter the adapter to compute with; null for the base alone. */
  constructor(private readonly currentAdapter: () => LoraAdapter | null) {}

  /** @param caller the public function that error messages name. */
  install(adapter: LoraAdapter, caller: string): void {
    const layers = [...adapter.pairs.flatMap(({ site }) => site.holders), ...adapter.modules.map(({ layer }) => layer)];
    const foreign = layers.find((layer) => adaptedLayers.has(layer) && !this.layers.has(layer));
    if (foreign !== undefined) {
      throw new IlrecError(
        `${caller}: layer "${foreign.name}" must get its adapters through one model, got a second model with ` +
          'this layer; remove() the adapters of the first',
      );
    }
    for (const layer of layers) {
      this.layers.add(layer);
      adaptedLayers.add(layer);
    }
    for (const { site } of adapter.pairs) {
      if (!this.sites.has(site.path)) {
        this.sites.set(site.path, site);
        if (site.mechanism === 'dense') this.hookDense(site);
        if (site.mechanism === 'weight') this.hookWeight(site);
      }
      // installed after the hook, to wrap it: the hook may skip the original call
      if (adapter.config.dropout > 0) this.countCalls(site);
    }
    for (const { layer, base, use } of adapter.modules) {
      this.redirect(base);
      if (use !== 'all') this.watchLookups(layer);
    }
  }

  /** Call it when the current adapter changes. */
  refresh(): void {
    const adapter = this.currentAdapter();
    this.pairs = new Map(adapter?.pairs.map((pair) => [pair.site, pair]));
    this.copies = new Map();
    for (const module of adapter?.modules ?? [])
      this.copies.set(module.base, [...(this.copies.get(module.base) ?? []), module]);
    for (const layer of this.layers) if (isAdaptable(layer)) layer.projectionDelta = this.deltaOf(layer);
  }

  uninstall(): void {
    for (const restore of this.restores.splice(0).reverse()) restore();
    for (const layer of this.layers) {
      if (isAdaptable(layer)) layer.projectionDelta = null;
      adaptedLayers.delete(layer);
    }
    for (const set of [this.sites, this.redirected, this.scoped, this.layers, this.lookups, this.pairs, this.copies])
      set.clear();
  }

  /** Makes `fit`, `fitDataset` and `trainOnBatch` throw when they would not train the adapter. */
  guardTraining(model: tfl.LayersModel, problem: () => string | null): () => void {
    // not in tfjs-layers' public types
    const trainer: { makeTrainFunction: () => (data: tf.Tensor[]) => unknown } = Object(model);
    return shadow(trainer, 'makeTrainFunction', (original) => () => {
      const train = original();
      return (data) => {
        const found = problem();
        if (found !== null) throw new IlrecError(`addLora: a training step needs a trainable adapter, but ${found}`);
        return train(data);
      };
    });
  }

  private deltaOf(layer: Layer): ((name: string, x: tf.Tensor, training: boolean) => tf.Tensor | null) | null {
    const pairs = new Map(
      [...this.pairs.values()]
        .filter(({ site }) => site.owner === layer && site.mechanism === 'projection')
        .map((pair) => [pair.site.variable.originalName.replace(/^.*\//, ''), pair]),
    );
    if (pairs.size === 0) return null;
    return (name, x, training) => pairs.get(name)?.delta(x, training ? this.step(layer) : null) ?? null;
  }

  private hookDense(site: LoraSite): void {
    const [holder] = site.holders;
    const compute = (inputs: Inputs, pair: LoraPair, training: boolean): tf.Tensor =>
      tf.tidy(() => {
        const { kernel, bias, activation } = site.owner as unknown as Dense;
        const x = Array.isArray(inputs) ? inputs[0] : inputs; // [..., in]
        const product = tf.add(
          linear(x, kernel.read() as tf.Tensor2D),
          pair.delta(x, training ? this.step(holder) : null),
        ); // [..., out]
        const biased = bias === null ? product : tf.add(product, bias.read());
        return activation === null ? biased : activation.apply(biased);
      });
    for (const caller of site.callers) {
      this.restores.push(
        shadow(
          caller,
          'call',
          (original) => (inputs: Inputs, kwargs: CallArgs) => {
            const pair = this.pairs.get(site);
            return pair === undefined ? original(inputs, kwargs) : compute(inputs, pair, kwargs?.training === true);
          },
          'adapter',
        ),
      );
    }
  }

  /** During the calls of the layers that use the weight, reading it returns W + scale A B. */
  private hookWeight(site: LoraSite): void {
    this.redirect(site.variable);
    for (const caller of site.callers) {
      if (this.scoped.has(caller)) continue;
      this.scoped.add(caller);
      this.restores.push(
        shadow(
          caller,
          'call',
          (original) => (inputs: Inputs, kwargs: CallArgs) => {
            const entered = [...this.pairs.values()].filter(
              (pair) =>
                pair.site.mechanism === 'weight' &&
                pair.site.callers.includes(caller) &&
                !this.effective.has(pair.site.variable),
            );
            const values = entered.map((pair) => pair.adapted(baseValue(pair.site.variable)));
            entered.forEach(({ site: { variable } }, i) => this.effective.set(variable, values[i]));
            try {
              return original(inputs, kwargs);
            } finally {
              for (const {
                site: { variable },
              } of entered)
                this.effective.delete(variable);
              tf.dispose(values); // the tape keeps what the gradient needs
            }
          },
          'adapter',
        ),
      );
    }
  }

  private redirect(variable: tfl.LayerVariable): void {
    if (this.redirected.has(variable)) return;
    this.redirected.add(variable);
    const read = (): tf.Tensor => this.effective.get(variable) ?? this.copyOf(variable) ?? baseValue(variable);
    Object.defineProperty(variable, 'read', { value: read, configurable: true, enumerable: false });
    this.restores.push(() => Reflect.deleteProperty(variable, 'read'));
  }

  private copyOf(variable: tfl.LayerVariable): tf.Tensor | null {
    const copies = this.copies.get(variable);
    if (copies === undefined) return null;
    const found = copies.find(({ use, layer }) => use === 'all' || (use === 'lookup') === this.lookups.has(layer));
    return found?.copy.read() ?? null;
  }

  /** Tracks when a tied embedding looks up tokens. */
  private watchLookups(layer: Layer): void {
    if (this.scoped.has(layer) || !isHead(layer)) return;
    this.scoped.add(layer);
    this.restores.push(
      shadow(
        layer,
        'call',
        (original) => (inputs: Inputs, kwargs: CallArgs) => {
          if ((Array.isArray(inputs) ? inputs[0] : inputs).rank !== 2) return original(inputs, kwargs);
          this.lookups.add(layer);
          try {
            return original(inputs, kwargs);
          } finally {
            this.lookups.delete(layer);
          }
        },
        'adapter',
      ),
    );
  }

  /** Adds a counter of training calls to a layer without dropout; `setDropoutStep` sets it when a run resumes. */
  private countCalls({ holders: [holder] }: LoraSite): void {
    if ('dropoutStep' in holder) return;
    Object.defineProperty(holder, 'dropoutStep', { value: 0, writable: true, configurable: true, enumerable: false });
    this.restores.push(
      shadow(
        holder,
        'call',
        (original) => (inputs: Inputs, kwargs: CallArgs) => {
          const output = original(inputs, kwargs);
          if (this.dropped.delete(holder)) (holder as unknown as { dropoutStep: number }).dropoutStep++;
          return output;
        },
        'adapter',
      ),
      () => Reflect.deleteProperty(holder, 'dropoutStep'),
    );
  }

  private step(layer: Layer): number {
    this.dropped.add(layer);
    return 'dropoutStep' in layer ? (layer.dropoutStep as number) : 0;
  }
}
