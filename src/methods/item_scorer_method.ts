import type * as tfl from '@tensorflow/tfjs-layers';
import { partialWithoutDefaults } from '../config/fields';
import type { SharedConfig, TrainingConfig } from '../config/shared_config';
import { DEFAULT_MAX_HISTORY, trainingSchema } from '../config/training_sections';
import { disposeModel } from '../models/dispose_model';
import { historyEmbedding } from '../models/history_models';
import { nextItemLoss } from '../models/next_item_loss';
import { nextItemScorer } from '../models/next_item_scorer';
import { createBatches } from '../training/batches';
import { batchOptions } from './batch_options';
import { type Lists, scorerLists } from './lists';
import { defineMethod, type Method } from './method';
import { readVectors } from './item_vectors';

/** The field `training` of a section: fields of the shared section `training` that the method sets otherwise. */
export const ownTraining = partialWithoutDefaults(trainingSchema).default({});

interface OwnTraining {
  readonly training: Partial<TrainingConfig>;
}

/** What sets a method apart: its name, appearance and section. */
type Description<Name extends string, Section> = Pick<
  Method<Name, Section>,
  'name' | 'title' | 'summary' | 'color' | 'order' | 'comparedByDefault' | 'section' | 'oldSectionKey'
>;

/** What the dataset and the shared config give a model, beside its section. */
interface ModelContext {
  readonly numItems: number;
  readonly maxHistory: number;
  readonly seed: number;
}

/**
 * A method whose model reads histories of item numbers and scores all items: `sasrec`, `gru4rec`, `caser`. Every item of
 * a history is a target, with the full softmax.
 *
 * @param description name, appearance and section.
 * @param create makes the model from its section without `training`, and from what the dataset gives.
 */
export function itemScorerMethod<const Name extends string, Section extends OwnTraining>(
  description: Description<Name, Section>,
  create: (config: Omit<Section, 'training'> & ModelContext) => tfl.LayersModel,
): Method<Name, Section> {
  return defineMethod({
    ...description,
    kind: 'item-scorer',
    async build({ section, config, data: { split, numItems }, files }) {
      const { training: _, ...sizes } = section;
      const settings = settingsOf(config, section);
      const { maxHistory = DEFAULT_MAX_HISTORY } = settings;
      const items = Array.from({ length: numItems }, (_, item) => item);
      const batches = createBatches({
        ...batchOptions(settings, config.seed),
        sequences: split.train,
        itemTokens: items.map((item) => [item + 1]), // 0 is both start and padding
        itemLabels: items.map((item) => [item]),
        bosTokenId: 0,
        padTokenId: 0,
      });
      const model = create({ ...sizes, numItems, maxHistory, seed: config.seed });
      return {
        ...listsOf(model, settings),
        training: { model, batches, settings, objective: () => ({ loss: nextItemLoss(model) }) },
        save: () => files.saveModel(model),
        dispose: () => disposeModel(model),
      };
    },
    async load({ section, config, files }) {
      const model = await files.loadModel();
      return { ...listsOf(model, settingsOf(config, section)), dispose: () => disposeModel(model) };
    },
  });
}

function listsOf(model: tfl.LayersModel, { maxHistory }: TrainingConfig): Lists {
  const itemVectors = (): Promise<Float32Array> => readVectors(() => historyEmbedding(model, 'similar').itemTable());
  return scorerLists(nextItemScorer(model), { maxHistory, itemVectors });
}

function settingsOf({ training }: SharedConfig, { training: own }: OwnTraining): TrainingConfig {
  return { ...training, initialWeights: undefined, ...own }; // other weights than a language model's
}
