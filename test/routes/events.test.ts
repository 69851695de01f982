// Streams of events over HTTP, of a queue whose other side is another process as far as it can tell.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANYBODY } from '../../src/access/caller.ts';
import type { JobEvent, JobQueue } from '../../src/contracts.ts';
import type { Job } from '../../src/jobs/job.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { QUEUE_MIGRATIONS } from '../../src/queues/sqlite-schema.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { eventRoutes } from '../../src/routes/events.ts';
import type { EventRoutesOptions } from '../../src/routes/events.ts';
import { openConnection } from '../../src/sqlite/connection.ts';
import { aJob, aResult, handler, until, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { readEvents } from '../support/events.ts';
import type { EventReader } from '../support/events.ts';

let folder: string;
let mine: JobQueue;
let other: JobQueue;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-events-'));
  [mine, other] = [await connect('mine'), await connect('other')];
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  await rm(folder, { recursive: true });
});

async function connect(owner: string): Promise<JobQueue> {
  const queue = await openSqliteQueue({
    path: join(folder, 'jobs.db'),
    owner,
    policy: { maxAttempts: 3, ttlSeconds: 60 },
    leaseSeconds: 30,
    maxWaiting: 10_000,
    hints: localHints(),
    pollMilliseconds: 10,
  });
  open.push(queue);
  return queue;
}

async function openRaw(): Promise<DatabaseSync> {
  const db = await openConnection(join(folder, 'jobs.db'), QUEUE_MIGRATIONS);
  open.push(db);
  return db;
}

/** The routes alone; the header `tenant` says who asks. */
async function serve(options: Partial<EventRoutesOptions> = {}): Promise<string> {
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  app.addHook('onRequest', async (request) => {
    request.caller = { ...ANYBODY, tenant: request.headers['tenant']?.toString() ?? 'default' };
  });
  await app.register(problemHandler);
  await app.register(eventRoutes, {
    queue: mine,
    most: 10,
    stallMs: 20_000,
    heartbeatMs: 10_000,
    leaving: new AbortController().signal,
    ...options,
  });
  open.push(app);
  return app.listen({ port: 0, host: '127.0.0.1' });
}

const told = ({ events }: EventReader): [string, number | undefined][] =>
  events.map(({ type, id }) => [type, id]);
const types = ({ events }: EventReader): string[] => events.map(({ type }) => type);
const ofType = (type: string) => (event: { readonly type: string }) => event.type === type;

describe('one job', () => {
  it('is told from how it is to its end, and then the stream ends', async () => {
    const address = await serve();
    const { id } = await other.add(aJob());
    const newest = await mine.newestEvent();
    using stream = await readEvents(address, `/v1/jobs/${id}/events`);
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    const state = await stream.waitFor(ofType('state'));
    expect(state).toMatchObject({
      id: newest,
      data: {
        type: 'state',
        jobId: id,
        job: { id, status: 'queued', links: { events: expect.any(String) } },
      },
    });
    const { small } = aResult().outputs;
    if (small === undefined) throw new Error('a result without an output');
    const go = Promise.withResolvers<void>();
    const work = handler(async (_, { progress }) => {
      progress({ progress: 0.25, ready: { small } });
      await go.promise;
      return aResult();
    });
    other.work('image', work, { concurrency: 1 });
    await other.add(aJob());
    // Its progress is that of the same moment, which is told once.
    await stream.waitFor(ofType('output'));
    go.resolve();
    expect(await stream.ended).toBe(true);
    expect(stream.text()).toMatch(/^retry: [123]\d{3}\n\n/);
    expect(types(stream)).toEqual(['state', 'started', 'output', 'succeeded']);
    for (const event of stream.events) expect(event.data.jobId).toBe(id);
    const ids = stream.events.map((event) => event.id ?? 0);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
    expect(stream.events[2]?.data).toMatchObject({ type: 'output', output: 'small' });
    expect(stream.events.at(-1)?.data.job).toMatchObject({ status: 'succeeded', progress: 1 });
  });

  it('goes on after the event that the client knows, and says that there is no more to come', async () => {
    const address = await serve();
    const { id } = await other.add(aJob());
    other.work('image', handler(), { concurrency: 1 });
    await untilStatus(other, id, 'succeeded');
    using whole = await readEvents(address, `/v1/jobs/${id}/events?lastEventId=0`);
    expect(await whole.ended).toBe(true);
    expect(types(whole)).toEqual(['queued', 'started', 'output', 'succeeded']);
    for (const [index, { id: known }] of whole.events.entries()) {
      // What the client sends itself is newer than what its address says.
      using rest = await readEvents(address, `/v1/jobs/${id}/events?lastEventId=0`, {
        headers: { 'last-event-id': `${known}` },
      });
      const isLast = index === whole.events.length - 1;
      expect([rest.status, await rest.ended]).toEqual([isLast ? 204 : 200, true]);
      expect(told(rest)).toEqual(told(whole).slice(index + 1));
    }
    using fresh = await readEvents(address, `/v1/jobs/${id}/events`);
    expect(await fresh.ended).toBe(true);
    expect(fresh.events).toMatchObject([{ type: 'state', data: { job: { status: 'succeeded' } } }]);
    using again = await readEvents(address, `/v1/jobs/${id}/events`, {
      headers: { 'last-event-id': `${fresh.lastId()}` },
    });
    expect(again.status).toBe(204);
  });

  it('that is removed ends its stream too', async () => {
    const address = await serve();
    const { id } = await other.add(aJob());
    using stream = await readEvents(address, `/v1/jobs/${id}/events`);
    await stream.waitFor(ofType('state'));
    await other.remove(id);
    expect(await stream.ended).toBe(true);
    expect(stream.events.at(-1)).toMatchObject({ type: 'removed', data: { jobId: id, job: null } });
  });

  it('of somebody else is not there', async () => {
    const address = await serve();
    const { id } = await other.add(aJob({ tenant: 'one' }));
    for (const path of [`/v1/jobs/${id}/events`, '/v1/jobs/nonsense/events']) {
      using stream = await readEvents(address, path, { headers: { tenant: 'two' } });
      expect(stream.status).toBe(404);
    }
    using own = await readEvents(address, `/v1/jobs/${id}/events`, { headers: { tenant: 'one' } });
    expect(own.status).toBe(200);
  });
});

