import * as tf from '@tensorflow/tfjs-core';
import { findPackage, importPackage } from '../../src/backends/optional_package_node';
import { openWebGpu, type WebGpu } from './webgpu';

/** The optional backends that are there. */
export interface OpenedBackends {
  /** Whether a backend may be used: ILREC_SPEC_BACKENDS names those asked for, with commas between; default all that are present. */
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
/** Platforms that must be here: ILREC_SPEC_REQUIRED names them, with commas between. */
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

// Loaded before mocha: it requires spec files, and where one of their modules awaited something at its top, it would import them instead, with a second copy of
// every class that is registered by name.
Object.assign(globalThis, { openedBackends: opened });
