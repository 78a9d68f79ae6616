/** The penalty of ILRec's negatives, as numbers that a program takes. */
export interface DevicePenalty {
  /** alpha */
  readonly weight: number;
  /** 0 `scale`, 1 `paper`, 2 `additive`. */
  readonly kind: number;
}

/**
 * Columns of what is known of each response row before its negatives are counted, [P, 4]: two log sums of e^z, the
 * threshold of z~, the label.
 */
export const KNOWN = { finalNormaliser: 0, ensembleNormaliser: 1, threshold: 2, label: 3 } as const;

/**
 * Columns of what is found of each row's negatives, [P, 4]: their number, their sums of p^L and of p~, and lse' - lse.
 */
export const NEGATIVES = { number: 0, finalMass: 1, ensembleMass: 2, logTotal: 3 } as const;

/** WGSL: `facts_of` a response row, from `known`, and whether a token is one of its negatives. */
export const negativeFunctions = `
fn facts_of(row: u32) -> vec4f { return vec4f(known[4u * row], known[4u * row + 1u], known[4u * row + 2u], known[4u * row + 3u]); }
fn is_negative(facts: vec4f, ensemble_logit: f32, token: u32) -> bool {
  return ensemble_logit >= facts[${KNOWN.threshold}] && f32(token) != facts[${KNOWN.label}];
}
`;

/**
 * WGSL: the penalty s(z) with its slope ds/dz, and z' with dz'/dz. It needs `negativeFunctions` and the uniform `kind`.
 *
 * s(z) is defined once per language: here for WGSL, in assembly/penalty.ts for AssemblyScript and in
 * src/losses/penalty.ts for TypeScript. Change all three.
 */
export const penaltyFunctions = `
fn strength_of(z: f32) -> vec2f {
  if (u.kind == 0u) { return vec2f(abs(z), sign(z)); }
  if (u.kind == 1u) { return vec2f(z, 1.0); }
  return vec2f(1.0, 0.0);
}
fn raised_of(facts: vec4f, scale: f32, final_logit: f32, ensemble_logit: f32, token: u32) -> vec2f {
  if (!is_negative(facts, ensemble_logit, token)) { return vec2f(final_logit, 1.0); }
  let raise = scale * exp(ensemble_logit - facts[${KNOWN.ensembleNormaliser}]);
  let strength = strength_of(final_logit);
  return vec2f(final_logit + raise * strength.x, 1.0 + raise * strength.y);
}
`;
