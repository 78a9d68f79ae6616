import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from './support/installed_package';

/** What the last line of each example says. */
const lastLines: Record<string, RegExp> = {
  'collaborative_reward.ts': /^reward loss per epoch: 3\.\d+ → 3\.\d+$/,
  'own_model.ts': /^next: .+; .+; .+$/,
  'pretrained_folder.ts': /^next: .+; .+; .+$/,
  'recommend.ts': /^5\. .+ \(log-probability -\d+\.\d\d\)$/,
  'semantic_ids_in_text.ts': /^cross-entropy per epoch: 6\.\d+ → [45]\.\d+$/,
  'training_loop.ts': /^loss 3\.\d+, negatives per token \d+\.\d+$/,
};

describe('examples', () => {
  it('are all run here', () => {
    expect(readdirSync(join(repository, 'examples')).sort()).to.deep.equal(Object.keys(lastLines));
  });

  for (const [name, lastLine] of Object.entries(lastLines)) {
    it(`runs ${name}`, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join('examples', name)], {
        cwd: repository,
      });
      expect(stdout.trim().split('\n').at(-1)).to.match(lastLine);
    });
  }
});
