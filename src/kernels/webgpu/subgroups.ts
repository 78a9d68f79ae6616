import type { Device } from './webgpu_backend';

let isAllowed = true;

/** Whether programs may use subgroups: the device has them, and its WGSL numbers those of a workgroup. */
export function hasSubgroups({ features }: Device): boolean {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: { wgslLanguageFeatures?: { has(name: string): boolean } } };
  return isAllowed && features.has('subgroups') && gpu?.wgslLanguageFeatures?.has('subgroup_id') === true;
}

/** Switches subgroups off, or on again, to compare both forms of a program. */
export function allowSubgroups(allowed: boolean): void {
  isAllowed = allowed;
}
