// What may happen to the queue of a fleet between Redis and its processes, and that it costs no job and no work.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { Reroute } from '../../src/contracts.ts';
import type { HintBus, JobResult } from '../../src/contracts.ts';
import { Tickets } from '../../src/queues/bullmq-tickets.ts';
import { RedisLedger } from '../../src/queues/redis-ledger.ts';
import { Problem } from '../../src/problems.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import {
  aJob,
  aResult,
  eventsUntil,
  eventually,
  handler,
  until,
  untilAborted,
  untilStatus,
} from '../contracts/queue-jobs.ts';
import { bullFleet, passInRedis } from './bullmq-fixture.ts';

const fleet = bullFleet();
const DEAF: HintBus = { publish: () => undefined, subscribe: () => () => undefined };
afterEach(() => void vi.restoreAllMocks());

/** The keys of a job's ticket in a lane. */
const ticketOf = (id: string, lane = 'image', hop = 1) => ({
  id: `${id}-${hop}`,
  lock: `${fleet.prefix}bull:${lane}:${id}-${hop}:lock`,
  active: `${fleet.prefix}bull:${lane}:active`,
});

describe('a process that dies between ledger and ticket', () => {
  it('leaves a note of the ticket, which another makes good', async () => {
    const dying = await fleet.open();
    vi.spyOn(Tickets.prototype, 'add').mockRejectedValueOnce(new Error('killed'));
    const { id } = await dying.add(aJob());
    expect(await fleet.raw.zcard(`${fleet.prefix}owed`)).toBe(1);
    const other = await fleet.open({ owner: 'other' });
    other.work('image', handler(), { concurrency: 1 });
    expect(await untilStatus(other, id, 'succeeded')).toMatchObject({ attempt: 1 });
    await vi.waitFor(async () => expect(await fleet.raw.zcard(`${fleet.prefix}owed`)).toBe(0));
  });

  it('does not keep a moved job from its new lane', async () => {
    const dying = await fleet.open();
    const { id } = await dying.add(aJob({ lane: 'video' }));
    vi.spyOn(Tickets.prototype, 'add').mockRejectedValueOnce(new Error('killed'));
    const sort = handler(() => {
      throw new Reroute('film');
    });
    dying.work('video', sort, { concurrency: 1 });
    const other = await fleet.open({ owner: 'other' });
    other.work('film', handler(), { concurrency: 1 });
    expect(await untilStatus(other, id, 'succeeded')).toMatchObject({ lane: 'film', attempt: 1 });
  });
});

describe('a process that dies between ticket and ledger', () => {
  it('holds nothing up once it is known to be dead', async () => {
    const dying = await fleet.open();
    const dead = Promise.withResolvers<'unlocked'>();
    const change = vi.spyOn(RedisLedger.prototype, 'change').mockReturnValue(dead.promise);
    dying.work('image', handler(), { concurrency: 1 });
    const { id } = await dying.add(aJob());
    await eventually(() => change.mock.calls.length > 0);
    change.mockRestore();
    expect(await fleet.raw.exists(ticketOf(id).lock)).toBe(1);
    const other = await fleet.open({ owner: 'other', machine: 'that' });
    other.work('image', handler(), { concurrency: 1 });
    await other.abandon('one');
    expect(await untilStatus(other, id, 'succeeded')).toMatchObject({ attempt: 1 });
    dead.resolve('unlocked');
  });
});

describe('a ticket that means nothing', () => {
  it('is dropped, whatever it names, and keeps nobody waiting', async () => {
    const queue = await fleet.open();
    const gone = aJob();
    const [cancelled, moved] = [await queue.add(aJob()), await queue.add(aJob({ lane: 'video' }))];
    await queue.cancel(cancelled.id);
    const last = await queue.add(aJob({ priority: -1 }));
    // As processes leave them that die, or come too late.
    const redis = connectRedis({ url: fleet.server.url, name: 'test', log: { warn: () => undefined } });
    const log = { warn: () => undefined, error: () => undefined };
    const tickets = new Tickets({
      ...{ redis, blocking: redis, prefix: `${fleet.prefix}bull`, log },
      ...{ leaseSeconds: 30, stalledMilliseconds: 10_000 },
    });
    for (const { id } of [gone, cancelled, moved]) await tickets.add({ ...last, id, priority: 0 }, 1);
    await tickets.add({ ...last, priority: 0 }, 7);
    await tickets.close();
    redis.disconnect();
    const work = handler();
    queue.work('image', work, { concurrency: 1 });
    await untilStatus(queue, last.id, 'succeeded');
    expect(work.started.map(({ id }) => id)).toEqual([last.id]);
    expect(await queue.get(moved.id)).toMatchObject({ status: 'queued', lane: 'video' });
    await vi.waitFor(async () => {
      const left = await fleet.raw.keys(`${fleet.prefix}bull:image:*-*`);
      expect(left.filter((key) => !key.endsWith('stalled-check'))).toEqual([]);
    });
  });
});

