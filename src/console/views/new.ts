// The page "New": files on one side, what is to be made of them on the other.

import { html, nothing } from 'lit-html';
import type { App, View } from '../app.ts';
import { messageOf } from '../api.ts';
import type { ApiProblem } from '../api.ts';
import { misfit } from '../fitting.ts';
import { lacking } from '../rights.ts';
import type { Transfer } from '../transfers.ts';
import { curlForImage, curlForJob, recipeJson } from '../recipe-code.ts';
import { spoken } from '../place.ts';
import { copyable } from './copyable.ts';
import { dropZone, takePasted, transferList } from './drop-zone.ts';
import { createOrderOptions } from './order-options.ts';
import { createPreview } from './preview.ts';
import { createRecipeEditor } from './recipe-editor.ts';
import type { RecipeEditor } from './recipe-editor.ts';

export function newView(app: App): View {
  const { orders } = app;
  const preview = createPreview(app);
  let editor: RecipeEditor | undefined;
  const options = createOrderOptions(app);
  let fault: string | undefined;
  let isClosed = false;

  const waiting = () =>
    app.transfers
      .list()
      .filter((each) => each.jobId === undefined && each.status !== 'refused' && !orders.isPlaced(each));
  const misfitOf = (transfer: Transfer): string | undefined =>
    editor === undefined || transfer.jobId !== undefined || transfer.status === 'refused'
      ? undefined
      : misfit(transfer.mediaType, editor.recipe());
  const fitting = () => waiting().filter((each) => misfitOf(each) === undefined);
  const isWhole = (): boolean => editor?.wish() !== undefined && editor.faults().length === 0;
  const pictureToShow = (): File | undefined =>
    lacking(app.session(), ['images']).length > 0
      ? undefined
      : app.transfers
          .list()
          .find(({ mediaType, status }) => mediaType?.startsWith('image/') === true && status !== 'refused')
          ?.file;
  /** Of a recipe that is not whole nothing is asked. */
  const showPreview = (): void => {
    if (editor !== undefined && isWhole()) preview.update(editor.recipe(), pictureToShow());
  };
  const refresh = (): void => {
    fault = undefined;
    showPreview();
    app.redraw();
  };
  const stopListening = app.transfers.onChange(() => {
    const kinds = waiting().map(({ mediaType }) => mediaType?.split('/')[0]);
    if (kinds.length > 0 && kinds.every((each) => each === 'image')) editor?.suggest('image');
    if (kinds.length > 0 && kinds.every((each) => each === 'video' || each === 'audio'))
      editor?.suggest('video');
    showPreview();
    app.redraw();
  });
  const stopFollowing = app.jobs.onChange(() => app.redraw());
  const onPaste = (event: ClipboardEvent): void => takePasted(app, event);
  document.addEventListener('paste', onPaste);
  app
    .operations()
    .then((operations) => {
      if (isClosed) return;
      editor = createRecipeEditor(app, operations, refresh);
      refresh();
    })
    .catch((error: unknown) => {
      fault = messageOf(error);
      app.redraw();
    });

  /** Each place once; what is wrong there stands beside it. */
  function whatToMend(): string | undefined {
    const places = [...(editor?.problems().keys() ?? [])].map((place) => spoken(place, editor?.recipe()));
    return places.length === 0 ? undefined : `The server does not take it. Mend ${places.join('; ')}.`;
  }
  /** Why nothing can be made yet. */
  function obstacle(): string {
    const [first, ...others] = editor?.faults() ?? [];
    if (first !== undefined) {
      const more = others.length > 0 ? `, and ${others.length} more` : '';
      return `${first.isMissing ? 'Fill in' : 'Mend'} ${first.where}${more}`;
    }
    if (waiting().length === 0) return 'Add a file first';
    const misfits = waiting().filter((each) => misfitOf(each) !== undefined);
    if (misfits.length === 0) return '';
    return `Without ${misfits.map(({ file }) => file.name).join(', ')}: ${misfits.length === 1 ? 'it does' : 'they do'} not fit`;
  }

  function start(): void {
    const wish = editor?.wish();
    if (wish === undefined) {
      app.say('The recipe cannot be read. Mend its JSON first.', true);
      return;
    }
    const list = fitting();
    const isOne = app.transfers.list().length === 1;
    fault = undefined;
    orders.place(
      list,
      { ...wish, ...options.extras() },
      {
        job(job) {
          app.say('The job is made.');
          // To its page, unless one has gone elsewhere meanwhile.
          if (isOne && !isClosed) app.go(`#/jobs/${job.id}`);
          app.redraw();
        },
        problem(problem: ApiProblem) {
          editor?.blame(problem);
          fault = problem.errors.length > 0 ? whatToMend() : undefined;
          app.redraw();
        },
      },
    );
    app.redraw();
  }

  return {
    title: 'New',
    render() {
      const lacks = lacking(app.session(), ['uploads', 'jobs:write']);
      if (lacks.length > 0) {
        return html`<h1>New</h1><p class="panel empty" role="status">This key may look, but not make anything: it lacks
          ${lacks.join(' and ')}. Its operator makes one with ${lacks.length === 1 ? 'it' : 'them'}.
          <a href="#/jobs">The jobs</a></p>`;
      }
      const count = fitting().length;
      const stop = obstacle();
      const recipe = editor?.recipe();
      const wish = editor?.wish();
      const file = app.transfers.list()[0]?.file.name ?? 'file';
      const wanted = {
        ...(wish ?? { recipe: { outputs: {} } }),
        ...{ file, origin: location.origin, withKey: app.session()?.required === true },
      };
      const atOnce = isWhole() ? curlForImage(wanted) : undefined;
      return html`<h1 class="sr">New</h1><div class="columns">
        <div>
          <section class="panel" aria-label="Files">
            <h2>Files</h2>
            ${dropZone(app)}${transferList(app, (each) => orders.isPlaced(each), misfitOf)}
          </section>
          ${preview.render()}
        </div>
        <div>
          <section class="panel" aria-label="Recipe">
            <h2>What to make</h2>
            ${editor?.render() ?? html`<p class="hint">${fault === undefined ? 'Asking the server what it can do …' : ''}</p>`}
            ${editor === undefined ? nothing : options.render(editor.problems())}
            ${fault === undefined ? nothing : html`<p class="wrong" role="alert">${fault}</p>`}
            <div class="bar end sticky">
              <span class="hint" role="status">${stop}</span>
              <button type="button" class="primary" ?disabled=${count === 0 || !isWhole()} @click=${start}>
                ${count > 1 ? `Make ${count} jobs` : 'Make it'}
              </button>
            </div>
          </section>
          ${
            recipe === undefined
              ? nothing
              : html`<details class="panel"><summary><h2>The same by curl</h2></summary>
                ${atOnce === undefined ? nothing : copyable(app, 'At once', atOnce)}
                ${copyable(app, 'As a job', curlForJob(wanted))}
                ${copyable(app, 'Recipe', recipeJson(recipe))}
              </details>`
          }
        </div>
      </div>`;
    },
    close() {
      isClosed = true;
      document.removeEventListener('paste', onPaste);
      stopListening();
      stopFollowing();
      preview.close();
    },
  };
}
