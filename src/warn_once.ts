const warned = new Set<string>(); // for the life of the process

/**
 * Warns on the console, each message once. For old names of options that still work.
 *
 * @param message starts with the public function that was called.
 */
export function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  // eslint-disable-next-line no-console -- the only warning channel that both Node and browsers have
  console.warn(message);
}
