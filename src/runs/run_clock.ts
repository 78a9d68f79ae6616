import type { TrainingCallback } from '../training/train_model';
import { type RunManifest, writeManifest } from './manifest';

/** A killed call loses at most so many seconds of the sum. */
const WRITE_EVERY_SECONDS = 2;

/**
 * Sums the seconds of a run over its calls, in its manifest. The manifest is written while the run trains, so that the
 * seconds of a call that was killed count.
 */
export class RunClock {
  private readonly startedAt = performance.now();
  private readonly earlier: number;
  private writtenAt = performance.now();
  /** Seconds of this call in which needs were trained; they have clocks of their own. */
  private away = 0;
  private needSeconds = 0;

  /** @param manifest of the run; its `seconds` and `needSeconds` are set. */
  constructor(
    private readonly folder: string,
    private readonly manifest: RunManifest,
  ) {
    this.earlier = manifest.seconds - (manifest.needSeconds ?? 0);
  }

  /** Waits for a run that this one needs, whose seconds are those of its manifest. */
  async waitFor<Result extends { readonly manifest: RunManifest }>(need: () => Promise<Result>): Promise<Result> {
    const began = performance.now();
    const result = await need();
    this.away += (performance.now() - began) / 1000;
    this.needSeconds += result.manifest.seconds;
    return result;
  }

  /** Brings the seconds of the manifest up to date. */
  update(): void {
    const here = (performance.now() - this.startedAt) / 1000 - this.away;
    this.manifest.seconds = this.earlier + here + this.needSeconds;
    if (this.needSeconds > 0) this.manifest.needSeconds = this.needSeconds;
  }

  /** Writes the manifest every few seconds. */
  readonly callback: TrainingCallback = {
    onStep: async () => {
      if (performance.now() - this.writtenAt < 1000 * WRITE_EVERY_SECONDS) return;
      this.update();
      await writeManifest(this.folder, this.manifest);
      this.writtenAt = performance.now();
    },
  };
}
