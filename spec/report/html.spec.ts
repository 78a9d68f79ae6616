import { expect } from 'chai';
import { html, raw } from '../../src/report/html';

describe('html', () => {
  it('escapes what is put in', () => {
    expect(html`<p title="${'"'}">${"<b> & '"}</p>`.text).to.equal('<p title="&#34;">&#60;b&#62; &#38; &#39;</p>');
  });

  it('leaves HTML as it is, lists too', () => {
    expect(html`<ul>${['a', '<'].map((item) => html`<li>${item}</li>`)}</ul>${raw('<br>')}${3}`.text).to.equal(
      '<ul><li>a</li>\n<li>&#60;</li></ul><br>3',
    );
  });
});
