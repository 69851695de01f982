import { beforeEach, afterEach, describe, expect, it } from 'vitest';
import type { JobQueue, Meters } from '../../src/contracts.ts';
import { startAftermath } from '../../src/jobs/aftermath.ts';
import type { Aftermath, AftermathOptions } from '../../src/jobs/aftermath.ts';
import type { Job } from '../../src/jobs/job.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, eventually, handler, untilStatus } from '../contracts/queue-jobs.ts';
import { sqliteFile } from '../queues/sqlite-fixture.ts';

const file = sqliteFile();
/** How much later the aftermath lives than the queue: its jobs have ended long ago. */
const LATER = 60_000;

let stack: AsyncDisposableStack;
let queue: JobQueue;
let meters: Meters;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  queue = await file.openQueue();
  meters = await openSqliteMeters({ path: ':memory:' });
  stack.defer(() => meters.close());
});
afterEach(() => stack.disposeAsync());

interface Told {
  readonly aftermath: Aftermath;
  readonly told: Job[];
  readonly charged: Job[];
  readonly errors: unknown[];
}

/** Its first look finds what has been left over; further ones are asked for. */
function start(options: Partial<AftermathOptions> = {}): Told {
  const [told, charged, errors]: [Job[], Job[], unknown[]] = [[], [], []];
  const aftermath = startAftermath({
    queue,
    now: Date.now,
    tell: async (job) => void told.push(job),
    charge: async (job) => void charged.push(job),
    onError: (error) => errors.push(error),
    everyMs: 30_000,
    ...options,
  });
  stack.defer(() => aftermath.close());
  return { aftermath, told, charged, errors };
}

const aVideo = () => {
  const job = aJob();
  return { ...job, source: { ...job.source, durationSeconds: 90 } };
};
const open = async (): Promise<string[]> =>
  (await queue.endings(Date.now() + LATER, 100)).map(({ id }) => id);

/** As accounts.ts does it. */
async function chargeOne({ id }: Job): Promise<void> {
  const until = Date.now() + 3_600_000;
  await meters.spend('jobs', 1, until, { name: `job:${id}`, until });
}

async function endOne(job = aJob()): Promise<Job> {
  const { id } = await queue.add(job);
  return (await queue.cancel(id))!;
}

describe('a job that ended here', () => {
  it('is told of and charged at once, and then acknowledged', async () => {
    const { aftermath, told, charged } = start();
    const own = handler();
    queue.work('image', aftermath.after(own), { concurrency: 1 });
    const [picture, video] = [await queue.add(aJob()), await queue.add(aVideo())];
    await untilStatus(queue, video.id, 'succeeded');
    await eventually(() => told.length === 2);
    await queue.close({ deadline: Date.now() + 5000 });
    expect(told.map(({ id, status }) => [id, status])).toEqual([
      [picture.id, 'succeeded'],
      [video.id, 'succeeded'],
    ]);
    expect(charged.map(({ id }) => id)).toEqual([video.id]);
    expect(own.ended.map(({ id }) => id)).toEqual([picture.id, video.id]);
    queue = await file.openQueue();
    expect(await open()).toEqual([]);
  });

  it('is left to the next look if it could not be told of', async () => {
    const failing = start({ tell: () => Promise.reject(new Error('disk full')) });
    const done = handler();
    const failed = failing.aftermath.after(done).settled(await endOne());
    await expect(failed).rejects.toThrow('disk full');
    expect(await open()).toHaveLength(1);
    expect(failing.charged).toEqual([]);
  });

  it('is not told of when it was removed, nor again when it is removed later', async () => {
    const { aftermath, told } = start();
    const ended = aftermath.after(handler());
    const job = await endOne();
    await queue.remove(job.id);
    await ended.settled(job);
    const running = await queue.add(aJob());
    await ended.settled(running);
    expect(told).toEqual([]);
  });
});

