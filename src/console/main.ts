// The entry of the page: which view is open, and what stands around it.

import { html, nothing, render } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { readAddress } from './address.ts';
import { createApi, messageOf } from './api.ts';
import type { Session } from './api.ts';
import type { App, OpenView, View } from './app.ts';
import { defineImageSlider } from './elements/image-slider.ts';
import { defineMediaPlayer } from './elements/media-player.ts';
import { defineTimePlot } from './elements/time-plot.ts';
import { defineWaveForm } from './elements/wave-form.ts';
import { createJobFeed } from './job-feed.ts';
import type { Operations } from './operations.ts';
import { createOrders } from './orders.ts';
import { applyTheme, chosenTheme, nextTheme } from './theme.ts';
import { createTransfers } from './transfers.ts';
import { jobView } from './views/job.ts';
import { jobsView } from './views/jobs.ts';
import { machineView } from './views/machine.ts';
import { newView } from './views/new.ts';
import { signInView } from './views/sign-in.ts';

const PAGES = [
  ['new', 'New'],
  ['jobs', 'Jobs'],
  ['machine', 'Machine'],
] as const;
/** A message stays so long, in milliseconds. */
const SAY_MS = 6000;

for (const define of [defineImageSlider, defineMediaPlayer, defineTimePlot, defineWaveForm]) define();
applyTheme(chosenTheme());

const root = document.getElementById('app') as HTMLElement;
const api = createApi(() => askForKey());
const jobs = createJobFeed(api);
const transfers = createTransfers(api);
const orders = createOrders(api, jobs, transfers);
let session: Session | undefined;
let operations: Promise<Operations> | undefined;
let view: View | undefined;
let isDrawn = true;
let said: { readonly text: string; readonly isProblem: boolean } | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

const app: App = {
  api,
  jobs,
  transfers,
  orders,
  operations() {
    operations ??= api.get<Operations>('/v1/operations');
    operations.catch(() => (operations = undefined));
    return operations;
  },
  session: () => session,
  redraw() {
    if (!isDrawn) return;
    isDrawn = false;
    // Not by animation frames: a page in the background would never be drawn.
    queueMicrotask(draw);
  },
  say(text, isProblem = false) {
    said = { text, isProblem };
    clearTimeout(silence);
    silence = setTimeout(() => {
      said = undefined;
      app.redraw();
    }, SAY_MS);
    app.redraw();
  },
  go(hash) {
    location.hash = hash;
  },
};

function show(next: View): void {
  view?.close();
  view = next;
  document.title = `${next.title} · Mediamill`;
  app.redraw();
}

const mayEnter = (): boolean =>
  session !== undefined && (!session.required || (session.tenant !== null && api.hasKey));

/** Opens what the address says. */
function route(): void {
  if (session === undefined || !mayEnter()) return;
  jobs.open();
  const { page, argument } = readAddress(location.hash);
  const open: OpenView =
    page === 'jobs' ? (argument === '' ? jobsView : jobView) : page === 'machine' ? machineView : newView;
  show(open(app, argument));
  document.getElementById('main')?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

async function enter(): Promise<void> {
  try {
    session = await api.session();
    if (mayEnter()) route();
    else askForKey();
  } catch (error) {
    said = { text: messageOf(error), isProblem: true };
    app.redraw();
    setTimeout(() => void enter(), 3000);
  }
}

function askForKey(): void {
  if (view?.title === 'Sign in') return;
  session = { required: true, tenant: null, scopes: [] };
  forget();
  show(signInView(app, () => void enter()));
}

/** Whoever signs in next may be somebody else: nothing that was going on goes on with their key. */
function forget(): void {
  jobs.close();
  orders.clear();
  transfers.clear();
}

async function leave(): Promise<void> {
  forget();
  await api.signOut();
  askForKey();
}

function switchTheme(): void {
  applyTheme(nextTheme(chosenTheme()));
  app.redraw();
}

function header(): TemplateResult {
  const { page } = readAddress(location.hash);
  const theme = chosenTheme();
  return html`<header>
    <a class="brand" href="#/new" aria-label="Mediamill: new"><img src="/console/icon.svg" alt="" width="24" height="24" /><span>Mediamill</span></a>
    ${
      mayEnter()
        ? html`<nav aria-label="Pages">${PAGES.map(
            ([name, text]) =>
              html`<a href="#/${name}" aria-current=${(page || 'new') === name ? 'page' : 'false'}>${text}</a>`,
          )}</nav>`
        : nothing
    }
    <span class="buttons">
      <a class="quiet small wide-only" href="/docs">Reference</a>
      <button type="button" class="quiet small" aria-label="Colours: ${theme}. Change" @click=${switchTheme}>${{ auto: '◐', dark: '☾', light: '☀' }[theme]}</button>
      ${session?.required === true && mayEnter() ? html`<button type="button" class="quiet small" @click=${leave}>Sign out</button>` : nothing}
    </span>
  </header>`;
}

function draw(): void {
  isDrawn = true;
  render(
    html`<a class="skip" href="#main" @click=${(event: Event) => {
      event.preventDefault();
      document.getElementById('main')?.focus();
    }}>To the content</a>
      ${header()}
      <main id="main" tabindex="-1">${view?.render() ?? nothing}</main>
      <footer class="narrow-only"><a href="/docs">Reference</a></footer>
      <div class="said ${said?.isProblem === true ? 'is-problem' : ''}" role="status" aria-live="polite">${said?.text ?? nothing}</div>`,
    root,
  );
}

addEventListener('hashchange', route);
// A file dropped beside the place for it must not replace the page.
for (const event of ['dragover', 'drop'] as const) addEventListener(event, (each) => each.preventDefault());
draw();
void enter();
