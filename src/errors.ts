/** A mistake of the user's: the command line prints its message alone, without a stack. */
export class IlrecError extends Error {
  override readonly name = 'IlrecError';
}
