import type { Compared } from './compared';
import type { Conclusion } from './conclusion';
import { html, type Html, raw } from './html';
import { colorRules, filter, filterRules } from './look';
import { REPORT_STYLE } from './report_style';

/** A page may draw and style itself, and ask for nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A page that loads nothing and runs no script: title, lead, conclusion, sections, and the command that makes it. */
export function reportPage(
  { methods, looks, data, backend, seeds, seconds }: Compared,
  {
    title,
    lead = '',
    took,
    conclusion,
    sections,
    command,
  }: {
    title: string;
    /** A sentence in front of the facts. */
    lead?: string;
    /** What the seconds were spent on. */
    took: string;
    conclusion: Conclusion;
    sections: readonly Html[];
    command?: string;
  },
): string {
  const rules = [REPORT_STYLE, colorRules(methods, ':root'), filterRules(looks)].join('\n');
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>${title}</title>
        <style>
          ${raw(rules)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="lead">
            ${lead === '' ? '' : `${lead} `}${data.name}: ${data.users} users, ${data.items} items,
            ${data.interactions} interactions. Backend ${backend};
            ${seeds.length === 1 ? `one training seed (${seeds[0]})` : `${seeds.length} training seeds`}; ${`${took} in ${seconds.toFixed(0)} s`}.
          </p>
          ${conclusionCard(conclusion)} ${methods.length < 2 ? raw('') : filter(looks)} ${sections}
          <footer>
            Made by tfjs-ilrec${command === undefined ? raw('') : html` with <code>${command}</code>`}. Data checksum
            ${data.checksum.slice(0, 16)}.
          </footer>
        </main>
      </body>
    </html>
`;
  return page.text;
}

/** What the numbers show, and what they do not. */
function conclusionCard({ shown, notShown }: Conclusion): Html {
  return html`<div class="card conclusion">
    <p>${shown.join(' ')}</p>
    ${
      notShown.length === 0
        ? raw('')
        : html`<p><strong>What the numbers do not show</strong></p>
            <ul>
              ${notShown.map((line) => html`<li>${line}</li>`)}
            </ul>`
    }
  </div>`;
}

/** Something long behind a click. */
export function details(summary: string, content: Html): Html {
  return html`<details>
    <summary>${summary}</summary>
    ${content}
  </details>`;
}