describe('all jobs', () => {
  it('are those of the one who asks, as they are committed in any process', async () => {
    const address = await serve();
    using one = await readEvents(address, '/v1/events', { headers: { tenant: 'one' } });
    using two = await readEvents(address, '/v1/events', { headers: { tenant: 'two' } });
    const jobs: Job[] = [];
    for (const tenant of ['one', 'two', 'one']) jobs.push(await other.add(aJob({ tenant })));
    await mine.cancel(jobs[1]?.id ?? '');
    await mine.cancel(jobs[2]?.id ?? '');
    await one.waitFor(ofType('cancelled'));
    await two.waitFor(ofType('cancelled'));
    const seen = ({ events }: EventReader): unknown[] => events.map(({ type, data }) => [type, data.jobId]);
    expect(seen(one)).toEqual([
      ['queued', jobs[0]?.id],
      ['queued', jobs[2]?.id],
      ['cancelled', jobs[2]?.id],
    ]);
    expect(seen(two)).toEqual([
      ['queued', jobs[1]?.id],
      ['cancelled', jobs[1]?.id],
    ]);
  });

  it('say that events were lost, and go on', async () => {
    const db = await openRaw();
    for (let number = 0; number < 5; number++) await other.add(aJob());
    db.exec('DELETE FROM events WHERE sequence <= 3');
    const address = await serve();
    using kept = await readEvents(address, '/v1/events?lastEventId=3');
    await kept.waitFor(({ id }) => id === 5);
    expect(told(kept)).toEqual([
      ['queued', 4],
      ['queued', 5],
    ]);
    using lost = await readEvents(address, '/v1/events?lastEventId=2');
    await lost.waitFor(ofType('reset'));
    // Of a database that was replaced.
    using strange = await readEvents(address, '/v1/events?lastEventId=999');
    await strange.waitFor(ofType('reset'));
    const { id } = await other.add(aJob());
    for (const stream of [lost, strange]) {
      await stream.waitFor(({ data }) => data.jobId === id);
      // The client looks at its jobs anew: what was before is no news to it.
      expect(told(stream)).toEqual([
        ['reset', 5],
        ['queued', 6],
      ]);
    }
    expect(lost.events[0]?.data).toMatchObject({ type: 'reset', detail: expect.stringContaining('anew') });
  });

  it('say so of one job, with how it is now', async () => {
    const db = await openRaw();
    const [first, second] = [await other.add(aJob()), await other.add(aJob())];
    await other.cancel(first.id);
    await other.add(aJob());
    db.exec('DELETE FROM events WHERE sequence <= 3');
    const address = await serve();
    using ended = await readEvents(address, `/v1/jobs/${first.id}/events?lastEventId=1`);
    expect(await ended.ended).toBe(true);
    expect(ended.events).toMatchObject([
      { type: 'reset' },
      { type: 'state', data: { job: { status: 'cancelled' } } },
    ]);
    using waiting = await readEvents(address, `/v1/jobs/${second.id}/events?lastEventId=99`);
    await waiting.waitFor(ofType('state'));
    await other.cancel(second.id);
    expect(await waiting.ended).toBe(true);
    expect(types(waiting)).toEqual(['reset', 'state', 'cancelled']);
  });

  it.each(['-1', '1.5', 'abc', '1e3', ' 7 8', '9'.repeat(16)])('do not follow the id %j', async (id) => {
    const address = await serve();
    using stream = await readEvents(address, '/v1/events', { headers: { 'last-event-id': id } });
    using asked = await readEvents(address, `/v1/events?lastEventId=${encodeURIComponent(id)}`);
    expect([stream.status, asked.status]).toEqual([400, 400]);
  });

  it('tell a client that lags behind each job as it is now, once, and leave no end out', async () => {
    const work = handler(untilAborted);
    other.work('image', work, { concurrency: 1 });
    const { id } = await other.add(aJob());
    await untilStatus(other, id, 'running');
    const db = await openRaw();
    // As the work would, but at once.
    db.exec(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
       INSERT INTO events (job_id, tenant, type, at) SELECT '${id}', 'default', 'progress', 1 FROM n`,
    );
    const third = await other.add(aJob());
    const address = await serve();
    using late = await readEvents(address, '/v1/events?lastEventId=0');
    await late.waitFor(({ data }) => data.jobId === third.id);
    expect(types(late)).toEqual(['queued', 'started', 'queued']);
    // What was left out counts as told.
    expect(late.lastId()).toBe(await mine.newestEvent());
    await other.cancel(id);
    await late.waitFor(ofType('cancelled'));
  });
});

describe('a connection', () => {
  it('that is silent gets heartbeats, which move its last id on', async () => {
    const address = await serve({ heartbeatMs: 5 });
    using stream = await readEvents(address, '/v1/events', { headers: { tenant: 'one' } });
    await stream.heartbeats(1);
    expect(stream.lastId()).toBe(0);
    const job = await other.add(aJob({ tenant: 'two' }));
    await until(mine, job.id, () => true);
    const newest = await mine.newestEvent();
    while (stream.lastId() !== newest) await stream.heartbeats(stream.text().split(':\n').length);
    expect(stream.events).toEqual([]);
  });

  it('ends when the process leaves', async () => {
    const leaving = new AbortController();
    const address = await serve({ leaving: leaving.signal });
    const { id } = await other.add(aJob());
    using all = await readEvents(address, '/v1/events');
    using one = await readEvents(address, `/v1/jobs/${id}/events`);
    await one.waitFor(ofType('state'));
    leaving.abort();
    expect(await Promise.all([all.ended, one.ended])).toEqual([true, true]);
    // Whoever still comes is not refused, which browsers take for final.
    using late = await readEvents(address, '/v1/events');
    expect([late.status, await late.ended]).toEqual([200, true]);
  });

  it('that breaks off is not to come back together with all others', async () => {
    const address = await serve();
    const pauses: number[] = [];
    for (let number = 0; number < 10; number++) {
      using stream = await readEvents(address, '/v1/events');
      while (!stream.text().includes('\n\n')) await once(stream.incoming, 'data');
      pauses.push(Number(/^retry: (\d+)\n\n/.exec(stream.text())?.[1]));
    }
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(3000);
    expect(new Set(pauses).size).toBeGreaterThan(1);
  });

  it('is one of so many', async () => {
    const address = await serve({ most: 2 });
    using first = await readEvents(address, '/v1/events');
    const second = await readEvents(address, '/v1/events');
    using third = await readEvents(address, '/v1/events');
    expect([first.status, second.status, third.status]).toEqual([200, 200, 503]);
    expect(third.headers['retry-after']).toBe('10');
    second[Symbol.dispose]();
    await second.ended;
    for (;;) {
      // The server hears of it a moment later.
      using fourth = await readEvents(address, '/v1/events');
      if (fourth.status === 200) break;
    }
  });

  it('answers HEAD without a body, and takes no place for it', async () => {
    const address = await serve({ most: 1 });
    const { id } = await other.add(aJob());
    for (const path of ['/v1/events', `/v1/jobs/${id}/events`, '/v1/events']) {
      using head = await readEvents(address, path, { method: 'HEAD' });
      expect([head.status, head.headers['content-type'], await head.ended]).toEqual([
        200,
        'text/event-stream',
        true,
      ]);
      expect(head.text()).toBe('');
    }
    using missing = await readEvents(address, '/v1/jobs/nonsense/events', { method: 'HEAD' });
    expect(missing.status).toBe(404);
  });

  it('that is not read is asked for no more than it takes, and is given up', async () => {
    const job = await other.add(aJob({ metadata: { long: 'x'.repeat(50_000) } }));
    let asked = 0;
    const stopped = Promise.withResolvers<number>();
    const endless: JobQueue = {
      get: (id) => mine.get(id),
      newestEvent: async () => 0,
      events: ({ signal }) => ({ position: 0, [Symbol.asyncIterator]: () => endlessly(signal) }),
    } as Partial<JobQueue> as JobQueue;
    async function* endlessly(signal: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
      try {
        for (; !signal.aborted; asked++) {
          yield { sequence: asked + 1, jobId: job.id, tenant: 'default', type: 'started', at: 1 };
        }
      } finally {
        stopped.resolve(asked);
      }
    }
    const address = await serve({ queue: endless, stallMs: 100 });
    using stream = await readEvents(address, '/v1/events');
    stream.incoming.pause();
    const count = await stopped.promise;
    stream.incoming.resume();
    expect(await stream.ended).toBe(false);
    // Nearly all of them are what the system keeps of a connection.
    expect(count * 50_000).toBeLessThan(64 * 1024 * 1024);
    expect(stream.events.length).toBeLessThanOrEqual(count);
  });
});
