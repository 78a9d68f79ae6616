import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { selectLayers } from '../layers/select_layers';
import type { LayerSelector } from '../taps';
import type { LoraAdapter, TrainedModule } from './lora_adapter';
import { ensureLoraModel, loraModelOf } from './lora_model';
import { graphLayers, type LoraSite, type LoraTargets, selectLoraSites } from './lora_sites';

/** Options of `addLora`. */
export interface LoraOptions {
  /**
   * The weights to adapt, by their paths `layer/weight`: the end of a path ('q_proj', 'lm_head'), a list of these, a
   * pattern or a predicate.
   */
  targets: LoraTargets;
  /** r, rank of A B, a positive integer. Default 8. */
  rank?: number;
  /** alpha, above 0; A B is scaled by alpha / rank. Default 16. */
  alpha?: number;
  /**
   * Dropout of the adapter's input in training, in [0, 1). ILRec's loss applies an adapted head without it. Default 0.
   */
  dropout?: number;
  /** Whether A B is scaled by alpha / sqrt(rank) instead (rsLoRA). Default false. */
  rsLora?: boolean;
  /** Layers to train as a whole, on copies of their weights: a resized embedding, the head, norms. Default none. */
  trainModules?: LayerSelector;
  /** Name of the adapter, unique in the model: letters, digits, '-', '_' and '.'. Default 'default'. */
  name?: string;
  /** Seed of A and of the dropout masks. Default 0. */
  seed?: number;
}

/**
 * Adds a low-rank adapter to a model (LoRA; Hu et al., arXiv 2106.09685) and activates it.
 *
 * ```
 * y = x W + s x A B,   A [in, r] uniform, B [r, out] zeros, s = alpha / r  (rsLoRA: alpha / sqrt(r))
 * ```
 * Targets can be projections of this package's layers, kernels of dense layers (also in `timeDistributed`), and
 * matrices of any other layer, which then reads W + s A B during its calls. The base is frozen while the model has
 * adapters: `trainableWeights` are those of the active adapter, `save` and `getWeights` return the base. **Call
 * `compile` afterwards**, with a new optimizer.
 *
 * @param model any LayersModel.
 * @param options targets, rank and training settings; only `targets` is required.
 * @returns the adapter, with `merge`, `unmerge` and `remove`.
 * @throws IlrecError when an option is out of range, a target matches no weight or an embedding table, dropout is set
 * for a target that the layer reads itself, a weight is in `targets` and in `trainModules`, the name is taken, or an
 * adapter is merged.
 * @example
 * ```ts
 * import { addLora, causalLM } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const adapter = addLora(model, { targets: ['q_proj', 'v_proj'], rank: 2 }); // then model.compile(...)
 * console.log(adapter.numParameters, model.trainableWeights.length); // 128 8
 * ```
 */
export function addLora(model: tfl.LayersModel, options: LoraOptions): LoraAdapter {
  const {
    targets,
    rank = 8,
    alpha = 16,
    dropout = 0,
    rsLora = false,
    trainModules,
    name = 'default',
    seed = 0,
  } = options ?? {};
  if ((targets as LoraTargets | undefined) === undefined)
    throw new IlrecError(
      "addLora: targets must name weights, got none; pass for example { targets: ['q_proj', 'v_proj'] }",
    );
  if (!Number.isInteger(rank) || rank < 1)
    throw new IlrecError(`addLora: rank must be a positive integer, got ${rank}`);
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new IlrecError(`addLora: alpha must be above 0, got ${alpha}`);
  checkDropoutAndName(dropout, name, 'addLora');
  const host = ensureLoraModel(model);
  const sites = selectLoraSites(host.sites, targets);
  refuseDropoutOnWeights(sites, dropout, 'addLora');
  const modules = trainModules === undefined ? [] : selectModules(model, trainModules, sites);
  return host.add(
    'addLora',
    name,
    { rank, alpha, dropout, rsLora, seed },
    sites.map((site) => ({ site, rank, alpha })),
    modules,
    true,
  );
}

/**
 * Activates one of a model's adapters, or none. To train it, call `compile` afterwards.
 *
 * @param model a model with adapters.
 * @param name name of the adapter; null deactivates all, so that the model computes as its base.
 * @throws IlrecError when the model has no adapters or none of this name, or an adapter is merged.
 * @example
 * ```ts
 * import { addLora, causalLM, setActiveAdapter } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const adapter = addLora(model, { targets: 'q_proj', name: 'shop' });
 * setActiveAdapter(model, null);
 * console.log(adapter.active); // false
 * setActiveAdapter(model, 'shop');
 * console.log(adapter.active); // true
 * ```
 */
export function setActiveAdapter(model: tfl.LayersModel, name: string | null): void {
  const host = loraModelOf(model);
  if (host === null)
    throw new IlrecError(`setActiveAdapter: the model must have adapters, got none; call addLora or loadAdapter first`);
  host.setActive(name);
}

/** @throws IlrecError when dropout is outside [0, 1), or the name has other characters. */
export function checkDropoutAndName(dropout: number, name: string, caller: string): void {
  if (!(dropout >= 0 && dropout < 1)) throw new IlrecError(`${caller}: dropout must be in [0, 1), got ${dropout}`);
  if (!/^[A-Za-z0-9][-\w.]*$/.test(name))
    throw new IlrecError(`${caller}: name must consist of letters, digits, "-", "_" and ".", got "${name}"`);
}

/**
 * @throws IlrecError when dropout is set for a weight that the layer itself reads, whose input the adapter does not
 * see.
 */
export function refuseDropoutOnWeights(sites: readonly LoraSite[], dropout: number, caller: string): void {
  const site = sites.find(({ mechanism }) => mechanism === 'weight');
  if (dropout > 0 && site !== undefined) {
    throw new IlrecError(
      `${caller}: dropout must be 0 for "${site.path}", got ${dropout}; its layer ${site.owner.getClassName()} ` +
        'reads the adapted weight and does not expose the input',
    );
  }
}

function selectModules(
  model: tfl.LayersModel,
  selector: LayerSelector,
  sites: readonly LoraSite[],
): Omit<TrainedModule, 'copy'>[] {
  const layers = graphLayers(model).filter((layer) => layer.weights.length > 0);
  const refuse = (named: string): IlrecError =>
    new IlrecError(
      `addLora: trainModules ${named} matches no layer with weights; layers: ` +
        `${layers.map((layer) => layer.name).join(', ')}; to train a tied head, name its embedding`,
    );
  const modules = selectLayers(layers, selector, refuse).flatMap((layer) =>
    layer.weights.map((base) => ({ layer, base, use: 'all' as const })),
  );
  const both = sites.find(({ variable }) => modules.some(({ base }) => base === variable));
  if (both !== undefined)
    throw new IlrecError(`addLora: "${both.path}" must be in targets or in trainModules, got both; remove it from one`);
  return modules;
}
