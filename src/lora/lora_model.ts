import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { shadow } from '../shadow';
import { trainedModel } from '../taps';
import { LoraHooks } from './lora_hooks';
import { type AdapterHost, LoraAdapter, type LoraConfig, type PairSpec, type TrainedModule } from './lora_adapter';
import { baseValue, findLoraSites, type LoraSites } from './lora_sites';

const hosts = new WeakMap<tfl.LayersModel, LoraModel>();

/** The adapters of a model; null when it has none. */
export function loraModelOf(model: tfl.LayersModel): LoraModel | null {
  return hosts.get(model) ?? hosts.get(trainedModel(model)) ?? null;
}

/** The model of an adapter. @throws IlrecError when it was removed. */
export function loraModelOfAdapter(adapter: LoraAdapter, caller: string): LoraModel {
  if (!(adapter.host instanceof LoraModel) || adapter.isRemoved)
    throw new IlrecError(
      `${caller}: adapter "${adapter.name}" must belong to a model, got a removed one; save it before remove()`,
    );
  return adapter.host;
}

/** The adapters of a model, created on first use. */
export function ensureLoraModel(model: tfl.LayersModel): LoraModel {
  return loraModelOf(model) ?? new LoraModel(model);
}

/**
 * A base model and its adapters: tracks the active one, freezes the base, and decides which weights `compile`, `fit`
 * and `save` see.
 */
export class LoraModel implements AdapterHost {
  readonly sites: LoraSites;
  private readonly adapters = new Map<string, LoraAdapter>();
  private readonly restores: (() => void)[] = [];
  private readonly hooks: LoraHooks;
  private current: LoraAdapter | null = null;
  private mergedAdapter: LoraAdapter | null = null;
  /** The base's values before a merge. */
  private readonly kept = new Map<tfl.LayerVariable, tf.Tensor>();

  constructor(readonly model: tfl.LayersModel) {
    this.sites = findLoraSites(model);
    this.hooks = new LoraHooks(() => (this.mergedAdapter === null ? this.current : null));
  }

  /** @throws IlrecError when the name is taken, an adapter is merged, or a layer has adapters through another model. */
  add(
    caller: string,
    name: string,
    config: LoraConfig,
    specs: readonly PairSpec[],
    modules: readonly Omit<TrainedModule, 'copy'>[],
    trainable: boolean,
  ): LoraAdapter {
    if (this.adapters.has(name))
      throw new IlrecError(
        `${caller}: each adapter of a model must have another name, got "${name}" twice; set the option name`,
      );
    this.checkNotMerged(caller);
    const adapter = new LoraAdapter(this, name, config, specs, modules, trainable);
    try {
      this.hooks.install(adapter, caller);
    } catch (error) {
      for (const parameter of adapter.parameters) parameter.dispose();
      throw error;
    }
    if (this.adapters.size === 0) this.freezeBase();
    this.adapters.set(name, adapter);
    this.activate(adapter);
    return adapter;
  }

  /** @throws IlrecError when the name is unknown, or an adapter is merged. */
  setActive(name: string | null): void {
    const adapter = name === null ? null : (this.adapters.get(name) ?? null);
    if (name !== null && adapter === null)
      throw new IlrecError(
        `setActiveAdapter: name must be an adapter of the model, got "${name}"; adapters: ` +
          `${[...this.adapters.keys()].join(', ')}`,
      );
    this.checkNotMerged('setActiveAdapter');
    this.activate(adapter);
  }

  get names(): string[] {
    return [...this.adapters.keys()];
  }

  isActive(adapter: LoraAdapter): boolean {
    return this.current === adapter;
  }

  isMerged(adapter: LoraAdapter): boolean {
    return this.mergedAdapter === adapter;
  }

  merge(adapter: LoraAdapter): void {
    if (this.mergedAdapter === adapter) return;
    this.checkNotMerged('LoraAdapter.merge');
    if (this.current !== adapter)
      throw new IlrecError(
        `LoraAdapter.merge: the adapter must be the active one, got "${adapter.name}"; call ` +
          `setActiveAdapter(model, "${adapter.name}") first`,
      );
    const tied =
      adapter.pairs.find(({ site }) => site.tied)?.site.path ??
      adapter.modules.find(({ use }) => use !== 'all')?.base.originalName;
    if (tied !== undefined)
      throw new IlrecError(
        `LoraAdapter.merge: "${tied}" must not be tied, got a weight that the embedding shares; save the adapter ` +
          'separately with saveAdapter',
      );
    for (const pair of adapter.pairs) this.write(pair.site.variable, () => pair.adapted(baseValue(pair.site.variable)));
    for (const { base, copy } of adapter.modules) this.write(base, () => tf.clone(copy.read()));
    this.mergedAdapter = adapter;
    this.hooks.refresh();
  }

