// Parts of jobs over a real Redis, on two machines: shared, done once, tried again, taken over, stopped.

import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { JobAborted, NoHelp } from '../../src/contracts.ts';
import type { HintBus, PartHandler, WorkPart } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { Problem } from '../../src/problems.ts';
import { advance, newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { bullParts } from '../../src/queues/bullmq-parts.ts';
import type { BullParts } from '../../src/queues/bullmq-parts.ts';
import { MachineSlots } from '../../src/queues/bullmq-slots.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import type { Redis } from '../../src/redis/connection.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

const POLICY = { maxAttempts: 3, ttlSeconds: 60 };
const LEASE_MS = 1500;

let redis: TestRedis;
let watcher: Redis;
let fleets = 0;

beforeAll(async () => {
  redis = await startRedis();
  watcher = connectRedis({ url: redis.url, name: 'test', log: quiet });
});
afterAll(async () => {
  watcher.disconnect();
  await redis[Symbol.asyncDispose]();
});

const quiet = { warn: () => undefined, error: () => undefined };

interface Machine {
  readonly parts: BullParts;
  /** As if its power were cut. */
  die(): void;
}

class Fleet {
  readonly prefix = `{parts-${fleets++}}:`;
  readonly hints: HintBus = localHints();
  readonly jobs = new Map<string, Job>();
  readonly #closers: (() => Promise<void>)[] = [];

  /** A running job. */
  job(id: string): Job {
    const source = {
      key: `sources/${id}`,
      name: null,
      mediaType: 'video/mp4',
      bytes: 1,
      width: null,
      height: null,
      durationSeconds: null,
    };
    const queued = newJob({ id, tenant: 'default', lane: 'film', source, recipe: { outputs: {} } }, 1);
    const running = advance(queued, { type: 'start' }, 2, POLICY);
    this.jobs.set(id, running);
    return running;
  }

  end(id: string): void {
    const job = this.jobs.get(id);
    if (job !== undefined) this.jobs.set(id, advance(job, { type: 'cancelled' }, 3, POLICY));
  }

  machine(name = `machine-${this.#closers.length}`, leaseMs = LEASE_MS): Machine {
    const calls = connectRedis({ url: redis.url, name, log: quiet });
    const blocking = connectRedis({ url: redis.url, name, log: quiet, commandTimeout: 0 });
    const slots = new MachineSlots({
      redis: calls,
      prefix: this.prefix,
      machine: name,
      owner: name,
      leaseSeconds: leaseMs / 1000,
      now: Date.now,
      log: quiet,
      pollMilliseconds: 50,
    });
    const parts = bullParts({
      redis: calls,
      blocking,
      slots,
      owner: name,
      prefix: this.prefix,
      leaseMs,
      maxAttempts: POLICY.maxAttempts,
      read: async (id) => this.jobs.get(id),
      hints: this.hints,
      log: quiet,
    });
    let isDead = false;
    this.#closers.push(async () => {
      if (!isDead) await parts.close();
      await slots.close();
      calls.disconnect();
      blocking.disconnect();
    });
    return {
      parts,
      die() {
        isDead = true;
        calls.disconnect();
        blocking.disconnect();
        void parts.close();
      },
    };
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
  }
}

const part = (name: string, task: unknown = null): WorkPart => ({ name, task });
const names = (count: number): WorkPart[] =>
  Array.from({ length: count }, (_, index) => part(`part-${index}`, index));

/** Does parts when it is told to, one `finish` for each; notes who did what. */
class Hands implements PartHandler {
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  readonly stopped: string[] = [];
  readonly discarded: string[] = [];
  readonly #kind: string;
  readonly #does: (name: string, times: number) => Promise<void>;
  atOnce = 0;
  most = 0;

  constructor(does: (name: string, times: number) => Promise<void> = async () => undefined, kind = 'k1') {
    this.#does = does;
    this.#kind = kind;
  }

  async kind(): Promise<string> {
    return this.#kind;
  }

