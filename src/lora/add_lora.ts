import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { selectLayers } from '../layers/select_layers';
import type { LayerSelector } from '../taps';
import type { LoraAdapter, TrainedModule } from './lora_adapter';
import { ensureLoraModel, loraModelOf } from './lora_model';
import { graphLayers, type LoraSite, type LoraTargets, selectLoraSites } from './lora_sites';

export interface LoraOptions {
  /** The weights to adapt, by path `layer/weight`: an end of it ("q_proj", "lm_head"), several, a pattern or a predicate. */
  targets: LoraTargets;
  /** r, rank of the product A B, a positive integer. Default 8. */
  rank?: number;
  /** alpha, above 0; the product counts alpha / rank. Default 16. */
  alpha?: number;
  /** Dropout of the adapters' inputs in training, in [0, 1). ILRec's loss projects its rows without it. Default 0. */
  dropout?: number;
  /** Whether the product counts alpha / sqrt(rank) instead (rsLoRA). Default false. */
  rsLora?: boolean;
  /** Layers of which all weights are trained, as copies: a resized embedding, the head, norms. Default none. */
  trainModules?: LayerSelector;
  /** Name among the adapters of the model: letters, digits, "-", "_" and ".". Default 'default'. */
  name?: string;
  /** Seed of A and of the dropout masks. Default 0. */
  seed?: number;
}

/**
 * Puts a low-rank adapter on a model (LoRA; Hu et al., arXiv 2106.09685) and makes it the active one.
 *
 * ```
 * y = x W + s x A B,   A [in, r] uniform, B [r, out] zeros, s = alpha / r  (rsLoRA: alpha / sqrt(r))
 * ```
 * Works on layers of this package, on dense layers of the graph (alone or in `timeDistributed`), before bias and activation, and on any other
 * layer's weight of rank 2, in whose calls the layer reads W + s A B. The base is frozen while it has adapters: `trainableWeights` are the
 * active adapter's, `save` and `getWeights` give the base. **Call `compile` after it**, with a new optimizer.
 *
 * @throws IlrecError on an option out of range, a target that names no weight or an embedding table, dropout where the weight itself is adapted, a name in use.
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
  } = options;
  if ((targets as LoraTargets | undefined) === undefined)
    throw new IlrecError(
      "addLora: targets must name weights, got none; pass for example { targets: ['q_proj', 'v_proj'] }",
    );
  if (!Number.isInteger(rank) || rank < 1)
    throw new IlrecError(`addLora: rank must be a positive integer, got ${rank}`);
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new IlrecError(`addLora: alpha must be above 0, got ${alpha}`);
  checkDropoutAndName(dropout, name);
  const host = ensureLoraModel(model);
  const sites = selectLoraSites(host.sites, targets);
  refuseDropoutOnWeights(sites, dropout);
  const modules = trainModules === undefined ? [] : selectModules(model, trainModules, sites);
  return host.add(
    name,
    { rank, alpha, dropout, rsLora, seed },
    sites.map((site) => ({ site, rank, alpha })),
    modules,
    true,
  );
}

/**
 * Makes the model compute with one of its adapters, or with none. To train it, call `compile` after it.
 *
 * @throws IlrecError on a name that the model does not have, or while an adapter is merged.
 */
export function setActiveAdapter(model: tfl.LayersModel, name: string | null): void {
  const host = loraModelOf(model);
  if (host === null)
    throw new IlrecError(`setActiveAdapter: the model must have adapters, got none; call addLora or loadAdapter first`);
  host.setActive(name);
}

/** @throws IlrecError on a dropout or a name that cannot be. */
export function checkDropoutAndName(dropout: number, name: string): void {
  if (!(dropout >= 0 && dropout < 1)) throw new IlrecError(`addLora: dropout must be in [0, 1), got ${dropout}`);
  if (!/^[A-Za-z0-9][-\w.]*$/.test(name))
    throw new IlrecError(`addLora: name must be of letters, digits, "-", "_" and ".", got "${name}"`);
}

/** @throws IlrecError where the adapted weight is read by a layer whose input the adapter does not see. */
export function refuseDropoutOnWeights(sites: readonly LoraSite[], dropout: number): void {
  const site = sites.find(({ mechanism }) => mechanism === 'weight');
  if (dropout > 0 && site !== undefined) {
    throw new IlrecError(
      `addLora: dropout must be 0 for "${site.path}", whose layer ${site.owner.getClassName()} reads the adapted weight and shows no input to drop, got ${dropout}`,
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
      `addLora: trainModules ${named} matches no layer with weights; layers: ${layers.map((layer) => layer.name).join(', ')}; a tied head is trained with its embedding`,
    );
  const modules = selectLayers(layers, selector, refuse).flatMap((layer) =>
    layer.weights.map((base) => ({ layer, base, use: 'all' as const })),
  );
  const both = sites.find(({ variable }) => modules.some(({ base }) => base === variable));
  if (both !== undefined)
    throw new IlrecError(
      `addLora: "${both.path}" must be in targets or in trainModules, got both; leave it out of one`,
    );
  return modules;
}
