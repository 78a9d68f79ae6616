import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IlrecError } from '../errors';
import { writeFileAtomically } from '../files/atomic_file_node';
import type { FileSource } from '../files/file_source';
import { folderSource } from '../files/folder_source_node';
import { replaceFolder } from '../files/replace_folder_node';
import { savePretrained } from '../pretrained/save_pretrained_node';
import type { Interactions } from './interactions';
import { nodeFiles } from './named_files_node';
import { partsOf } from './open_run';
import {
  browserSource,
  type FitOptions,
  fitRecommender,
  loadRecommender,
  type LoadRecommenderOptions,
  Recommender as BrowserRecommender,
} from './recommender';
import { encodePart } from './run_copy';

/** What a run of the command line holds beside the files that `save` writes. */
const TRAINED = ['log.jsonl', 'checkpoints'];

/**
 * Learns from interactions and recommends, as the `Recommender` of `tfjs-ilrec` does, and saves into folders.
 *
 * A saved folder is a run: the command line recommends from it, and a web server can serve it to `Recommender.load` in
 * a browser.
 *
 * @example
 * ```ts
 * import { Recommender } from 'tfjs-ilrec/node';
 *
 * const recommender = await Recommender.load('runs/sft'); // trained by `ilrec train`
 * const [first] = await recommender.similar('gear-03', 1);
 * console.log(first.similarity <= 1); // true
 * await recommender.save('runs/copy');
 * recommender.dispose();
 * ```
 */
export class Recommender extends BrowserRecommender {
  static override async fit(interactions: Interactions, options: FitOptions = {}): Promise<Recommender> {
    const versions = { node: process.versions.node };
    return new this(await fitRecommender(interactions, options, { named: nodeFiles, versions }));
  }

  static override async load(where: string | FileSource, options: LoadRecommenderOptions = {}): Promise<Recommender> {
    return new this(await loadRecommender(where, options, sourceOf));
  }

  override async save(where: string): Promise<void> {
    if (where.startsWith('indexeddb://')) return await super.save(where);
    const run = this.opened('save');
    await refuseOtherFolder(where);
    const parts = await partsOf(run);
    await mkdir(dirname(where), { recursive: true });
    await replaceFolder(where, async (temporary) => {
      for (const part of parts) {
        const path = join(temporary, part.path);
        if ('checkpoint' in part) await savePretrained(path, part.checkpoint);
        else
          for (const [name, bytes] of await encodePart(part, 'Recommender.save'))
            await writeFileAtomically(join(temporary, name), bytes, 'Recommender.save');
      }
    });
  }
}

function sourceOf(where: string): FileSource {
  return /^(https?|indexeddb):\/\//.test(where) ? browserSource(where) : folderSource(where);
}

/** @throws IlrecError unless the folder is new or empty, or holds what `save` wrote. */
async function refuseOtherFolder(where: string): Promise<void> {
  const found = await stat(where).catch(() => null);
  if (found === null) return;
  if (!found.isDirectory())
    throw new IlrecError(`Recommender.save: where must be a folder, got the file ${where}; choose another name`);
  const names = await readdir(where);
  const strange = names.includes('manifest.json') ? names.find((name) => TRAINED.includes(name)) : names[0];
  if (strange !== undefined)
    throw new IlrecError(
      `Recommender.save: where must be a new or empty folder, or an earlier save, got ${where}, which holds ` +
        `${strange}; choose another name`,
    );
}