  async run(
    { name }: Parameters<PartHandler['run']>[0],
    { signal, progress }: Parameters<PartHandler['run']>[1],
  ): Promise<void> {
    this.begun.push(name);
    this.most = Math.max(this.most, ++this.atOnce);
    progress(0.5, 2);
    try {
      const times = this.begun.filter((each) => each === name).length;
      await Promise.race([this.#does(name, times), aborted(signal)]);
      this.ended.push(name);
    } catch (error) {
      if (signal.aborted) this.stopped.push(name);
      throw error;
    } finally {
      this.atOnce--;
    }
  }

  async discard(jobId: string): Promise<void> {
    this.discarded.push(jobId);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
}

/** Never ends by itself. */
const forever = (): Promise<void> => new Promise(() => undefined);

let fleet: Fleet;
beforeEach(() => {
  fleet = new Fleet();
});
afterEach(() => fleet.close());

interface Shared {
  readonly told: Map<string, number[]>;
  readonly aborter: AbortController;
  readonly ended: Promise<void>;
}

function share(
  machine: Machine,
  jobId: string,
  parts: readonly WorkPart[],
  kind = 'k1',
  priority = 0,
): Shared {
  const told = new Map<string, number[]>();
  const aborter = new AbortController();
  const ended = machine.parts.share({ id: jobId, priority }, aborter.signal)(parts, {
    kind,
    told: (name, progress) => void told.set(name, [...(told.get(name) ?? []), progress]),
  });
  ended.catch(() => undefined);
  return { told, aborter, ended };
}

/** Resolves when a machine takes parts. */
async function taking(kind = 'k1'): Promise<void> {
  await eventually('somebody takes parts', async () => watcher.exists(`${fleet.prefix}hands:${kind}`));
}

/** What is left in Redis of parts and of who shared them. */
async function left(): Promise<string[]> {
  const keys = await watcher.keys(`${fleet.prefix}bull:*`);
  return keys.filter((key) =>
    /:(?:chunk|shared)-k1:(?:j|waiting-children|wait$|prioritized$|active$|delayed$)/.test(key),
  );
}

describe('shared parts', () => {
  it('are done once each, by all machines, as many at once as each has places', async () => {
    const [one, two, coordinator] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const [first, second] = [new Hands(() => delay(30)), new Hands(() => delay(30))];
    one.parts.work(first, { concurrency: 2 });
    two.parts.work(second, { concurrency: 1 });
    fleet.job('j1');
    await taking();
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
    expect(await left()).toEqual([]);
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
    await taking();
    await share(one, 'j1', names(6)).ended;
    expect(most).toBe(1);
  });

  it('of the more urgent job are done first', async () => {
    const one = fleet.machine();
    const hands = new Hands();
    fleet.job('j1');
    fleet.job('j2');
    await watcher.set(`${fleet.prefix}hands:k1`, '1');
    const [later, sooner] = [share(one, 'j1', [part('later')]), share(one, 'j2', [part('sooner')], 'k1', 10)];
    const wait = (id: string): Promise<unknown> =>
      eventually(`${id} waits`, () => watcher.exists(`${fleet.prefix}bull:chunk-k1:${id}`));
    await Promise.all([wait('j1.later'), wait('j2.sooner')]);
    one.parts.work(hands, { concurrency: 1 });
    await Promise.all([later.ended, sooner.ended]);
    expect(hands.ended).toEqual(['sooner', 'later']);
  });

  it('are nobody’s where no machine takes their kind', async () => {
    const one = fleet.machine();
    one.parts.work(new Hands(), { concurrency: 1 });
    fleet.job('j1');
    await taking();
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
    await taking();
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
      await taking();
      const { ended } = share(one, 'j1', names(1));
      const queue = new Queue('chunk-k1', { connection: watcher, prefix: `${fleet.prefix}bull` });
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
      expect(await left()).toEqual([]);
    },
  );

  it('go back to whoever shared them where no machine has room for long', async () => {
    const one = fleet.machine();
    const hands = new Hands(async () => {
      throw new Problem('storage_full', 'no room');
    });
    fleet.job('j1');
    await watcher.set(`${fleet.prefix}hands:k1`, '1', 'PX', 60_000);
    const { ended } = share(one, 'j1', names(1));
    const key = `${fleet.prefix}bull:chunk-k1:j1.part-0`;
    await eventually('it is there', () => watcher.exists(key));
    await watcher.hset(key, 'ats', 10);
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
    await taking();
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
    await taking();
    const { ended } = share(two, 'j1', names(20));
    await expect(ended).rejects.toMatchObject({ code: 'encode_failed', message: 'a chunk does not fit' });
    expect(hands.stopped.toSorted()).toEqual(['part-0', 'part-1']);
    expect(hands.begun).toHaveLength(3);
    expect(await left()).toEqual([]);
  });

  it('go back to whoever shared them where a machine would make others', async () => {
    const one = fleet.machine();
    const hands = new Hands(async () => {
      throw new NoHelp('other bytes');
    });
    one.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await taking();
    await expect(share(one, 'j1', names(2)).ended).rejects.toBeInstanceOf(NoHelp);
    expect(await left()).toEqual([]);
  });

  it('are stopped on every machine when the job is cancelled, and what they made is dropped', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const hands = new Hands(forever);
    one.parts.work(hands, { concurrency: 2 });
    fleet.job('j1');
    await taking();
    const { ended, aborter } = share(two, 'j1', names(5));
    await eventually('two run', () => hands.begun.length === 2);
    fleet.end('j1');
    aborter.abort(new JobAborted('cancelled'));
    await expect(ended).rejects.toMatchObject({ why: 'cancelled' });
    expect(hands.stopped).toHaveLength(2);
    expect(hands.discarded).toContain('j1');
    expect(await left()).toEqual([]);
  });

  it('run on when their coordinator is lost, and the next one joins them', async () => {
    const [worker, one, two] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    worker.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await taking();
    const lost = share(one, 'j1', names(3));
    await eventually('one runs', () => hands.begun.length === 1);
    lost.aborter.abort(new JobAborted('lease_lost'));
    await expect(lost.ended).rejects.toMatchObject({ why: 'lease_lost' });
    const next = share(two, 'j1', names(3));
    await eventually('it has joined', async () => {
      const events = await watcher.xrange(`${fleet.prefix}bull:chunk-k1:events`, '-', '+');
      return events.some(([, fields]) => fields.includes('duplicated'));
    });
    go.resolve();
    await next.ended;
    expect(hands.begun.toSorted()).toEqual(['part-0', 'part-1', 'part-2']);
    expect(await left()).toEqual([]);
  });

  it('of a machine that dies are done by another', async () => {
    const [one, two, coordinator] = [fleet.machine(), fleet.machine(), fleet.machine()];
    const dead = new Hands(forever);
    one.parts.work(dead, { concurrency: 1 });
    fleet.job('j1');
    await taking();
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
    await taking();
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
    await taking();
    const hands = new Hands(forever);
    const { aborter } = share(coordinator, 'j1', names(1));
    const queue = new Queue('chunk-k1', { connection: watcher, prefix: `${fleet.prefix}bull` });
    await eventually('it has begun', async () => (await queue.getActiveCount()) === 1);
    const others = ['two', 'three', 'four'].map((name) => fleet.machine(name, 600_000));
    for (const { parts } of others) parts.work(hands, { concurrency: 1 });
    await eventually(
      'all take parts',
      async () => (await watcher.keys(`${fleet.prefix}slots:*`)).length > others.length,
    );
    one.die();
    await Promise.all(others.map(({ parts }) => parts.abandon('one')));
    await eventually('another has it', () => hands.begun.length === 1);
    expect(await watcher.hget(`${fleet.prefix}bull:chunk-k1:j1.part-0`, 'stc')).toBe('1');
    aborter.abort(new JobAborted('cancelled'));
    await queue.close();
  });

  it('that kill their process again and again fail', async () => {
    const [one, two] = [fleet.machine('one', 600_000), fleet.machine('two')];
    fleet.job('j1');
    one.parts.work(new Hands(forever), { concurrency: 1 });
    await taking();
    const { ended } = share(two, 'j1', names(1));
    const queue = new Queue('chunk-k1', { connection: watcher, prefix: `${fleet.prefix}bull` });
    await eventually('it has begun', async () => (await queue.getActiveCount()) === 1);
    await watcher.hset(`${fleet.prefix}bull:chunk-k1:j1.part-0`, 'stc', POLICY.maxAttempts - 1);
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
    await watcher.set(`${fleet.prefix}hands:k1`, '1', 'PX', 100);
    await expect(share(two, 'j1', names(2)).ended).rejects.toBeInstanceOf(NoHelp);
    expect(await left()).toEqual([]);
    await one.parts.close();
  });

  it('go back unspent when their process leaves', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const leaving = new Hands(forever);
    one.parts.work(leaving, { concurrency: 1 });
    fleet.job('j1');
    await taking();
    const { ended } = share(two, 'j1', names(1));
    await eventually('it has begun', () => leaving.begun.length === 1);
    await one.parts.close();
    expect(leaving.stopped).toEqual(['part-0']);
    const queue = new Queue('chunk-k1', { connection: watcher, prefix: `${fleet.prefix}bull` });
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
    await watcher.set(`${fleet.prefix}hands:k1`, '1');
    const { ended } = share(one, 'j1', names(2));
    await eventually('they wait', async () => watcher.exists(`${fleet.prefix}bull:chunk-k1:j1.part-1`));
    fleet.jobs.delete('j1');
    one.parts.work(hands, { concurrency: 1 });
    await ended;
    expect(hands.begun).toEqual([]);
    expect(hands.discarded).toEqual(['j1', 'j1']);
  });

  it('are told of how many wait and run', async () => {
    const one = fleet.machine();
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    one.parts.work(hands, { concurrency: 1 });
    fleet.job('j1');
    await taking();
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

describe('while Redis is away', () => {
  it('parts run on, and are done once', async () => {
    const [one, two] = [fleet.machine(), fleet.machine()];
    const go = Promise.withResolvers<void>();
    const hands = new Hands(() => go.promise);
    one.parts.work(hands, { concurrency: 2 });
    fleet.job('j1');
    await taking();
    const { ended } = share(two, 'j1', names(2));
    await eventually('both run', () => hands.begun.length === 2);
    await redis.stop();
    go.resolve();
    await eventually('both ended', () => hands.ended.length === 2);
    await redis.start();
    await ended;
    expect(hands.begun).toHaveLength(2);
  });
});
