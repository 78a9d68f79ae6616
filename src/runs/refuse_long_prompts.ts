import type { TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';
import { PositionEmbedding } from '../layers';
import type { TextModel } from '../methods/text_model_node';
import type { TrainingData } from '../methods/training_data';

/**
 * Refuses prompts that could be longer, with their answers, than a table of learned positions (GPT-2's).
 *
 * @throws IlrecError with the value of items.maxPromptTokens that fits.
 */
export function refuseLongPrompts(
  { items, seed }: TrainConfig,
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
    `trainRun: a prompt and its answer of up to ${answer} tokens must fit into the checkpoint's ${positions} positions, got items.maxPromptTokens ${items.maxPromptTokens}; ${step}`,
  );
}
