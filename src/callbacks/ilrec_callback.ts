import * as tfl from '@tensorflow/tfjs-layers';

/** What the callback needs of a method. */
export interface Attachable {
  /**
   * @param model null when tfjs has not told the callback its model.
   * @returns whether the callback attached the taps, and so must detach them.
   */
  attachForFit(model: tfl.LayersModel | null): boolean;
  beginBatch(): void;
  /**
   * The training is over, after `numBatches` batches.
   * @throws IlrecError when the method's loss was not called.
   */
  endFit(numBatches: number): void;
  detach(): void;
}

/** Attaches the taps when training starts, and detaches what it attached when training ends. */
export class IlrecCallback extends tfl.Callback {
  constructor(method: Attachable) {
    super();
    let attachedHere = false;
    let numBatches = 0;
    // Own functions that do not need `this`: another copy of tfjs-layers may call them on a wrapper.
    this.onTrainBegin = async () => {
      numBatches = 0;
      attachedHere = method.attachForFit(this.model as tfl.LayersModel | null);
    };
    this.onBatchBegin = async () => {
      numBatches++;
      method.beginBatch();
    };
    this.onTrainEnd = async () => {
      try {
        method.endFit(numBatches);
      } finally {
        if (attachedHere) method.detach();
        attachedHere = false;
      }
    };
  }
}
