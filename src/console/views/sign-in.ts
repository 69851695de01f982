// Where a key is asked for.

import { html, nothing } from 'lit-html';
import { messageOf } from '../api.ts';
import type { App, View } from '../app.ts';

/** `onDone`: the key is good. */
export function signInView(app: App, onDone: () => void): View {
  let fault: string | undefined;
  let isBusy = false;
  async function send(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem('key') as HTMLInputElement;
    isBusy = true;
    fault = undefined;
    app.redraw();
    try {
      await app.api.signIn(field.value.trim());
      onDone();
    } catch (error) {
      fault = messageOf(error);
      field.focus();
    }
    isBusy = false;
    app.redraw();
  }
  // Once it is drawn.
  setTimeout(() => document.getElementById('key')?.focus());
  return {
    title: 'Sign in',
    render: () => html`<form class="panel sign-in" @submit=${send}>
      <h1>Sign in</h1>
      <p class="hint">This server asks for an API key. It stays in this tab and is forgotten with it.</p>
      <div class="field"><label for="key">API key</label>
        <input id="key" name="key" type="password" required autocomplete="off" spellcheck="false" placeholder="mm_…" aria-describedby="key-wrong" />
        <p class="wrong" id="key-wrong" role="alert">${fault ?? nothing}</p></div>
      <div class="bar end"><button class="primary" ?disabled=${isBusy}>Sign in</button></div>
    </form>`,
    close() {},
  };
}
