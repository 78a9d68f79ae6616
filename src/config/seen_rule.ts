import { IlrecError } from '../errors';

/** What becomes of items that the user has already seen: lists may hold them again, or they are left out. */
export type SeenRule = 'allow' | 'exclude';

/** What may be asked for. `auto` leaves the choice to the training data; for a run that is there, it was made. */
export const SEEN = ['allow', 'exclude', 'auto'] as const;
export type AskedSeenRule = (typeof SEEN)[number];

/** The rule by its name, and by the one that it had before 0.2. */
export interface SeenOptions {
  /** `allow` or `exclude` items of the history in the lists; `auto`, the default: as the run's config says. */
  seen?: AskedSeenRule;
  /** The older form: true for `exclude`, false for `allow`. */
  excludeSeen?: boolean;
}

/**
 * What `seen` and `excludeSeen` ask for together.
 *
 * @param refuse reports what is wrong with the option that it names.
 * @returns 'auto' where neither is given.
 */
export function askedSeenRule(
  { seen, excludeSeen }: SeenOptions,
  refuse: (option: keyof SeenOptions, message: string) => never,
): AskedSeenRule {
  if (seen !== undefined && !SEEN.includes(seen))
    refuse('seen', `must be one of ${SEEN.join(', ')}, got ${String(seen)}`);
  if (excludeSeen === undefined) return seen ?? 'auto';
  const older = excludeSeen ? 'exclude' : 'allow';
  if (seen !== undefined && seen !== older)
    refuse('excludeSeen', `must agree with seen, got ${excludeSeen} beside seen ${seen}; give seen alone`);
  return older;
}

/**
 * The rule that a call asks for, else the one that its run has.
 *
 * @param caller the public function, for the error.
 * @throws IlrecError when `seen` is no rule, or `excludeSeen` says another thing.
 */
export function seenRuleOf(caller: string, options: SeenOptions, rule: SeenRule): SeenRule {
  const asked = askedSeenRule(options, refuseFor(caller));
  return asked === 'auto' ? rule : asked;
}

/** For `askedSeenRule`: throws an IlrecError in the name of a public function. */
export function refuseFor(caller: string): (option: string, message: string) => never {
  return (option, message) => {
    throw new IlrecError(`${caller}: ${option} ${message}`);
  };
}
