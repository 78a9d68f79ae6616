import type * as tfl from '@tensorflow/tfjs-layers';
import type { Attachable } from '../callbacks/ilrec_callback';
import { calledAs, IlrecError, UnnamedError } from '../errors';
import {
  compiledFunctions,
  findTaps,
  ModelTaps,
  requireModel,
  type TapLocations,
  type TapOptions,
  trainedModel,
  unusedLoss,
} from '../taps';

/** Names of the layers that a method taps. */
export interface TapDescription {
  /**
   * The blocks, first to last; a shared block occurs once for each call. Empty where none were found and the method reads
   * none.
   */
  readonly blocks: readonly string[];
  /** S: the blocks before the last whose hidden states the method reads, first to last. */
  readonly tappedBlocks: readonly string[];
  /** The final norm; null where there is none. */
  readonly norm: string | null;
  readonly head: string;
  /** The layer that looks up the token ids; null where it was not found. */
  readonly embedding: string | null;
}

export interface AttachmentOptions {
  /** The public function that made the method; errors start with it. */
  readonly name: string;
  /** How many blocks before the last to tap; 0 for the head alone, of a model whose blocks need not be found. */
  readonly numBlocks: number;
  /** Who reads the token ids, for the error when they cannot be found: 'the reward'. Null when nobody does. */
  readonly inputIdsReader: string | null;
  readonly taps?: TapOptions;
  /** What the model is compiled with. */
  readonly loss: unknown;
  readonly metrics: readonly unknown[];
  readonly onDetach: () => void;
}

/**
 * The taps of one method: on which model they are, and who attached them. Taps that the user attached stay until the
 * user detaches them; those of the callback last for one training run.
 */
export class Attachment implements Attachable {
  private current: ModelTaps | null = null;
  private attachedInFit = false;
  private lossCallsBefore = 0;

  constructor(private readonly options: AttachmentOptions) {}

  /** The taps on the model; null before `attach` and after `detach`. */
  get taps(): ModelTaps | null {
    return this.current;
  }

  get name(): string {
    return this.options.name;
  }

  /**
   * Attaches by hand.
   *
   * @throws IlrecError when the model cannot be tapped, or the method is attached to another one.
   */
  attach(model: tfl.LayersModel): void {
    this.attachTo(model);
    this.attachedInFit = false;
  }

  /** See `TappedMethod.describe`. */
  describe(model: tfl.LayersModel): TapDescription {
    return calledAs(this.name, () => {
      const { blocks, norm, head, embedding } = this.findAll(model);
      const names = blocks.map(({ name }) => name);
      return {
        blocks: names,
        tappedBlocks: this.options.numBlocks === 0 ? [] : names.slice(0, -1).slice(-this.options.numBlocks),
        norm: norm?.name ?? null,
        head: head.name,
        embedding: embedding?.name ?? null,
      };
    });
  }

  /** Attaches for one training run. Taps left behind by a run that threw are reused or replaced. */
  attachForFit(model: tfl.LayersModel | null): boolean {
    if (model === null) return this.requireAttached();
    if (this.attachedInFit && !isTraining(this.current?.model)) this.detach();
    this.attachedInFit ||= this.attachTo(model);
    this.lossCallsBefore = this.current?.lossCalls ?? 0;
    return this.attachedInFit;
  }

  endFit(numBatches: number): void {
    const { current } = this;
    if (numBatches > 0 && current?.attached === true && current.lossCalls === this.lossCallsBefore)
      throw unusedLoss(this.name);
  }

  beginBatch(): void {
    this.current?.onPassBegin('train');
  }

  /** Does nothing when nothing is attached. */
  detach(): void {
    this.current?.detach();
    this.current = null;
    this.attachedInFit = false;
    this.options.onDetach();
  }

  /** @returns whether the model was not tapped before. */
  private attachTo(model: tfl.LayersModel): boolean {
    return calledAs(this.name, () => {
      requireModel(model);
      if (this.current?.attached === true) {
        const attached = this.current.model;
        const isSame = trainedModel(attached) === trainedModel(model);
        if (isSame && (attached === model || trainedModel(model) === model)) return false;
        if (!isSame && (!this.attachedInFit || isTraining(attached))) {
          throw new UnnamedError(
            `this method is attached to model "${attached.name}"; detach() it first, or make a second ` +
              `${this.name}() for "${model.name}"`,
          );
        }
        this.detach();
      }
      const { name, numBlocks, inputIdsReader, loss, metrics } = this.options;
      const locations = this.find(model);
      this.current = new ModelTaps(model, locations, {
        name,
        numBlocks,
        keepInputIds: inputIdsReader !== null,
        loss,
        metrics,
        onCompiled: () => {
          this.current?.detach();
          this.attachTo(model); // another output may be trained now, and a Sequential has a new model inside
        },
      });
      return true;
    });
  }

  /** With the blocks, if there are any, also where the method reads none. */
  private findAll(model: tfl.LayersModel): TapLocations {
    if (this.options.numBlocks > 0) return this.find(model);
    try {
      return this.find(model, true);
    } catch {
      return this.find(model);
    }
  }

  /** @throws UnnamedError when blocks, norm, head or token ids cannot be found. */
  private find(model: tfl.LayersModel, needsBlocks = this.options.numBlocks > 0): TapLocations {
    requireModel(model);
    const { inputIdsReader, taps } = this.options;
    const locations = findTaps(model, { ...taps, outputIndex: this.outputOf(model), needsBlocks });
    if (inputIdsReader !== null) requireInputIds(locations, inputIdsReader);
    return locations;
  }

  /** The output that the model is compiled to train with this method; undefined before `compile`. */
  private outputOf(model: tfl.LayersModel): number | undefined {
    const losses = compiledFunctions(trainedModel(model))?.losses ?? [];
    const outputs = [...losses.keys()].filter((i) => losses[i] === this.options.loss);
    if (outputs.length > 1) {
      const names = outputs.map((i) => trainedModel(model).outputNames[i]);
      throw new UnnamedError(
        `the loss must be compiled for one output, got ${names.join(', ')}; compile with loss: { ${names[0]}: ` +
          `method.loss, ${names[1]}: ... }`,
      );
    }
    return outputs[0];
  }

  /** Where another copy of tfjs-layers wraps the callback, it does not get its model. */
  private requireAttached(): false {
    if (this.current?.attached === true) return false;
    throw new IlrecError(
      `${this.name}: method.callback must get its model from tfjs, got none, as of a model of another copy of ` +
        'tfjs-layers; call method.attach(model) after compile',
    );
  }
}

function requireInputIds({ inputIds, embedding }: TapLocations, reader: string): void {
  if (inputIds === null) {
    throw new UnnamedError(
      `${reader} needs the token ids, and no embedding layer was found; set the option taps.embedding`,
    );
  }
  if (inputIds.sources.length > 1) {
    const names = inputIds.sources.map(({ tensor }) => tensor.sourceLayer.name).join(' and ');
    throw new UnnamedError(
      `${reader} needs the token ids, and layer "${embedding?.name}" looks up ${names}; give each an embedding ` +
        'layer of its own, and name that of the tokens with taps.embedding',
    );
  }
}

function isTraining(model: tfl.LayersModel | undefined): boolean {
  return model !== undefined && Reflect.get(trainedModel(model), 'isTraining') === true;
}