  unmerge(adapter: LoraAdapter): void {
    if (this.mergedAdapter !== adapter) return;
    for (const [variable, before] of this.kept) {
      const value = baseValue(variable);
      if (!value.isDisposed) value.assign(before);
      before.dispose();
    }
    this.kept.clear();
    this.mergedAdapter = null;
    this.hooks.refresh();
  }

  remove(adapter: LoraAdapter): void {
    this.unmerge(adapter);
    if (this.current === adapter) this.activate(null);
    this.adapters.delete(adapter.name);
    if (this.adapters.size > 0) return;
    this.hooks.uninstall();
    for (const restore of this.restores.splice(0).reverse()) restore();
  }

  private activate(adapter: LoraAdapter | null): void {
    for (const other of this.adapters.values()) setTrainable(other, false);
    this.current = adapter;
    if (adapter !== null) setTrainable(adapter, adapter.trainable);
    this.hooks.refresh();
  }

  private checkNotMerged(caller: string): void {
    if (this.mergedAdapter !== null)
      throw new IlrecError(`${caller}: no adapter may be merged, got "${this.mergedAdapter.name}"; unmerge() it first`);
  }

  private write(variable: tfl.LayerVariable, value: () => tf.Tensor): void {
    const raw = baseValue(variable);
    this.kept.set(variable, tf.keep(tf.clone(raw)));
    tf.tidy(() => raw.assign(value()));
  }

  /**
   * Makes the active adapter's weights the trainable ones for `compile`, `fit` and custom loops, and the base's weights
   * those of `save`.
   */
  private freezeBase(): void {
    const variables = [...this.model.weights];
    const flags = variables.map((variable) => baseValue(variable).trainable);
    const freeze = (): void => {
      // only the tensor's flag: the layers' flags stay as the user set them
      for (const variable of variables) baseValue(variable).trainable = false;
    };
    freeze();
    this.restores.push(() => variables.forEach((variable, i) => (baseValue(variable).trainable = flags[i])));

    const base = variables.map(
      (variable) => Object.create(variable, { read: { value: () => baseValue(variable) } }) as tfl.LayerVariable,
    );
    this.show(this.model, base);
    if (!(this.model instanceof tfl.Sequential)) return;
    if (trainedModel(this.model) !== this.model) this.show(trainedModel(this.model), base);
    this.restores.push(
      shadow(
        this.model,
        'build',
        (original) => (shape) => {
          original(shape); // compiling a sequential model makes a new inner model and sets all flags
          freeze();
          this.show(trainedModel(this.model), base);
        },
        'adapter',
      ),
    );
  }

  private show(model: tfl.LayersModel, base: tfl.LayerVariable[]): void {
    hosts.set(model, this);
    this.restores.push(
      showGetter(model, 'trainableWeights', () => (this.current?.trainable === true ? this.current.parameters : [])),
      showGetter(model, 'nonTrainableWeights', () => base),
      showGetter(model, 'weights', () => base),
      this.hooks.guardTraining(model, () => this.trainingProblem(model)),
      () => hosts.delete(model),
    );
  }

  /** The reason why a training step would not train the active adapter; null when it would. */
  private trainingProblem(model: tfl.LayersModel): string | null {
    if (this.mergedAdapter !== null) return `"${this.mergedAdapter.name}" is merged; unmerge() it first`;
    if (this.current === null)
      return `no adapter is active; call setActiveAdapter(model, name) with one of ${this.names.join(', ')}, or remove() them to train the base`;
    if (!this.current.trainable)
      return `"${this.current.name}" was loaded with trainable: false; load it with trainable: true`;
    const collected = Reflect.get(model, 'collectedTrainableWeights') as tfl.LayerVariable[] | undefined;
    const expected = this.current.parameters;
    const current =
      collected !== undefined &&
      collected.length === expected.length &&
      expected.every((parameter, i) => parameter === collected[i]);
    return current
      ? null
      : `the model was compiled before "${this.current.name}" was added or made active; call model.compile(...) again, with a new optimizer`;
  }
}

function setTrainable(adapter: LoraAdapter, trainable: boolean): void {
  for (const parameter of adapter.parameters) parameter.trainable = trainable;
}

function showGetter(target: object, property: string, get: () => unknown): () => void {
  Object.defineProperty(target, property, { get, configurable: true, enumerable: false });
  return () => Reflect.deleteProperty(target, property);
}
