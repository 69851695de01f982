// Parts of jobs over a real Redis, on two machines: shared, done once, tried again, stopped.

import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { JobAborted, NoHelp } from '../../src/contracts.ts';
import { Problem } from '../../src/problems.ts';
import { eventually } from '../support/eventually.ts';
import { forever, Hands, names, part, partFleet, POLICY, share } from './part-fleet.ts';

const fleet = partFleet();

describe('shared parts', () => {
  it('are done once each, by all machines, as many at once as each has places', async () => {
    const [one, two, coordinator] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const [first, second] = [new Hands(() => delay(30)), new Hands(() => delay(30))];
    one.parts.work(first, { concurrency: 2 });
    two.parts.work(second, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const { ended, told } = share(coordinator, 'j1', names(12));
    await ended;
    expect([...first.ended, ...second.ended].toSorted()).toEqual(
      names(12)
        .map(({ name }) => name)
        .toSorted(),
    );
    expect(first.ended.length).toBeGreaterThan(0);
    expect(second.ended.length).toBeGreaterThan(0);
    expect(first.most).toBe(2);
    expect(second.most).toBe(1);
    expect(told.get('part-3')?.at(-1)).toBe(1);
    expect([...told.values()].flat()).toContain(0.5);
    expect(await fleet.left()).toEqual([]);
  });

  it('share the places of a machine among its processes', async () => {
    const [one, two] = [fleet.machine('same'), fleet.machine('same')];
    let [now, most] = [0, 0];
    const does = async (): Promise<void> => {
      most = Math.max(most, ++now);
      await delay(10);
      now--;
    };
    one.parts.work(new Hands(does), { concurrency: 1 });
    two.parts.work(new Hands(does), { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    await share(one, 'j1', names(6)).ended;
    expect(most).toBe(1);
  });

  it('of the more urgent job are done first', async () => {
    const one = fleet.machine();
    const hands = new Hands();
    fleet.job('j1');
    fleet.job('j2');
    await fleet.watcher.set(`${fleet.prefix}hands:k1`, '1');
    const [later, sooner] = [share(one, 'j1', [part('later')]), share(one, 'j2', [part('sooner')], 'k1', 10)];
    const wait = (id: string): Promise<unknown> =>
      eventually(`${id} waits`, () => fleet.watcher.exists(`${fleet.prefix}bull:chunk-k1:${id}`));
    await Promise.all([wait('j1.later'), wait('j2.sooner')]);
    one.parts.work(hands, { concurrency: 1 });
    await Promise.all([later.ended, sooner.ended]);
    expect(hands.ended).toEqual(['sooner', 'later']);
  });

  it('are nobody’s where no machine takes their kind', async () => {
    const one = fleet.machine();
    one.parts.work(new Hands(), { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    await expect(share(one, 'j1', names(2), 'another').ended).rejects.toBeInstanceOf(NoHelp);
    await expect(share(one, 'j1', []).ended).resolves.toBeUndefined();
  });

  it('are tried again alone where the problem may pass, with a pause', async () => {
    const one = fleet.machine();
    const hands = new Hands(async (name, times) => {
      if (name === 'part-1' && times === 1) throw new Problem('encoder_killed', 'killed');
    });
    one.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    await share(one, 'j1', names(3)).ended;
    expect(hands.begun.toSorted()).toEqual(['part-0', 'part-1', 'part-1', 'part-2']);
  });

  it.each(['storage_full', 'backend_unavailable'] as const)(
    'wait with a pause, their attempt not spent, where nothing can be done for them: %s',
    async (code) => {
      const one = fleet.machine();
      const hands = new Hands(async (_name, times) => {
        if (times <= POLICY.maxAttempts) throw new Problem(code, 'in the way');
      });
      one.parts.work(hands, { concurrency: 1 });
      fleet.job('j1');
      await fleet.taking();
      const { ended } = share(one, 'j1', names(1));
      const queue = new Queue('chunk-k1', { connection: fleet.watcher, prefix: `${fleet.prefix}bull` });
      for (let times = 1; times <= POLICY.maxAttempts; times++) {
        await eventually('it waits', async () => (await queue.getDelayedCount()) === 1);
        const waits = await queue.getJob('j1.part-0');
        expect([hands.begun.length, waits?.attemptsMade]).toEqual([times, 0]);
        expect(waits?.delay).toBeGreaterThan(5000 * 2 ** (times - 1) - 2000);
        await waits?.promote();
      }
      await ended;
      expect(hands.ended).toEqual(['part-0']);
      await queue.close();
      expect(await fleet.left()).toEqual([]);
    },
  );

  it('go back to whoever shared them where no machine has room for long', async () => {
    const one = fleet.machine();
    const hands = new Hands(async () => {
      throw new Problem('storage_full', 'no room');
    });
    fleet.job('j1');
    await fleet.watcher.set(`${fleet.prefix}hands:k1`, '1', 'PX', 60_000);
    const { ended } = share(one, 'j1', names(1));
    const key = `${fleet.prefix}bull:chunk-k1:j1.part-0`;
    await eventually('it is there', () => fleet.watcher.exists(key));
    await fleet.watcher.hset(key, 'ats', 10);
    one.parts.work(hands, { concurrency: 1 });
    await expect(ended).rejects.toBeInstanceOf(NoHelp);
    expect(hands.begun).toHaveLength(1);
  });

  it('are not taken by a machine that can do nothing, nor does it say that it would', async () => {
    const [one, two] = [fleet.machine('full', 300), fleet.machine()];
    const [full, hands] = [new Hands(), new Hands()];
    const asked = Promise.withResolvers<void>();
    one.parts.work(
      Object.assign(full, {
        async able() {
          asked.resolve();
          return false;
        },
      }),
      { concurrency: 1 },
    );
    await asked.promise;
    fleet.job('j1');
    await expect(share(two, 'j1', names(1)).ended).rejects.toBeInstanceOf(NoHelp);
    two.parts.work(hands, { concurrency: 1 });
    await fleet.taking();
    await share(two, 'j1', names(1)).ended;
    expect([full.begun, hands.ended]).toEqual([[], ['part-0']]);
  });

  it('fail the job with the first that fails for good, and the others are stopped', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const hands = new Hands((name) => (name === 'part-2' ? delay(50).then(fail) : forever()));
    const fail = (): never => {
      throw new Problem('encode_failed', 'a chunk does not fit');
    };
    one.parts.work(hands, { concurrency: 3 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(two, 'j1', names(20));
    await expect(ended).rejects.toMatchObject({ code: 'encode_failed', message: 'a chunk does not fit' });
    expect(hands.stopped.toSorted()).toEqual(['part-0', 'part-1']);
    expect(hands.begun).toHaveLength(3);
    expect(await fleet.left()).toEqual([]);
  });

  it('go back to whoever shared them where a machine would make others', async () => {
    const one = fleet.machine();
    const hands = new Hands(async () => {
      throw new NoHelp('other bytes');
    });
    one.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    await expect(share(one, 'j1', names(2)).ended).rejects.toBeInstanceOf(NoHelp);
    expect(await fleet.left()).toEqual([]);
  });

  it('are stopped on every machine when the job is cancelled, and what they made is dropped', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const hands = new Hands(forever);
    one.parts.work(hands, { concurrency: 2 });
    fleet.job('j1');
    await fleet.taking();
    const { ended, aborter } = share(two, 'j1', names(5));
    await eventually('two run', () => hands.begun.length === 2);
    fleet.end('j1');
    aborter.abort(new JobAborted('cancelled'));
    await expect(ended).rejects.toMatchObject({ why: 'cancelled' });
    expect(hands.stopped).toHaveLength(2);
    expect(hands.discarded).toContain('j1');
    expect(await fleet.left()).toEqual([]);
  });

  it('are told of how many wait and run', async () => {
    const one = fleet.machine();
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    one.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await fleet.taking();
    const { ended } = share(one, 'j1', names(3));
    await eventually('one runs', () => hands.begun.length === 1);
    const standing = await one.parts.standing();
    expect(standing).toEqual({ waiting: 2, running: 1, oldestSince: expect.any(Number) });
    expect(standing?.oldestSince).toBeGreaterThan(Date.now() - 60_000);
    expect(await fleet.machine().parts.standing()).toBeNull();
    go.resolve();
    await ended;
  });
});
