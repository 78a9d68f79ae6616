import * as tfl from '@tensorflow/tfjs-layers';

/** What the callback needs of the method. */
export interface Attachable {
  readonly attached: boolean;
  attach(model: tfl.LayersModel): void;
  detach(): void;
}

/** Attaches the taps when training starts, and takes away what it attached when training ends. */
export class IlrecCallback extends tfl.Callback {
  private attachedHere = false;

  constructor(private readonly method: Attachable) {
    super();
  }

  override async onTrainBegin(): Promise<void> {
    this.attachedHere = !this.method.attached;
    this.method.attach(this.model);
  }

  override async onTrainEnd(): Promise<void> {
    if (this.attachedHere) this.method.detach();
    this.attachedHere = false;
  }
}
