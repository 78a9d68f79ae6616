import { html, type Html } from './html';

/**
 * A table in a frame that scrolls by itself, also by keyboard.
 *
 * @param label what it is, for those who cannot see it.
 */
export function table(headers: readonly string[], rows: readonly Html[], label: string): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    <table>
      <thead>
        <tr>
          ${headers.map((header) => html`<th scope="col">${header}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
