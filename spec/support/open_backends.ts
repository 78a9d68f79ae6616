import * as tf from '@tensorflow/tfjs-core';
import { findPackage, importPackage } from '../../src/backends/optional_package_node';
import { openWebGpu, type WebGpu } from './webgpu';

/** Which backends the specs use. */
export interface OpenedBackends {
  /** Whether ILREC_SPEC_BACKENDS, a comma-separated list, names the backend; always true if it is not set. */
  isAsked(name: string): boolean;
  readonly hasTfjsNode: boolean;
  readonly webgpu: WebGpu | null;
}

tf.env().set('PROD', true); // in tfjs 4.22 it silences the remarks of core and the backends, and does nothing else
const asked = process.env.ILREC_SPEC_BACKENDS?.split(',');
const isAsked = (name: string): boolean => asked?.includes(name) ?? true;
const tfjsNode = isAsked('tensorflow') ? findPackage('@tensorflow/tfjs-node') : undefined;
if (tfjsNode !== undefined) {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  await importPackage(tfjsNode);
}
/**
 * ILREC_SPEC_REQUIRED is a comma-separated list of platforms that must be present: a run without them fails, instead of
 * skipping their specs.
 */
const required = process.env.ILREC_SPEC_REQUIRED?.split(',') ?? [];
const isRequired = (name: string): boolean => required.includes(name) && isAsked(name);
const opened: OpenedBackends = {
  isAsked,
  hasTfjsNode: tfjsNode !== undefined,
  webgpu: isAsked('webgpu') ? await openWebGpu() : null,
};
if (isRequired('tensorflow') && !opened.hasTfjsNode)
  throw new Error('specs: tensorflow is required, and @tensorflow/tfjs-node is not installed');
if (isRequired('webgpu') && opened.webgpu === null)
  throw new Error('specs: webgpu is required, and the package webgpu finds no adapter');

// This file runs before mocha and passes the result on in a global. Mocha loads spec files with require(). If one of
// their modules used a top-level await, mocha would load them with import() instead, and every class that is registered
// by name would exist twice.
Object.assign(globalThis, { openedBackends: opened });