describe('hints that are lost', () => {
  it('cost a cancelled job no more than a heartbeat', async () => {
    const owner = await fleet.open({ hints: DEAF, leaseSeconds: 0.6 });
    const other = await fleet.open({ hints: DEAF, owner: 'other' });
    owner.work('image', handler(untilAborted), { concurrency: 1 });
    const { id } = await other.add(aJob());
    await untilStatus(other, id, 'running');
    await other.cancel(id);
    expect(await untilStatus(other, id, 'cancelled')).toMatchObject({ attempt: 1 });
  });
});

describe('a lock that ran out while nobody could renew it', () => {
  it('is taken again by whoever still works, also if the ticket was found stalled', async () => {
    const owner = await fleet.open({ leaseSeconds: 1.5, stalledMilliseconds: 20 });
    const end = Promise.withResolvers<JobResult>();
    const work = handler(() => end.promise);
    owner.work('image', work, { concurrency: 1 });
    const { id } = await owner.add(aJob());
    await untilStatus(owner, id, 'running');
    const ticket = ticketOf(id);
    const wait = `${fleet.prefix}bull:image:wait`;
    await fleet.raw.del(ticket.lock);
    // Twice looked for: marked, then moved. All places of the machine are taken, so nobody takes it.
    await vi.waitFor(async () => expect(await fleet.raw.lpos(wait, ticket.id)).toBe(0));
    await vi.waitFor(async () => expect(await fleet.raw.get(ticket.lock)).not.toBeNull());
    expect(await fleet.raw.lrange(ticket.active, '0', '-1')).toEqual([ticket.id]);
    expect(await fleet.raw.llen(wait)).toBe(0);
    end.resolve(aResult());
    expect(await untilStatus(owner, id, 'succeeded')).toMatchObject({ attempt: 1 });
    expect(work.started).toHaveLength(1);
  });

  it('is shown as soon as the connection is back', async () => {
    const owner = await fleet.open();
    owner.work('image', handler(untilAborted), { concurrency: 1 });
    const { id } = await owner.add(aJob());
    await untilStatus(owner, id, 'running');
    await fleet.raw.del(ticketOf(id).lock);
    await fleet.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await vi.waitFor(async () => expect(await fleet.raw.exists(ticketOf(id).lock)).toBe(1), 10_000);
  });
});

describe('machines', () => {
  it('have places of their own, each for all its processes', async () => {
    const running = new Map<string, number>();
    let most = 0;
    const both = Promise.withResolvers<void>();
    const work = (machine: string) =>
      handler(async () => {
        const here = (running.get(machine) ?? 0) + 1;
        running.set(machine, here);
        most = Math.max(most, here);
        if (running.get('a') === 1 && running.get('b') === 1) both.resolve();
        await both.promise;
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        running.set(machine, (running.get(machine) ?? 0) - 1);
        return aResult();
      });
    const queue = await fleet.open({ owner: 'web' });
    const jobs = await Promise.all(Array.from({ length: 12 }, () => queue.add(aJob())));
    for (const owner of ['a1', 'a2', 'b1', 'b2']) {
      const machine = owner.slice(0, 1);
      (await fleet.open({ owner, machine })).work('image', work(machine), { concurrency: 1 });
    }
    for (const { id } of jobs)
      expect(await untilStatus(queue, id, 'succeeded')).toMatchObject({ attempt: 1 });
    expect(most).toBe(1);
  });

  it('get a job back that one of them gave back, though they wait already', async () => {
    const [first, second] = [
      await fleet.open({ machine: 'a' }),
      await fleet.open({ owner: 'two', machine: 'b' }),
    ];
    first.work('image', handler(untilAborted), { concurrency: 1 });
    const { id } = await first.add(aJob());
    await untilStatus(first, id, 'running');
    second.work('image', handler(), { concurrency: 1 });
    await first.close();
    expect(await untilStatus(second, id, 'succeeded')).toMatchObject({ attempt: 1 });
  });
});

