// Who looks on at a fleet: followers of its events that come back wherever they are answered, and a receiver of webhooks.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { readEvents } from '../support/events.ts';
import type { EventReader, Told } from '../support/events.ts';

/** Of the job's events, those that end it. */
const ENDS: readonly string[] = ['succeeded', 'failed', 'cancelled'];

export interface Follower {
  /** All that it was told so far, over all its connections. */
  events(): readonly Told[];
  stop(): Promise<void>;
}

/** Follows all events from the first on, as a browser does: whenever its stream ends it comes back with the last id. */
export function follow(address: () => string): Follower {
  const before: Told[] = [];
  let stream: EventReader | undefined;
  const { signal, abort } = stoppable();
  const stopped = once(signal, 'abort');
  const following = (async () => {
    for (let last = 0; !signal.aborted; ) {
      const headers = { 'last-event-id': String(last) };
      stream = await readEvents(address(), '/v1/events', { headers }).catch(() => undefined);
      if (stream !== undefined) {
        await Promise.race([stream.ended, stopped]);
        before.push(...stream.events);
        last = stream.lastId() ?? last;
        stream[Symbol.dispose]();
        stream = undefined;
      }
      await sleep(200, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    events: () => [...before, ...(stream?.events ?? [])],
    stop() {
      abort();
      return following;
    },
  };
}

function stoppable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** All events from the first on until each of these jobs has ended, as one host tells them now. */
export async function tellAll(address: string, jobs: readonly string[]): Promise<readonly Told[]> {
  using stream = await readEvents(address, '/v1/events?lastEventId=0');
  const ended = (): Set<string> =>
    new Set(stream.events.filter(({ type }) => ENDS.includes(type)).map(({ data }) => data.jobId ?? ''));
  await eventually('the events of all jobs', () => jobs.every((id) => ended().has(id)), {
    timeoutMs: 20_000,
  });
  return stream.events;
}

/** What is wrong with the order of events: ids that do not rise, and gaps that were told of. */
export function verifyOrder(who: string, events: readonly Told[]): string[] {
  const ids = events.map(({ id }) => id ?? 0);
  const wrong = ids.find((id, index) => index > 0 && id <= (ids[index - 1] ?? 0));
  return [
    ...(wrong === undefined ? [] : [`${who}: the event ${wrong} is out of order, or came twice`]),
    ...(events.some(({ type }) => type === 'reset') ? [`${who}: events were lost (reset)`] : []),
  ];
}

/** Each job is queued first, and ends last and once. */
export function verifyStories(events: readonly Told[]): string[] {
  return [...Map.groupBy(events, ({ data }) => data.jobId ?? '')].flatMap(([job, own]) => {
    const types = own.map(({ type }) => type).filter((type) => type !== 'progress');
    const ends = types.filter((type) => ENDS.includes(type)).length;
    const isWhole = types[0] === 'queued' && ends === 1 && ENDS.includes(types.at(-1) ?? '');
    return isWhole ? [] : [`the events of ${job} are ${types.join(' ')}`];
  });
}

/** Events as they can be compared: without progress, of which a stream leaves out what nobody would see any more. */
export const stepsOf = (events: readonly Told[]): readonly string[] =>
  events
    .filter(({ type }) => type !== 'progress')
    .map(({ id, type, data }) => `${id} ${type} ${data.jobId} ${data.output ?? ''}`);

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  /** `host:port`, for WEBHOOK_HOSTS. */
  readonly host: string;
  /** Ids of the messages about the end of each job. */
  readonly told: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Takes everything, and keeps whom it was about. */
export async function receiveWebhooks(): Promise<WebhookReceiver> {
  const told = new Map<string, Set<string>>();
  const server = createServer((request, response) => {
    json(request).then(
      (body) => {
        const { data } = body as { data: { id: string } };
        const ids = told.get(data.id) ?? new Set();
        told.set(data.id, ids.add(String(request.headers['webhook-id'])));
        response.end();
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    host: `127.0.0.1:${port}`,
    told,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
