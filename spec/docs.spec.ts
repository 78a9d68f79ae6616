import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { METHODS } from '../src/methods/registry';
import { parseTrainConfig } from '../src/methods/train_config';
import { parseStudy } from '../src/runs/study_file';
import { configKeys } from './support/config_keys';
import { ilrecCommand } from './support/command_line';
import { repository } from './support/installed_package';
import { blocksOf, pages, textOf } from './support/readme_program';

/** Text without fenced blocks and inline code, where links and headings are. */
const proseOf = (page: string): string =>
  textOf(page)
    .replace(/^(`{3,})[\s\S]*?^\1$/gm, '')
    .replace(/`[^`\n]*`/g, '``');

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): string[] {
  const headings = textOf(page)
    .replace(/^(`{3,})[\s\S]*?^\1$/gm, '')
    .matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('README and docs', () => {
  it('fits README into 150 lines of 120 columns, and prose everywhere into 120', () => {
    expect(textOf('README.md').split('\n').length - 1).to.be.at.most(150);
    for (const page of pages) {
      const long = textOf(page)
        .split('\n')
        .filter((line) => [...line].length > 120 && (page === 'README.md' || !line.startsWith('|')));
      expect(long, page).to.deep.equal([]);
    }
  });

  it('links to files, folders and headings that exist', () => {
    const broken = pages.flatMap((page) =>
      [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => {
        if (/^https?:/.test(target)) return [];
        const [path, anchor] = target.split('#');
        const linked = path === '' ? page : normalize(join(dirname(page), path));
        if (!existsSync(join(repository, linked))) return [`${page}: ${target}`];
        return anchor !== undefined && !anchorsOf(linked).includes(anchor) ? [`${page}: ${target}`] : [];
      }),
    );
    expect(broken).to.deep.equal([]);
  });

  it('is reached from README, page by page', () => {
    const linked = [...textOf('README.md').matchAll(/\]\((docs\/[\w-]+\.md)\)/g)].map(([, page]) => page);
    expect(linked).to.include.members(pages.filter((page) => page.startsWith('docs/')));
  });

  it('names files and folders of the repository that exist', () => {
    const missing = pages.flatMap((page) =>
      [...textOf(page).matchAll(/`((?:src|spec|bench|configs|examples|assembly|tools|web)\/[\w./-]*)`/g)].flatMap(
        ([, path]) => (/NAME/.test(path) || isThere(path) ? [] : [`${page}: ${path}`]),
      ),
    );
    expect(missing).to.deep.equal([]);
  });
});

/** A file or folder that is there, or that CONTRIBUTING adds. */
function isThere(path: string): boolean {
  return existsSync(join(repository, path)) || /label_smoothing|smoothed/.test(path);
}

describe('the command line in README and docs', () => {
  const flagsOf = new Map<string, ReadonlyMap<string, boolean>>(); // of each verb: whether the flag takes a value

  const takesArgument = new Set<string>(); // verbs whose first word is no flag

  before(async () => {
    const { stdout } = await ilrecCommand('--help');
    const verbs = [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}(\w+)/gm)].map(([, verb]) => verb);
    for (const verb of verbs.filter((name) => name !== 'help')) {
      const help = (await ilrecCommand(verb, '--help')).stdout;
      if (/^Usage: .* <\w+>$/m.test(help)) takesArgument.add(verb);
      flagsOf.set(
        verb,
        new Map(
          [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)( <)?/gm)].map(([, flag, value]) => [flag, value === ' <']),
        ),
      );
    }
  });

  it('calls verbs with flags that they have', () => {
    const lines = pages.flatMap((page) =>
      blocksOf(page, 'sh')
        .flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
        .filter((line) => line.startsWith('npx ilrec '))
        .map((line) => ({ page, words: (line.split(/\s+#/)[0].match(/"[^"]*"|\S+/g) ?? []).slice(2) })),
    );
    expect(lines.length).to.be.above(20);
    for (const { page, words } of lines) {
      const [verb, ...rest] = words;
      const flags = flagsOf.get(verb);
      const line = `${page}: ${words.join(' ')}`;
      expect(flags, line).to.not.equal(undefined);
      if (takesArgument.has(verb)) rest.shift();
      for (let i = 0; i < rest.length; i++) {
        expect([...(flags?.keys() ?? [])], line).to.include(rest[i]);
        if (flags?.get(rest[i]) === true) expect(rest[++i], line).to.match(/^[^-]/);
      }
    }
  });

  it('has every verb and flag in docs/cli.md, and no other', () => {
    const page = textOf('docs/cli.md');
    const everywhere = ['--backend', '--json', '--help'];
    const sections = new Map(
      page
        .split(/^## /m)
        .slice(1)
        .map((section) => [/`(\w+)`/.exec(section)?.[1] ?? '', section]),
    );
    expect([...sections.keys()].sort()).to.deep.equal([...flagsOf.keys()].sort());
    for (const [verb, flags] of flagsOf) {
      const named = [...(sections.get(verb) ?? '').matchAll(/^\| `(--[\w-]+)/gm)].map(([, flag]) => flag);
      const own = [...flags.keys()].filter((flag) => !everywhere.includes(flag));
      expect(named.sort(), verb).to.deep.equal(own.sort());
    }
    for (const flag of everywhere) expect(page).to.include(flag);
  });

  it('names no flag in prose that no verb has', () => {
    const known = new Set([...flagsOf.values()].flatMap((flags) => [...flags.keys()]));
    const foreign = ['--expose-gc', '--import']; // Node's
    const strange = pages
      .filter((page) => page.startsWith('docs/') || page === 'README.md')
      .flatMap((page) =>
        [...textOf(page).matchAll(/`[^`\n]*?(--[a-z][\w-]*)/g)]
          .map(([, flag]) => flag)
          .filter((flag) => !known.has(flag) && !foreign.includes(flag))
          .map((flag) => `${page}: ${flag}`),
      );
    expect(strange).to.deep.equal([]);
  });
});

