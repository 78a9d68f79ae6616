/**
 * Faults that the specs must notice, for `npm run mutate`. Each entry is one small change:
 *
 *   name     what goes wrong, in words
 *   file     the source that is changed
 *   find     a text that stands in it exactly once; keep it short, so that it survives a rewrite
 *   replace  what stands there instead
 *   specs    the files to run; at least one case must fail
 *   why      what a user would lose, where the name does not say it
 *
 * When a source moves, `npm run mutate -- --check` names the entries to put right.
 */
export const mutations = [
  // The method
  {
    name: 'k is one layer fewer',
    file: 'src/ilrec/ilrec.ts',
    find: 'numLayers: numNegativeLayers,',
    replace: 'numLayers: Math.max(1, numNegativeLayers - 1),',
    specs: ['spec/ilrec/ilrec.spec.ts', 'spec/ilrec/ilrec_streaming.spec.ts'],
  },
  {
    name: 'an evaluation advances the step of the schedules',
    file: 'src/tapped/tapped_method.ts',
    find: 'if (capture.training && numResponsePositions > 0) method.step++;',
    replace: 'if (numResponsePositions > 0) method.step++;',
    specs: ['spec/ilrec/ilrec.spec.ts'],
  },
  {
    name: 'CPO is a sum over the positions',
    file: 'src/losses/cross_layer_preference.ts',
    find: 'tf.mean(softCrossEntropy(raised, target))',
    replace: 'tf.sum(softCrossEntropy(raised, target))',
    specs: ['spec/losses/cross_layer_preference.spec.ts'],
  },
  {
    name: 'cross-entropy is a sum over the positions',
    file: 'src/losses/cross_entropy.ts',
    find: 'tf.mean(softCrossEntropy(',
    replace: 'tf.sum(softCrossEntropy(',
    specs: ['spec/losses/cross_entropy.spec.ts'],
  },
  {
    name: 'CPD is a sum over the positions',
    file: 'src/losses/cross_layer_distillation.ts',
    find: 'return tf.mean(tf.add(tf.reshape(crossEntropies',
    replace: 'return tf.sum(tf.add(tf.reshape(crossEntropies',
    specs: ['spec/losses/cross_layer_distillation.spec.ts'],
  },
  {
    name: 'a probability that equals the threshold makes no negative',
    file: 'src/losses/self_hard_negatives.ts',
    find: 'tf.greaterEqual(ensembleProbs, threshold)',
    replace: 'tf.greater(ensembleProbs, threshold)',
    specs: ['spec/losses/self_hard_negatives.spec.ts'],
  },
  {
    name: 'the streamed CPO leaves out the penalty',
    file: 'src/losses/streaming/terms.ts',
    find: 'value + negatives[row].logTotal',
    replace: 'value',
    specs: ['spec/losses/streaming_objective.spec.ts'],
  },

  // Config keys on their way to their owners
  {
    name: 'clipNorm is not passed on',
    file: 'src/runs/fit_run.ts',
    find: '    clipNorm,\n  });',
    replace: '  });',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'gradients are accumulated without their weights',
    file: 'src/runs/fit_run.ts',
    find: '() => objective.numResponsePositions ?? 1',
    replace: '() => 1',
    specs: ['spec/runs/train_run.spec.ts'],
  },
  {
    name: 'learningRateFloor is ignored',
    file: 'src/runs/fit_run.ts',
    find: 'floor: learningRateFloor',
    replace: 'floor: 0',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'warmupRatio is ignored',
    file: 'src/runs/fit_run.ts',
    find: 'Math.round(warmupRatio * totalSteps)',
    replace: '0',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'evaluateEvery is ignored',
    file: 'src/runs/fit_run.ts',
    find: 'every: settings.evaluateEvery',
    replace: 'every: 1',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'weightWarmupRatio is ignored',
    file: 'src/methods/ilrec.ts',
    find: 'Math.round(weightWarmupRatio * totalSteps)',
    replace: '0',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'rewardTemperature is ignored',
    file: 'src/methods/ilrec.ts',
    find: 'temperature: rewardTemperature',
    replace: 'temperature: 1',
    specs: ['spec/runs/config_keys.spec.ts'],
  },
  {
    name: 'distillItemTokens is ignored',
    file: 'src/methods/ilrec.ts',
    find: '(distillItemTokens ?',
    replace: '(distillItemTokens && false ?',
    specs: ['spec/runs/config_keys.spec.ts'],
  },

  // Optimizers and resuming
  {
    name: 'dropout masks start again when a checkpoint is resumed',
    file: 'src/callbacks/resume_from.ts',
    find: '  setDropoutStep(model, snapshot.step);',
    replace: '',
    specs: ['spec/callbacks/resume_from.spec.ts', 'spec/lora/lora_training.spec.ts'],
  },
  {
    name: 'dropout masks start again when trainModel starts in the middle',
    file: 'src/training/train_model.ts',
    find: '  setDropoutStep(model, startStep);',
    replace: '',
    specs: ['spec/training/train_model.spec.ts', 'spec/runs/train_run.spec.ts'],
  },
  {
    name: 'the schedules of the method start again when a checkpoint is resumed',
    file: 'src/callbacks/resume_from.ts',
    find: 'method.step = snapshot.step;',
    replace: 'method.step = 0;',
    specs: ['spec/callbacks/resume_from.spec.ts'],
  },
  {
    name: 'the schedules of the method start again when trainModel starts in the middle',
    file: 'src/training/train_model.ts',
    find: 'method.step = startStep;',
    replace: 'method.step = 0;',
    specs: ['spec/training/train_model.spec.ts'],
  },
  {
    name: 'early stopping forgets its evaluations when a checkpoint is resumed',
    file: 'src/callbacks/resume_from.ts',
    find: 'earlyStopping.state = remembered;',
    replace: '',
    specs: ['spec/callbacks/resume_from.spec.ts', 'spec/callbacks/early_stopping.spec.ts'],
  },
  {
    name: 'early stopping takes an equal value for a better one',
    file: 'src/callbacks/early_stopping.ts',
    find: 'value > this.state.best;',
    replace: 'value >= this.state.best;',
    specs: ['spec/callbacks/early_stopping.spec.ts'],
  },
  {
    name: 'a restored optimizer forgets how many batches are accumulated',
    file: 'src/optimizers/gradient_accumulation.ts',
    find: '    this.batches = batches;',
    replace: '',
    specs: ['spec/optimizers/gradient_accumulation.spec.ts'],
  },
  {
    name: 'AdamW decays biases and norm scales too',
    file: 'src/optimizers/adamw.ts',
    find: 'return variable.rank >= 2;',
    replace: 'return variable.rank >= 1;',
    specs: ['spec/optimizers/adamw.spec.ts'],
  },
  {
    name: 'the first step of the warm-up has a rate of 0',
    file: 'src/optimizers/schedules.ts',
    find: '(learningRate * (step + 1)) / warmupSteps',
    replace: '(learningRate * step) / warmupSteps',
    specs: ['spec/optimizers/schedules.spec.ts'],
  },

  // Measuring
  {
    name: 'a target at the last rank of the cutoff does not count',
    file: 'src/evaluation/metrics.ts',
    find: 'rank > k',
    replace: 'rank >= k',
    specs: ['spec/evaluation/metrics.spec.ts'],
  },
  {
    name: 'the discount of NDCG is one rank off',
    file: 'src/evaluation/metrics.ts',
    find: 'Math.log2(rank + 1) : 1 / rank',
    replace: 'Math.log2(rank + 2) : 1 / rank',
    specs: ['spec/evaluation/metrics.spec.ts'],
  },
  {
    name: 'a 95 % interval is one of 90 %',
    file: 'src/evaluation/bootstrap.ts',
    find: 'const tail = (1 - level) / 2;',
    replace: 'const tail = 1 - level;',
    specs: ['spec/evaluation/bootstrap.spec.ts'],
  },
  {
    name: 'the sign-flip test counts only what is more extreme',
    file: 'src/evaluation/sign_flip_test.ts',
    find: 'Math.abs(flipped) >= bar',
    replace: 'Math.abs(flipped) > Math.abs(total) + 1e-9',
    specs: ['spec/evaluation/paired_difference.spec.ts'],
  },
  {
    name: 'the random sign-flip test leaves out the observed assignment',
    file: 'src/evaluation/sign_flip_test.ts',
    find: '(1 + extreme) / (1 + permutations)',
    replace: 'extreme / permutations',
    specs: ['spec/evaluation/paired_difference.spec.ts'],
  },
  {
    name: 'a sample of users depends on no seed',
    file: 'src/evaluation/evaluate_ranking.ts',
    find: 'createRandom(seed).shuffle',
    replace: 'createRandom(0).shuffle',
    specs: ['spec/evaluation/evaluate_ranking.spec.ts'],
  },

  // Data
  {
    name: 'the test item is in the training sequence',
    file: 'src/data/leave_one_out.ts',
    find: 'sequence.subarray(0, sequence.length - 2)',
    replace: 'sequence.subarray(0, sequence.length - 1)',
    specs: ['spec/data/leave_one_out.spec.ts'],
  },
  {
    name: 'an item with exactly k interactions is dropped',
    file: 'src/data/k_core.ts',
    find: 'itemCounts[item] < k',
    replace: 'itemCounts[item] <= k',
    specs: ['spec/data/k_core.spec.ts'],
  },
  {
    name: 'every epoch has the same order of batches',
    file: 'src/training/batches.ts',
    find: 'mixSeeds(seed, epoch)',
    replace: 'mixSeeds(seed, 0)',
    specs: ['spec/training/batches.spec.ts'],
  },

  // Items and lists
  {
    name: 'an item that ends inside another is lost from the trie',
    file: 'src/generation/prefix_trie.ts',
    find: 'terminalHigh[node] = position;',
    replace: 'terminalHigh[node] = itemLow[node];',
    specs: ['spec/generation/prefix_trie.spec.ts'],
  },
  {
    name: 'the trie sorts by the low half of a token alone',
    file: 'src/generation/prefix_trie.ts',
    find: '(shift < 32 && largest >>> shift > 0)',
    replace: 'false',
    specs: ['spec/generation/prefix_trie.spec.ts'],
  },
  {
    name: 'a beam is dropped although an item behind it may be shown',
    file: 'src/generation/beam_expansion.ts',
    find: '!excludedOfUser?.covers(low, ends)',
    replace: 'excludedOfUser == null',
    specs: ['spec/generation/constrained_beam_search.spec.ts'],
  },
  {
    name: 'items of one semantic id are ranked the least popular first',
    file: 'src/generation/item_ties.ts',
    find: 'counts[b] - counts[a]',
    replace: 'counts[a] - counts[b]',
    specs: ['spec/generation/constrained_beam_search.spec.ts', 'spec/evaluation/recommenders.spec.ts'],
  },
  {
    name: 'the reward gives a child the items of its neighbour too',
    file: 'src/rewards/trie_sums.ts',
    find: 'itemHigh[node] - terminalHigh[node] + 1',
    replace: 'itemHigh[node] - terminalHigh[node]',
    specs: ['spec/rewards/trie_reward.spec.ts'],
  },

  // Tokenizers
  {
    name: 'a rare pair is merged',
    file: 'src/tokenizers/byte_level_bpe.ts',
    find: 'best.count < minFrequency',
    replace: 'best.count < minFrequency - 1',
    specs: ['spec/tokenizers/byte_level_bpe.spec.ts'],
  },
  {
    name: 'a title that holds a special token is written with it',
    file: 'src/tokenizers/item_titles.ts',
    find: 'if (found.size === 0) return tokens;',
    replace: 'return tokens;',
    specs: ['spec/tokenizers/item_titles.spec.ts'],
  },
  {
    name: 'semantic-id tokens are sorted as text, 10 before 9',
    file: 'src/tokenizers/semantic_id_tokenizer.ts',
    find: 'a.code - b.code || ',
    replace: '',
    specs: ['spec/tokenizers/semantic_id_tokenizer.spec.ts'],
  },

  // Adapters and files
  {
    name: 'rsLoRA scales as LoRA does',
    file: 'src/lora/lora_adapter.ts',
    find: 'alpha / Math.sqrt(rank)',
    replace: 'alpha / rank',
    specs: ['spec/lora/add_lora.spec.ts', 'spec/lora/lora_adapter.spec.ts', 'spec/lora/peft_format.spec.ts'],
  },
  {
    name: 'an adapter drops nothing in training',
    file: 'src/lora/lora_adapter.ts',
    find: 'const input = step === null ?',
    replace: 'const input = step !== undefined ?',
    specs: ['spec/lora/lora_training.spec.ts', 'spec/lora/lora_adapter.spec.ts'],
  },
  {
    name: 'every training call of an adapter has the same dropout mask',
    file: 'src/lora/lora_adapter.ts',
    find: 'this.config.seed, this.index, step)',
    replace: 'this.config.seed, this.index)',
    specs: ['spec/lora/lora_training.spec.ts', 'spec/lora/lora_adapter.spec.ts'],
  },
  {
    name: 'values of a safetensors file are not aligned',
    file: 'src/safetensors/safetensors.ts',
    find: 'ALIGNMENT * Math.ceil(unpadded.length / ALIGNMENT)',
    replace: 'unpadded.length',
    specs: ['spec/safetensors/safetensors.spec.ts'],
  },
  {
    name: 'bfloat16 is cut off instead of rounded',
    file: 'src/safetensors/safetensors_types.ts',
    find: '(bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16',
    replace: 'bits >>> 16',
    specs: ['spec/safetensors/safetensors_types.spec.ts'],
  },
  {
    name: 'a tensor may end behind the end of its safetensors file',
    file: 'src/safetensors/safetensors_header.ts',
    find: 'if (start + high > size) throw',
    replace: 'if (high > size) throw',
    specs: ['spec/safetensors/safetensors_reader.spec.ts'],
  },
];
