import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/installed_package';

describe('the workflows', () => {
  const folder = join(repository, '.github/workflows');

  for (const name of readdirSync(folder))
    it(`pin the actions of ${name} by commit, with the version beside it`, () => {
      const used = [...readFileSync(join(folder, name), 'utf8').matchAll(/\buses: (.*)/g)].map(([, action]) => action);
      expect(used).to.not.be.empty;
      for (const action of used) expect(action).to.match(/^\.\/|^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    });
});