describe('docs/methods.md', () => {
  it('has a row for each method', () => {
    const named = [...textOf('docs/methods.md').matchAll(/^\| `([\w-]+)` +\|/gm)].map(([, name]) => name);
    expect(named).to.have.members([...METHODS]);
  });
});

describe('docs/configuration.md', () => {
  const rows = textOf('docs/configuration.md')
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const name = /^`([\w.-]+)`/.exec(section)?.[1];
      return [...section.matchAll(/^\| ((?:`[\w.]+`(?:, )?)+) +\|/gm)].flatMap(([, cell]) =>
        [...cell.matchAll(/`([\w.]+)`/g)].map(([, key]) => (name === undefined ? key : `${name}.${key}`)),
      );
    });

  it('names every key in the section that it belongs to', () => {
    expect(configKeys().filter((key) => !rows.includes(key))).to.deep.equal([]);
  });

  it('names no key that is unknown', () => {
    expect(rows.length).to.be.above(60);
    for (const row of rows) {
      const value = row.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), Symbol('of no type'));
      expect(() => parseTrainConfig(value), row).to.throw(/^(?!.*Unrecognized key)/s);
    }
  });

  it('states defaults that hold, with item tokens and in the other styles', () => {
    const [ofItems, ofIds] = [parseTrainConfig({}), parseTrainConfig({ items: { style: 'ids' } })];
    const stated = textOf('docs/configuration.md')
      .split(/^## /m)
      .slice(1)
      .flatMap((section) => {
        const name = /^`([\w.-]+)`/.exec(section)?.[1];
        if (name === undefined) return [];
        const hasOthers = /^\| Key +\| Default +\| Other styles +\|/m.test(section);
        return [...section.matchAll(/^\| `([\w.]+)` +\|([^|]*)\|([^|]*)\|/gm)].flatMap(([, field, cell, other]) => {
          const key = `${name}.${field}`;
          const others = hasOthers && other.trim() !== '' ? other : cell; // an empty cell repeats the default
          return [
            { key, value: valueIn(cell), real: valueAt(ofItems, key) },
            { key, value: valueIn(others), real: key === 'items.style' ? 'auto' : valueAt(ofIds, key) },
          ];
        });
      })
      .filter(({ value }) => value !== undefined);
    const wrong = stated.filter(({ value, real }) => real !== undefined && String(real) !== value);
    expect(wrong).to.deep.equal([]);
    expect(stated.length).to.be.above(100);
  });

  it('shows configs that are accepted, here and on other pages', () => {
    const blocks = pages.flatMap((page) => blocksOf(page, 'json').map((block) => ({ page, block })));
    expect(blocks.length).to.be.above(2);
    for (const { page, block } of blocks) {
      const shown = JSON.parse(block) as object;
      const configs = 'arms' in shown ? parseStudy(shown, page).map(({ config }) => config) : [shown];
      for (const config of configs) parseTrainConfig(config, page);
    }
  });
});

/** The value that a cell states, undefined where it is prose. */
function valueIn(cell: string): string | undefined {
  return /^ `?([\w.-]+)`? +$/.exec(cell)?.[1];
}

/** What lies at a path such as methods.ilrec.penalty. */
function valueAt(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config);
}

describe('ARCHITECTURE', () => {
  let rooms: Readonly<Record<string, readonly string[]>>;
  before(async () => {
    const config = (await import(pathToFileURL(join(repository, 'eslint.config.js')).href)) as { ROOMS: typeof rooms };
    rooms = config.ROOMS;
  });

  it('has a line for each room', () => {
    const named = [...textOf('ARCHITECTURE.md').matchAll(/^\| `(\w+)` +\| \S/gm)].map(([, room]) => room);
    expect(named.sort()).to.deep.equal(Object.keys(rooms).sort());
  });

  it('draws each room once, above every room that it imports', () => {
    const [drawing] = blocksOf('ARCHITECTURE.md', 'text');
    const floors = drawing.split('\n').flatMap((line) => {
      const found = line
        .trim()
        .split(/ +/)
        .slice(1)
        .filter((word) => word in rooms);
      return found.length === 0 || line.includes('entries') ? [] : [found];
    });
    const order = floors.reverse().flat(); // from the ground up
    expect([...order].sort()).to.deep.equal(Object.keys(rooms).sort());
    for (const [place, room] of order.entries())
      for (const imported of rooms[room].filter((name) => name in rooms))
        expect(order.indexOf(imported), `${room} imports ${imported}`).to.be.below(place);
  });
});
