// What the ledger in Redis keeps, what it costs to find it, and what it forgets.

import { describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { RedisLedger } from '../../src/queues/redis-ledger.ts';
import { aJob, aResult, eventsUntil, handler, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { bullFleet } from './bullmq-fixture.ts';

const fleet = bullFleet();
const POLICY = { maxAttempts: 3, ttlSeconds: 60 };

/** Jobs as [id, status, tenant], as far as a listing needs them. */
const FILL = `
local p = KEYS[1]
for _, job in ipairs(cjson.decode(ARGV[1])) do
  local id, status, tenant = job[1], job[2], job[3]
  redis.call('HSET', p..'job:'..id, 'doc', cjson.encode({ id = id }), 'rev', 1)
  for _, index in ipairs({ 'jobs', 'jobs:s:'..status, 'jobs:t:'..tenant, 'jobs:ts:'..status..':'..tenant }) do
    redis.call('ZADD', p..index, 0, id)
  end
end`;

/** How often Redis carried out a command since the last `CONFIG RESETSTAT`, those inside scripts as well. */
async function commands(): Promise<ReadonlyMap<string, number>> {
  const info = await fleet.raw.info('commandstats');
  const lines = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return new Map(lines.map(([, name = '', calls = '0']) => [name, Number(calls)]));
}

describe('the ledger', () => {
  it('finds a page of 100,000 jobs by looking at no more than it shows', { timeout: 30_000 }, async () => {
    // Nothing else is asked of Redis while it is counted.
    const queue = await fleet.open({ pollMilliseconds: 600_000 });
    const statuses = ['queued', 'succeeded', 'failed'] as const;
    const tenants = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
    const ids = Array.from({ length: 100_000 }, (_, number) => newId(1_700_000_000_000 + number));
    for (let from = 0; from < ids.length; from += 10_000) {
      const some = ids.slice(from, from + 10_000).map((id, at) => {
        const [status, tenant] = [statuses[(from + at) % 3], tenants[(from + at) % 7]];
        return [id, status, tenant];
      });
      await fleet.raw.eval(FILL, 1, fleet.prefix, JSON.stringify(some));
    }
    // From now on Redis knows the script.
    await queue.list({ limit: 1 });
    const wanted = (limit: number, isOf: (number: number) => boolean): string[] =>
      ids
        .filter((_, number) => isOf(number))
        .toReversed()
        .slice(0, limit);
    const filters = [
      [{}, () => true],
      [{ status: 'failed' }, (number: number) => number % 3 === 2],
      [{ tenant: 'two' }, (number: number) => number % 7 === 1],
      [{ tenant: 'two', status: 'succeeded' }, (number: number) => number % 7 === 1 && number % 3 === 1],
    ] as const;
    for (const [filter, isOf] of filters) {
      const all = wanted(150, isOf);
      await fleet.raw.config('RESETSTAT');
      const first = await queue.list({ ...filter, limit: 100 });
      const counted = await commands();
      expect(first.items.map(({ id }) => id)).toEqual(all.slice(0, 100));
      // One of the index, one of each job and one more, which says that there is a further page.
      expect([counted.get('zrange'), counted.get('hget'), counted.get('evalsha')]).toEqual([1, 101, 1]);
      const second = await queue.list({ ...filter, limit: 50, after: first.next ?? '' });
      expect(second.items.map(({ id }) => id)).toEqual(all.slice(100));
    }
    await fleet.raw.config('RESETSTAT');
    expect(await queue.counts('two')).toMatchObject({ queued: 4762, succeeded: 4762, failed: 4762 });
    expect((await commands()).get('zcard')).toBe(5);
  });

  it('answers the very same object until the job changes', async () => {
    const [mine, others] = [await fleet.open(), await fleet.open({ owner: 'other' })];
    const { id } = await others.add(aJob());
    const job = await mine.get(id);
    expect(await mine.get(id)).toBe(job);
    const cancelled = await others.cancel(id);
    expect(await mine.get(id)).toEqual(cancelled);
    await others.remove(id);
    expect(await mine.get(id)).toBeUndefined();
  });

  it('leaves nothing of a job that is removed, but what tells of it', async () => {
    const queue = await fleet.open();
    queue.work(
      'image',
      handler((job, context) => (job.priority > 0 ? untilAborted(job, context) : aResult())),
      {
        concurrency: 2,
      },
    );
    const running = await queue.add(aJob({ priority: 1, idempotencyKey: 'again' }));
    const done = await queue.add(aJob());
    const waiting = await queue.add(aJob({ lane: 'film' }));
    await untilStatus(queue, done.id, 'succeeded');
    await untilStatus(queue, running.id, 'running');
    for (const { id } of [running, done, waiting]) await queue.remove(id);
    const keys = await fleet.raw.keys(`${fleet.prefix}*`);
    const others = keys
      .map((key) => key.slice(fleet.prefix.length))
      .filter((key) => !/^(?:bull|slots):/.test(key));
    expect(others.toSorted()).toEqual(
      [
        'events',
        'events:t:default',
        'sequence',
        'streams',
        ...[running, done, waiting].map(({ id }) => `events:j:${id}`),
      ].toSorted(),
    );
  });

  it('knows its own end again, if the answer was lost and it is written once more', async () => {
    const queue = await fleet.open();
    const redis = connectRedis({ url: fleet.server.url, name: 'test', log: { warn: () => undefined } });
    const ledger = new RedisLedger({
      ...{ redis, prefix: fleet.prefix, policy: POLICY, maxWaiting: 10, now: Date.now },
    });
    const asked = aJob();
    const queued = await queue.add(asked);
    const begun = await ledger.change(queued, { type: 'start' }, { claim: 'mine', owner: 'me' });
    if (typeof begun === 'string') throw new Error(begun);
    const end = { type: 'succeed', results: aResult().outputs, warnings: [] } as const;
    const tried: string[] = [];
    const first = await ledger.change(begun.after, end, { token: 'mine', tried });
    if (typeof first === 'string') throw new Error(first);
    // Whoever did not write it is told that the job is not its own any more.
    expect(await ledger.change(begun.after, end, { token: 'mine' })).toBe('lost');
    tried.push(JSON.stringify(first.after));
    expect(await ledger.change(begun.after, end, { token: 'mine', tried })).toMatchObject({
      after: first.after,
    });
    // The same job is not stored a second time.
    expect(await ledger.add(asked)).toEqual({ job: first.after, added: false });
    expect(await queue.newestEvent()).toBe(4);
    redis.disconnect();
  });
});

describe('the events', () => {
  it('are kept while they are young or few, and then forgotten for everybody', async () => {
    const queue = await fleet.open();
    const { id } = await queue.add(aJob({ tenant: 'early' }));
    const p = fleet.prefix;
    // As if so many had been told since, each a second after the other, the last one just now.
    const count = 12_031;
    const batch = fleet.raw.pipeline();
    for (let sequence = 2; sequence <= count; sequence++) {
      const at = Date.now() - (count - sequence) * 1000;
      batch.xadd(`${p}events`, `${sequence}-0`, 't', 'progress', 'a', at, 'j', 'some', 'n', 'other', 'o', '');
    }
    batch.set(`${p}sequence`, count);
    await batch.exec();
    expect(await fleet.raw.exists(`${p}events:t:early`)).toBe(1);
    // Every 256th prunes twice as many.
    const other = await queue.add(aJob({ tenant: 'late' }));
    const length = await fleet.raw.xlen(`${p}events`);
    expect(length).toBe(count + 1 - 512);
    expect(await fleet.raw.exists(`${p}events:t:early`, `${p}events:j:${id}`)).toBe(0);
    expect(await fleet.raw.exists(`${p}events:t:late`)).toBe(1);
    const signal = AbortSignal.timeout(10_000);
    for (const of of [undefined, { tenant: 'early' }, { jobId: id }]) {
      const [first] = await Array.fromAsync(take(queue.events({ after: 100, of, signal }), 1));
      expect(first).toEqual({ type: 'lost', sequence: count + 1 });
    }
    expect(await queue.hasNews(other.id, 511)).toBe(true);
    expect(await queue.hasNews(id, 511)).toBe(true);
    expect(await queue.hasNews(id, 512)).toBe(false);
    const rest = await eventsUntil(queue, { after: 512 }, ({ sequence }) => sequence === count + 1);
    expect(rest.map(({ sequence }) => sequence)).toEqual(Array.from({ length }, (_, index) => 513 + index));
  });

  it('go on where Redis lost its last ones', async () => {
    const queue = await fleet.open();
    const stop = new AbortController();
    const stream = queue.events({ after: 0, signal: stop.signal });
    const reading = stream[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => (await reading.next()).value;
    for (let number = 1; number <= 3; number++) {
      await queue.add(aJob());
      expect(await next()).toMatchObject({ sequence: number });
    }
    const following = next();
    await vi.waitFor(() => expect(stream.position).toBe(3));
    // As after a power cut: the last event was not on the disk yet.
    const last = await fleet.raw
      .multi()
      .set(`${fleet.prefix}sequence`, 2)
      .xdel(`${fleet.prefix}events`, '3-0')
      .exec();
    expect(last?.map(([error]) => error)).toEqual([null, null]);
    await fleet.raw.call('XSETID', `${fleet.prefix}events`, '2-0');
    await fleet.raw.del(`${fleet.prefix}events:t:default`);
    await fleet.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await vi.waitFor(() => expect(stream.position).toBe(2), 10_000);
    const { id } = await queue.add(aJob());
    expect(await following).toMatchObject({ sequence: 3, jobId: id });
    stop.abort();
  });
});

async function* take<T>(from: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let taken = 0;
  for await (const one of from) {
    yield one;
    if (++taken === count) return;
  }
}