describe('a Redis that was away', () => {
  it('is reported in time, loses nothing and doubles nothing', { timeout: 40_000 }, async () => {
    const owner = await fleet.open({ leaseSeconds: 2, stalledMilliseconds: 300 });
    const other = await fleet.open({
      owner: 'other',
      machine: 'that',
      leaseSeconds: 2,
      stalledMilliseconds: 300,
    });
    const gates = new Map<string, PromiseWithResolvers<void>>();
    const work = handler(async (job) => {
      const gate = Promise.withResolvers<void>();
      gates.set(job.id, gate);
      await gate.promise;
      return aResult();
    });
    owner.work('image', work, { concurrency: 2 });
    const [during, after] = [await owner.add(aJob()), await owner.add(aJob())];
    await eventually(() => gates.size === 2);
    other.work('image', work, { concurrency: 2 });
    const waiting = await other.add(aJob({ lane: 'video' }));
    const told = eventsUntil(
      other,
      { after: 0 },
      ({ type, jobId }) => type === 'succeeded' && jobId === waiting.id,
    );
    // Whoever begins to follow is told that Redis is away: it has begun, answers come in their order.
    await other.newestEvent();

    await fleet.server.stop('SIGKILL');
    // Ends while nobody can be told; longer than a lease passes until the answers come.
    gates.get(during.id)?.resolve();
    const asked = performance.now();
    const answers = await Promise.allSettled([
      other.get(during.id),
      other.list({ limit: 10 }),
      other.add(aJob()),
      other.counts(),
      other.finished(during.id, AbortSignal.timeout(20_000)),
    ]);
    expect(performance.now() - asked).toBeLessThan(8000);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 'rejected',
        reason: { code: 'backend_unavailable', status: 503 },
      });
      expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(Problem);
    }
    await fleet.server.start();

    expect(await untilStatusPatiently(during.id)).toMatchObject({ attempt: 1 });
    gates.get(after.id)?.resolve();
    expect(await untilStatusPatiently(after.id)).toMatchObject({ attempt: 1 });
    owner.work('video', handler(), { concurrency: 1 });
    expect(await untilStatusPatiently(waiting.id)).toMatchObject({ attempt: 1 });
    // Whoever waited for work, or for a place, when Redis went away is waiting for it again.
    const later = await Promise.all(Array.from({ length: 4 }, () => other.add(aJob())));
    await eventually(() => later.every(({ id }) => gates.has(id)));
    for (const { id } of later) gates.get(id)?.resolve();
    for (const { id } of later) expect(await untilStatusPatiently(id)).toMatchObject({ attempt: 1 });
    expect(work.started).toHaveLength(6);
    expect(work.discarded).toEqual([]);
    // The one that was refused is not there.
    expect(await other.counts()).toMatchObject({ queued: 0, running: 0, succeeded: 7, failed: 0 });
    const sequences = (await told).map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));

    async function untilStatusPatiently(id: string) {
      for (;;) {
        const job = await until(other, id, ({ status }) => status === 'succeeded').catch(
          (error: unknown) => error,
        );
        if (!(job instanceof Problem)) return job;
      }
    }
  });
});

describe('time', () => {
  it('of a pause is waited out by whoever gets the ticket too soon', async () => {
    let time = Date.now();
    const queue = await fleet.open({ now: () => time });
    const work = handler((job) => {
      if (job.attempt === 1) throw new Problem('encoder_killed', 'SIGKILL');
      return aResult();
    });
    queue.work('image', work, { concurrency: 1 });
    const { id } = await queue.add(aJob());
    await until(queue, id, (job) => job.status === 'queued' && job.attempt === 1);
    // BullMQ hands it out, though the ledger says that it is too early.
    await passInRedis(fleet.raw, fleet.prefix.slice(1, -2), 60_000);
    const delayed = `${fleet.prefix}bull:image:delayed`;
    await vi.waitFor(async () => expect(await fleet.raw.zcard(delayed)).toBe(1));
    expect(await queue.get(id)).toMatchObject({ status: 'queued', attempt: 1 });
    time += 60_000;
    await passInRedis(fleet.raw, fleet.prefix.slice(1, -2), 60_000);
    expect(await untilStatus(queue, id, 'succeeded')).toMatchObject({ attempt: 2 });
  });
});
