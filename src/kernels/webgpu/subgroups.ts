import type { Device } from './webgpu_backend';

/** False only while a spec compares programs without subgroups. */
let isAllowed = true;

/** Whether programs may use subgroups: the device must have them, and its WGSL must number those of a workgroup. */
export function hasSubgroups({ features }: Device): boolean {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: { wgslLanguageFeatures?: { has(name: string): boolean } } };
  return isAllowed && features.has('subgroups') && gpu?.wgslLanguageFeatures?.has('subgroup_id') === true;
}

/** Allows or forbids subgroups, so that specs can compare both forms of a program. */
export function allowSubgroups(allowed: boolean): void {
  isAllowed = allowed;
}
