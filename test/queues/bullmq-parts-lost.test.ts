// Parts of jobs over a real Redis, where a machine, a process, the job or Redis itself goes away.

import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { JobAborted, NoHelp } from '../../src/contracts.ts';
import { eventually } from '../support/eventually.ts';
import { forever, Hands, names, partFleet, POLICY, share } from './part-fleet.ts';

const fleet = partFleet();

describe('shared parts', () => {
  it('run on when their coordinator is lost, and the next one joins them', async () => {
    const [worker, one, two] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    worker.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const lost = share(one, 'j1', names(3));
    await eventually('one runs', () => hands.begun.length === 1);
    lost.aborter.abort(new JobAborted('lease_lost'));
    await expect(lost.ended).rejects.toMatchObject({ why: 'lease_lost' });
    const next = share(two, 'j1', names(3));
    await eventually('it has joined', async () => {
      const events = await fleet.watcher.xrange(`${fleet.prefix}bull:chunk-k1:events`, '-', '+');
      return events.some(([, fields]) => fields.includes('duplicated'));
    });
    go.resolve();
    await next.ended;
    expect(hands.begun.toSorted()).toEqual(['part-0', 'part-1', 'part-2']);
    expect(await fleet.left()).toEqual([]);
  });

  it('of a machine that dies are done by another', async () => {
    const [one, two, coordinator] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const dead = new Hands(forever);
    one.parts.work(dead, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(coordinator, 'j1', names(3));
    await eventually('it has begun', () => dead.begun.length === 1);
    const hands = new Hands();
    two.parts.work(hands, { concurrency: 1 });
    one.die();
    await ended;
    expect(hands.ended.toSorted()).toEqual(['part-0', 'part-1', 'part-2']);
  });

  it('of a process that is known to be dead are done by another at once', async () => {
    // Nothing runs out while the test lasts.
    const [one, two] = [fleet.machine('one', 600_000), fleet.machine('two', 600_000)];
    const dead = new Hands(forever);
    one.parts.work(dead, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(two, 'j1', names(1));
    await eventually('it has begun', () => dead.begun.length === 1);
    const hands = new Hands();
    two.parts.work(hands, { concurrency: 1 });
    one.die();
    // It has opened when it says so.
    await eventually('another takes parts', async () => {
      await two.parts.abandon('one');
      return hands.ended.length === 1;
    });
    await ended;
  });

  it('of a dead process count one death, however many hear of it', async () => {
    const [one, coordinator] = [fleet.machine('one', 600_000), fleet.machine('coordinator')];
    one.parts.work(new Hands(forever), { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const hands = new Hands(forever);
    const { aborter } = share(coordinator, 'j1', names(1));
    const queue = new Queue('chunk-k1', { connection: fleet.watcher, prefix: `${fleet.prefix}bull` });
    await eventually('it has begun', async () => (await queue.getActiveCount()) === 1);
    const others = ['two', 'three', 'four'].map((name) => fleet.machine(name, 600_000));
    for (const { parts } of others) parts.work(hands, { concurrency: 1 });
    await eventually(
      'all take parts',
      async () => (await fleet.watcher.keys(`${fleet.prefix}slots:*`)).length > others.length,
    );
    one.die();
    await Promise.all(others.map(({ parts }) => parts.abandon('one')));
    await eventually('another has it', () => hands.begun.length === 1);
    expect(await fleet.watcher.hget(`${fleet.prefix}bull:chunk-k1:j1.part-0`, 'stc')).toBe('1');
    aborter.abort(new JobAborted('cancelled'));
    await queue.close();
  });

  it('that kill their process again and again fail', async () => {
    const [one, two] = [fleet.machine('one', 600_000), fleet.machine('two')];
    fleet.job('j1');
    one.parts.work(new Hands(forever), { concurrency: 1 });
    await fleet.taking();
    const { ended } = share(two, 'j1', names(1));
    const queue = new Queue('chunk-k1', { connection: fleet.watcher, prefix: `${fleet.prefix}bull` });
    await eventually('it has begun', async () => (await queue.getActiveCount()) === 1);
    await fleet.watcher.hset(`${fleet.prefix}bull:chunk-k1:j1.part-0`, 'stc', POLICY.maxAttempts - 1);
    const hands = new Hands();
    two.parts.work(hands, { concurrency: 1 });
    one.die();
    await eventually('it is given back', async () => {
      await two.parts.abandon('one');
      return (await queue.getActiveCount()) === 0;
    });
    await queue.close();
    await expect(ended).rejects.toMatchObject({ code: 'attempts_exhausted' });
    expect(hands.begun).toEqual([]);
  });

  it('are done by whoever shared them when the last that takes them is gone', async () => {
    const [one, two] = [fleet.machine('one', 300), fleet.machine('two', 300)];
    fleet.job('j1');
    await fleet.watcher.set(`${fleet.prefix}hands:k1`, '1', 'PX', 100);
    await expect(share(two, 'j1', names(2)).ended).rejects.toBeInstanceOf(NoHelp);
    expect(await fleet.left()).toEqual([]);
    await one.parts.close();
  });

  it('go back unspent when their process leaves', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const leaving = new Hands(forever);
    one.parts.work(leaving, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(two, 'j1', names(1));
    await eventually('it has begun', () => leaving.begun.length === 1);
    await one.parts.close();
    expect(leaving.stopped).toEqual(['part-0']);
    const queue = new Queue('chunk-k1', { connection: fleet.watcher, prefix: `${fleet.prefix}bull` });
    expect((await queue.getJob('j1.part-0'))?.attemptsMade).toBe(0);
    await queue.close();
    const hands = new Hands();
    two.parts.work(hands, { concurrency: 1 });
    await ended;
    expect(hands.ended).toEqual(['part-0']);
  });

  it('of a job that is gone are dropped', async () => {
    const one = fleet.machine();
    const hands = new Hands();
    fleet.job('j1');
    await fleet.watcher.set(`${fleet.prefix}hands:k1`, '1');
    const { ended } = share(one, 'j1', names(2));
    await eventually('they wait', async () => fleet.watcher.exists(`${fleet.prefix}bull:chunk-k1:j1.part-1`));
    fleet.jobs.delete('j1');
    one.parts.work(hands, { concurrency: 1 });
    await ended;
    expect(hands.begun).toEqual([]);
    expect(hands.discarded).toEqual(['j1', 'j1']);
  });
});

describe('while Redis is away', () => {
  it('parts run on, and are done once', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    one.parts.work(hands, { concurrency: 2 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(two, 'j1', names(2));
    await eventually('both run', () => hands.begun.length === 2);
    await fleet.server.stop();
    go.resolve();
    await eventually('both ended', () => hands.ended.length === 2);
    await fleet.server.start();
    await ended;
    expect(hands.begun).toHaveLength(2);
  });
});
