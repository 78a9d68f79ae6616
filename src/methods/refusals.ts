import type { SharedConfig } from '../config/shared_config';
import { IlrecError } from '../errors';
import { PositionEmbedding } from '../layers';
import type { MemoryRequest } from '../pretrained/memory_estimate';
import type { MemoryLimit } from '../pretrained/memory_limit';
import { refuseAboveMemory } from '../pretrained/refuse_above_memory';
import type { TextModel } from './text_model';
import type { TrainingData } from './training_data';

/**
 * Refuses prompts that could be longer, with their answers, than a table of learned positions (GPT-2's).
 *
 * @throws IlrecError with the value of items.maxPromptTokens that fits.
 */
export function refuseLongPrompts(
  { items, seed }: SharedConfig,
  { split }: TrainingData,
  { model, language }: Pick<TextModel, 'model' | 'language'>,
): void {
  const table = model.layers.find((layer) => layer instanceof PositionEmbedding);
  if (table === undefined) return;
  const positions = table.weights[0].shape[0] as number;
  const examples = language.examples(split.train, { seed, epoch: 0 });
  let answer = 0;
  for (let i = 0; i < examples.length; i++) answer = Math.max(answer, examples.at(i).response.length);
  const room = positions - (answer - 1); // the last token of an answer is not read
  if (items.maxPromptTokens !== null && items.maxPromptTokens <= room) return;
  const step = room < 1 ? 'set a smaller items.maxTitleTokens' : `set it to ${room} or less`;
  throw new IlrecError(
    `trainRun: a prompt and its answer of up to ${answer} tokens must fit into the checkpoint's ${positions} ` +
      `positions, got items.maxPromptTokens ${items.maxPromptTokens}; ${step}`,
  );
}

/**
 * Refuses a training whose largest batch would not fit, before its first step.
 *
 * @param limit what is left now, with the model loaded.
 * @param numTappedLayers blocks below the last one whose outputs the loss reads.
 * @throws IlrecError with the bytes of each part and what would fit.
 */
export function refuseLargeTraining(
  config: SharedConfig,
  data: TrainingData,
  { model, language, adapter }: TextModel,
  limit: MemoryLimit,
  numTappedLayers: number,
): void {
  const { training, backbone, seed } = config;
  const examples = language.examples(data.split.train, { seed, epoch: 0 });
  let [longest, response] = [0, 0];
  for (let i = 0; i < examples.length; i++) {
    longest = Math.max(longest, examples.lengthOf(i) - 1);
    response = Math.max(response, examples.at(i).response.length);
  }
  const lora =
    adapter === null
      ? undefined
      : {
          rank: adapter.config.rank,
          targets: adapter.pairs.map(({ site }) => site.path),
          trainModules: adapter.modules.map(({ base }) => base.originalName),
        };
  const batchSize = Math.min(training.batchSize, examples.length);
  const request: MemoryRequest = {
    model,
    mode: 'training',
    batchSize,
    sequenceLength: longest,
    responsePositions: batchSize * response,
    numNegativeLayers: numTappedLayers,
    lora,
    gradientCheckpointing: backbone.gradientCheckpointing,
    optimizer: 'adamw',
  };
  refuseAboveMemory(request, { limit, caller: 'trainRun' });
}
