// A question before what cannot be undone. Escape, and whoever presses Enter without reading, leave everything as it is.

import { html, render } from 'lit-html';

export interface Question {
  readonly title: string;
  readonly text: string;
  /** On the button that does it. */
  readonly word: string;
}

/** Resolves whether it is to be done. */
export function confirm({ title, text, word }: Question): Promise<boolean> {
  const dialog = document.createElement('dialog');
  dialog.className = 'panel';
  dialog.setAttribute('aria-labelledby', 'question');
  dialog.setAttribute('aria-describedby', 'question-text');
  render(
    html`<h2 id="question">${title}</h2>
      <p id="question-text">${text}</p>
      <div class="bar end">
        <button type="button" autofocus @click=${() => dialog.close()}>Keep it</button>
        <button type="button" class="danger" @click=${() => dialog.close(word)}>${word}</button>
      </div>`,
    dialog,
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === word);
    });
  });
}
