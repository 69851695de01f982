// Of a job's webhooks: what was delivered where, when it is tried again, and a button that sends it anew.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { DeliveryView as Delivery } from '../../webhooks/webhook-view.ts';
import type { Job } from '../api.ts';
import { messageOf } from '../api.ts';
import type { App } from '../app.ts';
import { isOver } from '../job-feed.ts';
import { ago } from '../words.ts';

export interface Deliveries {
  /** The job may be another: they are asked for once it has ended. */
  update(job: Job | undefined): void;
  render(): TemplateResult | typeof nothing;
  close(): void;
}

/** So often it is looked whether what is on its way has arrived. */
const LOOK_MS = 1000;
/** After a job's end they are written down within moments: so often it is looked for the first. */
const LOOKS = 8;

export function createDeliveries(app: App): Deliveries {
  let list: readonly Delivery[] = [];
  let address: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  let looks = 0;

  async function load(): Promise<void> {
    clearTimeout(timer);
    if (address === undefined) return;
    try {
      list = (await app.api.get<{ deliveries: readonly Delivery[] }>(address)).deliveries;
    } catch {
      // Without the right to look at them there are none to show.
      list = [];
      looks = LOOKS;
    }
    if (isClosed) return;
    const isEarly = list.length === 0 && ++looks < LOOKS;
    if (isEarly || list.some(({ status }) => status === 'pending'))
      timer = setTimeout(() => void load(), LOOK_MS);
    app.redraw();
  }
  async function replay({ links }: Delivery): Promise<void> {
    try {
      await app.api.send('POST', links.replay);
      app.say('It is sent again.');
      await load();
    } catch (error) {
      app.say(messageOf(error), true);
    }
  }

  function row(each: Delivery): TemplateResult {
    const last = each.attempts.at(-1);
    const answer = last === undefined ? '' : `, the last ${ago(last.at)}: ${last.status ?? last.error ?? ''}`;
    const next =
      each.nextAttemptAt === null ? '' : `, next at ${new Date(each.nextAttemptAt).toLocaleTimeString()}`;
    return html`<li>
      <div class="bar"><b>${each.event}</b> <span class="file">${each.url}</span> <span class="badge">${each.status}</span>
        <span class="buttons"><button type="button" class="quiet small" aria-label="Send ${each.event} again"
          @click=${() => void replay(each)}>Send again</button></span></div>
      <p class="hint">${each.attemptCount === 1 ? 'one try' : `${each.attemptCount} tries`}${answer}${next} ${each.reason ?? ''}</p>
    </li>`;
  }

  return {
    update(job) {
      if (job === undefined || !isOver(job) || address !== undefined) return;
      address = job.links.deliveries;
      if (Date.now() - Date.parse(job.finishedAt ?? '') > LOOKS * LOOK_MS) looks = LOOKS;
      void load();
    },
    render: () =>
      list.length === 0
        ? nothing
        : html`<section class="panel" aria-label="Webhooks"><h2>Webhooks</h2>
            <ul class="deliveries">${list.map(row)}</ul></section>`,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
