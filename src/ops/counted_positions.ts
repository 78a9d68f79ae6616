/**
 * Response positions of the last training loss, until an optimizer takes them: how many gradients' worth the next
 * gradients are. tfjs hands an optimizer gradients and nothing else, so loss and optimizer meet here. It holds one step:
 * a loss in training writes it, `applyGradients` of `accumulateGradients` takes it, and a step that begins or a method
 * that is detached clears it.
 */
let counted: number | null = null;

/** Called by a loss that is a mean over `count` response positions of a training batch. */
export function countPositions(count: number): void {
  counted = count;
}

/** Takes the count; null where no loss has written one. */
export function takeCountedPositions(): number | null {
  const count = counted;
  counted = null;
  return count;
}
