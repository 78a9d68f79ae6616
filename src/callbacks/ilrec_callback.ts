import * as tfl from '@tensorflow/tfjs-layers';

/** What the callback needs of the method. */
export interface Attachable {
  /** @returns whether the taps are the callback's to take away. */
  attachForFit(model: tfl.LayersModel): boolean;
  beginBatch(): void;
  detach(): void;
}

/** Attaches the taps when training starts, and takes away what it attached when training ends. */
export class IlrecCallback extends tfl.Callback {
  private attachedHere = false;

  constructor(private readonly method: Attachable) {
    super();
  }

  override async onTrainBegin(): Promise<void> {
    this.attachedHere = this.method.attachForFit(this.model);
  }

  override async onBatchBegin(): Promise<void> {
    this.method.beginBatch();
  }

  override async onTrainEnd(): Promise<void> {
    if (this.attachedHere) this.method.detach();
    this.attachedHere = false;
  }
}
