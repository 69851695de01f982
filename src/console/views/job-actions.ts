// What can be done with a job: stop it, remove it, make it again.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { Job } from '../api.ts';
import { messageOf } from '../api.ts';
import type { App } from '../app.ts';
import { lacking } from '../rights.ts';
import { confirm } from './confirm.ts';
import { orderOf, UPLOAD_NOTE } from '../orders.ts';

export function jobActions(app: App, job: Job): TemplateResult | typeof nothing {
  if (lacking(app.session(), ['jobs:write']).length > 0) return nothing;
  const name = job.source.name ?? job.id;
  const upload = job.metadata[UPLOAD_NOTE];
  const { recipe } = job;
  const attempt = (work: () => Promise<void>) => (): void => {
    work().catch((error: unknown) => app.say(messageOf(error), true));
  };
  const { cancel } = job.links;
  return html`<span class="buttons">
    ${
      cancel === null
        ? nothing
        : html`<button type="button" class="quiet small" aria-label="Cancel ${name}"
          @click=${attempt(async () => {
            app.jobs.put(await app.api.send('POST', cancel));
            app.say('The job is being stopped.');
          })}>Cancel</button>`
    }
    ${
      upload === undefined || cancel !== null
        ? nothing
        : html`<button type="button" class="quiet small" aria-label="Run ${name} again"
          @click=${attempt(async () => {
            const again = await app.api.send<Job>('POST', '/v1/jobs', orderOf(upload, { recipe }));
            app.jobs.put(again);
            app.go(`#/jobs/${again.id}`);
          })}>Run again</button>`
    }
    <button type="button" class="quiet small danger" aria-label="Remove ${name}"
      @click=${attempt(async () => {
        const question = {
          title: `Remove ${name}?`,
          text: 'The job and all its results are deleted. There is no way back.',
          word: 'Remove',
        };
        if (!(await confirm(question))) return;
        await app.api.send('DELETE', job.links.self);
        app.jobs.forget(job.id);
        app.say('The job and its results are removed.');
        if (location.hash.includes(job.id)) app.go('#/jobs');
      })}>Remove</button>
  </span>`;
}