describe('what was left over', () => {
  it('by a process that died is done by the next, and not by one that may still be at it', async () => {
    const { id } = await endOne(aVideo());
    const young = start();
    await young.aftermath.catchUp();
    expect(young.told).toEqual([]);
    const old = start({ now: () => Date.now() + LATER });
    await eventually(() => old.told.length === 1);
    expect(old.told[0]).toMatchObject({ id, status: 'cancelled' });
    await old.aftermath.close();
    expect(old.charged).toHaveLength(1);
    expect(await open()).toEqual([]);
  });

  it('is charged once, also by two at once and after a crash before it was acknowledged', async () => {
    for (let i = 0; i < 5; i++) await endOne(aVideo());
    const acknowledge = async (): Promise<void> => undefined;
    const forgetful = {
      get: (id: string) => queue.get(id),
      endings: (before: number, limit: number) => queue.endings(before, limit),
      acknowledge,
    };
    const late = { now: () => Date.now() + LATER, charge: chargeOne };
    const both = [start({ ...late, queue: forgetful }), start({ ...late, queue: forgetful })];
    await Promise.all(both.map(({ aftermath }) => aftermath.catchUp()));
    const third = start(late);
    await third.aftermath.catchUp();
    expect(await meters.spent('jobs')).toBe(5);
    expect(await open()).toEqual([]);
  });

  it.each(['before', 'after'])(
    'is charged once where its charging failed %s it was counted',
    async (when) => {
      const job = await endOne(aVideo());
      const away = async (counts: boolean): Promise<void> => {
        if (counts) await chargeOne(job);
        throw new Problem('backend_unavailable', 'no answer');
      };
      const failing = start({ charge: () => away(when === 'after') });
      await expect(failing.aftermath.settleUp(job)).rejects.toMatchObject({ code: 'backend_unavailable' });
      expect(await open()).toEqual([job.id]);
      await start({ charge: chargeOne }).aftermath.settleUp(job);
      expect(await meters.spent('jobs')).toBe(1);
      expect(await open()).toEqual([]);
    },
  );

  it('goes on past one that cannot be done, and past a full page', async () => {
    for (let i = 0; i < 120; i++) await endOne();
    const first = (await queue.endings(Date.now() + LATER, 1))[0]?.id;
    const told: string[] = [];
    const { aftermath, errors } = start({
      now: () => Date.now() + LATER,
      tell: async ({ id }) => {
        if (id === first) throw new Error('not this one');
        told.push(id);
      },
    });
    await aftermath.catchUp();
    expect(await open()).toEqual([first]);
    expect(new Set(told).size).toBe(119);
    expect(errors.length).toBeGreaterThan(0);
  });

  it('goes on past many that cannot be done, and says so once a look', async () => {
    for (let i = 0; i < 230; i++) await endOne();
    const all = await queue.endings(Date.now() + LATER, 1000);
    const stuck = new Set(all.slice(0, 210).map(({ id }) => id));
    const { aftermath, errors } = start({
      tell: async ({ id }) => {
        if (stuck.has(id)) throw new Error('not this one');
      },
      now: () => Date.now() + LATER,
    });
    await eventually(() => errors.length === 1);
    expect((await queue.endings(Date.now() + LATER, 1000)).map(({ id }) => id).toSorted()).toEqual(
      [...stuck].toSorted(),
    );
    expect(String(errors[0])).toContain('210');
    await aftermath.close();
  });
});

describe('before a job is removed', () => {
  it('what is owed for its end is done, and not again what was done long ago', async () => {
    const { aftermath, told, charged } = start();
    const [owed, done] = [await endOne(aVideo()), await endOne(aVideo())];
    await queue.acknowledge(done.id);
    await aftermath.workOff([owed, done]);
    expect(told.map(({ id }) => id)).toEqual([owed.id]);
    expect(charged.map(({ id }) => id)).toEqual([owed.id]);
    const running = await queue.add(aJob());
    await aftermath.workOff([running]);
    expect(told).toHaveLength(1);
  });
});
