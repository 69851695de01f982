// A reader of server-sent events that hides nothing: every field as it came, and when it ended.

import { request } from 'node:http';
import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { JobView } from '../../src/jobs/job-view.ts';

export interface Told {
  /** The client's last id after it. */
  readonly id: number | undefined;
  readonly type: string;
  readonly data: {
    readonly type: string;
    readonly jobId?: string;
    readonly at?: string;
    readonly output?: string;
    readonly job?: JobView | null;
    readonly detail?: string;
  };
}

export interface EventReader extends Disposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** All so far. */
  readonly events: readonly Told[];
  /** Every byte so far. */
  readonly text: () => string;
  /** As a browser would send it when it comes back. */
  readonly lastId: () => number | undefined;
  /** The first event that fits, there or to come. Rejects when the stream ends before. */
  waitFor(fits: (event: Told) => boolean): Promise<Told>;
  /** Resolves once so many heartbeats have come. */
  heartbeats(count: number): Promise<void>;
  /** Resolves when the server has ended it: true if it was ended as it should be, false if it was broken off. */
  readonly ended: Promise<boolean>;
  readonly incoming: IncomingMessage;
}

export async function readEvents(
  address: string,
  path: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly agent?: Agent;
    readonly method?: string;
  } = {},
): Promise<EventReader> {
  const { headers = {}, agent, method = 'GET' } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(new URL(path, address), { method, headers, agent: agent ?? false });
  outgoing.once('response', resolve).on('error', reject).end();
  const incoming = await promise;
  const events: Told[] = [];
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  let all = '';
  let rest = '';
  let lastId: number | undefined;
  let beats = 0;
  let over: boolean | undefined;
  incoming.setEncoding('utf8').on('data', (chunk: string) => {
    all += chunk;
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trimStart()] as const;
      });
      const valueOf = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1];
      if (valueOf('id') !== undefined) lastId = Number(valueOf('id'));
      if (valueOf('') !== undefined) beats++;
      const data = valueOf('data');
      if (data === undefined) continue;
      events.push({
        id: valueOf('id') === undefined ? undefined : lastId,
        type: valueOf('event') ?? 'message',
        data: JSON.parse(data) as Told['data'],
      });
    }
    notify();
  });
  const ended = new Promise<boolean>((tell) => {
    incoming.once('close', () => {
      over = incoming.complete;
      tell(over);
      notify();
    });
  });
  incoming.on('error', () => undefined);
  const until = <T>(found: () => T | undefined, what: string): Promise<T> => {
    const outcome = Promise.withResolvers<T>();
    const look = (): void => {
      const value = found();
      if (value !== undefined) outcome.resolve(value);
      else if (over !== undefined)
        outcome.reject(
          new Error(`the stream ended before ${what}: ${JSON.stringify(events).slice(0, 2000)}`),
        );
    };
    listeners.add(look);
    look();
    return outcome.promise.finally(() => listeners.delete(look));
  };
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    events,
    text: () => all,
    lastId: () => lastId,
    waitFor: (fits) => until(() => events.find(fits), 'such an event'),
    heartbeats: async (count) => {
      await until(() => (beats >= count ? true : undefined), `${count} heartbeats`);
    },
    ended,
    incoming,
    [Symbol.dispose]: () => void outgoing.destroy(),
  };
}
