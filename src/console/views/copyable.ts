// Text that is there to be copied: shown as it is, with a button.

import { html } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { App } from '../app.ts';

export function copyable(app: App, title: string, text: string): TemplateResult {
  return html`<div class="copyable">
    <div class="bar"><span>${title}</span>${copyButton(app, title, text)}</div>
    <pre tabindex="0" aria-label=${title}>${text}</pre>
  </div>`;
}

export function copyButton(app: App, title: string, text: string, word = 'Copy'): TemplateResult {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      app.say(`${title}: copied`);
    } catch {
      // Browsers give the clipboard to pages of HTTPS and of this machine only.
      app.say('This browser does not let the page copy. Select the text instead.', true);
    }
  };
  return html`<button type="button" class="quiet small" aria-label="Copy ${title}" @click=${copy}>${word}</button>`;
}
