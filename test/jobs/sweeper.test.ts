import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BlobStore, JobQueue } from '../../src/contracts.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { sweep } from '../../src/jobs/sweeper.ts';
import { sourceMark } from '../../src/lib/cache-key.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { createUploads } from '../../src/uploads/uploads.ts';

const HOUR = 3_600_000;
let folder: string;
let store: BlobStore;
let queue: JobQueue;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-sweep-'));
  store = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  queue = await openSqliteQueue({
    path: join(folder, 'db.sqlite'),
    owner: 'me',
    policy: { maxAttempts: 3, ttlSeconds: 60 },
    leaseSeconds: 10,
    maxWaiting: 100,
    hints: localHints(),
  });
});
afterEach(async () => {
  await queue.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('an expired job is removed when what is owed for its end is done, and no sooner', async () => {
  const { id } = (await queue.cancel(await job()))!;
  let isFull = true;
  const errors: unknown[] = [];
  const owed: string[] = [];
  const aftermath = {
    workOff: async (jobs: readonly { id: string }[]) => {
      if (isFull) throw new Error('disk full');
      owed.push(...jobs.map((each) => each.id));
    },
    settleUp: async () => undefined,
  };
  const swept = (now: number) =>
    sweep({
      queue,
      store,
      aftermath,
      everyMs: 0,
      strayAfterMs: HOUR,
      onError: (error) => void errors.push(error),
      now: () => now,
    });
  expect((await swept(Date.now() + HOUR)).jobs).toBe(0);
  expect([errors.length, (await queue.get(id))?.id]).toEqual([1, id]);
  isFull = false;
  expect((await swept(Date.now() + HOUR)).jobs).toBe(1);
  expect([owed, await queue.get(id)]).toEqual([[id], undefined]);
});

it('an expired job whose end cannot be told for a day is removed all the same', async () => {
  const { id } = (await queue.cancel(await job()))!;
  const never = async (): Promise<void> => {
    throw new Error('never');
  };
  const aftermath = { workOff: never, settleUp: never };
  const now = (): number => Date.now() + 26 * HOUR;
  await sweep({ queue, store, aftermath, everyMs: 0, strayAfterMs: HOUR, onError: () => undefined, now });
  expect(await queue.get(id)).toBeUndefined();
});

const put = (key: string) => store.put(key, Readable.from([Buffer.from('bytes')]), { maxBytes: 100 });
const keys = async () => [
  ...(await Array.fromAsync(store.list('sources/'), ({ key }) => key)),
  ...(await Array.fromAsync(store.list('results/'), ({ key }) => key)),
];

async function job(): Promise<string> {
  const id = newId();
  await put(`sources/${id}`);
  await queue.add({
    id,
    tenant: 'default',
    lane: 'image',
    recipe: recipeSchema.parse({ outputs: { a: { type: 'image' } } }),
    source: {
      key: `sources/${id}`,
      name: null,
      mediaType: 'image/png',
      bytes: 5,
      width: null,
      height: null,
      durationSeconds: null,
    },
  });
  return id;
}
const sweepAt = (now: number) =>
  sweep({ queue, store, everyMs: 0, strayAfterMs: HOUR, onError: () => undefined, now: () => now });

it('removes a finished job and its files when its time has come', async () => {
  const id = await job();
  await put(`results/${id}/run/a.png`);
  await queue.cancel(id);
  expect(await sweepAt(Date.now())).toEqual({ jobs: 0, files: 0 });
  expect(await queue.get(id)).toBeDefined();
  expect(await sweepAt(Date.now() + 61_000)).toEqual({ jobs: 1, files: 0 });
  expect(await queue.get(id)).toBeUndefined();
  expect(await keys()).toEqual([]);
});

it('leaves waiting jobs alone, however old their files are', async () => {
  const id = await job();
  await sweepAt(Date.now() + 100 * HOUR);
  expect(await queue.get(id)).toMatchObject({ status: 'queued' });
  expect(await keys()).toEqual([`sources/${id}`]);
});

it('removes files of no job, but not the upload that is still becoming one', async () => {
  await put(`sources/${newId()}`);
  await put(`results/${newId()}/run/a.png`);
  expect(await sweepAt(Date.now())).toEqual({ jobs: 0, files: 0 });
  expect(await sweepAt(Date.now() + 2 * HOUR)).toEqual({ jobs: 0, files: 2 });
  expect(await keys()).toEqual([]);
});

it('removes stored sources whose time has come, and what was made of them', async () => {
  const id = newId();
  await put(`uploads/${id}`);
  const purged: string[] = [];
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  const uploads = createUploads({
    store,
    records,
    purge: async (source) => void purged.push(source),
    ttlSeconds: 60,
  });
  await uploads.add(id, { tenant: 'me', name: null, mediaType: 'image/png', bytes: 5 });
  const sweepAfter = (ms: number) =>
    sweep({
      queue,
      store,
      uploads,
      everyMs: 0,
      strayAfterMs: HOUR,
      onError: () => undefined,
      now: () => Date.now() + ms,
    });
  expect(await sweepAfter(50_000)).toEqual({ jobs: 0, files: 0 });
  expect(await store.stat(`uploads/${id}`)).toBeDefined();
  expect(await sweepAfter(61_000)).toEqual({ jobs: 0, files: 1 });
  expect(await store.stat(`uploads/${id}`)).toBeUndefined();
  expect(purged).toEqual([sourceMark(`upload:${id}`, 'me')]);
  await records.close();
});

it('clears up after a process that died between the end of a job and its clearing up', async () => {
  const id = await job();
  await queue.cancel(id);
  await put(`sources/${id}`);
  await put(`results/${id}/interrupted/a.png`);
  // Old enough to be looked at, young enough that the job has not expired: its time is set far ahead.
  await sweep({ queue, store, everyMs: 0, strayAfterMs: -1000, onError: () => undefined });
  expect(await queue.get(id)).toMatchObject({ status: 'cancelled' });
  expect(await keys()).toEqual([]);
});

it('asks for a job once, however many files it has', async () => {
  const ids = [await job(), await job()];
  for (const id of ids) {
    for (let i = 0; i < 20; i++) await put(`results/${id}/run/tv/v180.${i}.m4s`);
  }
  const asked: string[] = [];
  const counting: JobQueue = {
    ...queue,
    expired: (now, limit) => queue.expired(now, limit),
    async get(id) {
      asked.push(id);
      return queue.get(id);
    },
  };
  await sweep({ queue: counting, store, everyMs: 0, strayAfterMs: -1000, onError: () => undefined });
  // For its source and for its results.
  expect(asked.toSorted()).toEqual([...ids, ...ids].toSorted());
});

it('forgets the records whose time has come, however many', async () => {
  let time = Date.now();
  await using records = {
    ...(await openSqliteRecords({ path: join(folder, 'kept.sqlite'), now: () => time })),
    [Symbol.asyncDispose]: () => records.close(),
  };
  const kind = { name: 'note' };
  for (let i = 0; i < 201; i++)
    await records.put(kind, `old-${i}`, i, { group: 'a', expiresAt: time + HOUR }, 0);
  await records.put(kind, 'young', 1, { group: 'a', expiresAt: time + 2 * HOUR }, 0);
  time += HOUR;
  await sweep({
    queue,
    store,
    records,
    everyMs: 0,
    strayAfterMs: HOUR,
    onError: () => undefined,
    now: () => time,
  });
  expect(await records.prune(time, 1000)).toBe(0);
  expect(await records.get(kind, 'young')).toBeDefined();
});

/** A store over the network: each removal takes a while, and is seen. */
function slow(): { readonly store: BlobStore; readonly most: () => number; readonly deleted: string[] } {
  const deleted: string[] = [];
  let [now, most] = [0, 0];
  const held: (() => void)[] = [];
  const overNetwork: BlobStore = {
    ...store,
    async delete(key) {
      most = Math.max(most, ++now);
      deleted.push(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      held.push(resolve);
      // Goes on once nothing else comes.
      setImmediate(() => setImmediate(() => held.splice(0).forEach((go) => go())));
      await promise;
      now--;
      await store.delete(key);
    },
  };
  return { store: overNetwork, most: () => most, deleted };
}

it('expired jobs are removed many at once, and of pictures no chunks are looked for', async () => {
  const ids = await Promise.all(Array.from({ length: 40 }, job));
  for (const id of ids) await queue.cancel(id);
  const { store: overNetwork, most, deleted } = slow();
  const swept = await sweep({
    queue,
    store: overNetwork,
    everyMs: 0,
    strayAfterMs: HOUR,
    onError: (error) => expect.unreachable(String(error)),
    now: () => Date.now() + 61_000,
  });
  expect(swept.jobs).toBe(40);
  expect(await keys()).toEqual([]);
  expect(most()).toBeGreaterThanOrEqual(16);
  expect(deleted.filter((key) => key.startsWith('chunks/'))).toEqual([]);
});

it('keeps its turn while it sweeps, and not when it has ended', async () => {
  const kept = Promise.withResolvers<void>();
  const timers = vi.spyOn(globalThis, 'clearInterval');
  let keeps = 0;
  const options = { queue, store, everyMs: 0, strayAfterMs: HOUR, onError: () => undefined, keepEveryMs: 1 };
  const keepTurn = async (): Promise<void> => {
    if (++keeps === 2) kept.resolve();
    // One that fails is of no account.
    throw new Error('Redis is away');
  };
  await sweep({
    ...options,
    keepTurn,
    maySweepStrays: async () => {
      await kept.promise;
      return false;
    },
  });
  expect(timers).toHaveBeenCalledOnce();
  timers.mockRestore();
  const idle = async (): Promise<void> => expect.unreachable('it is not its turn');
  await sweep({ ...options, keepTurn: idle, maySweep: async () => false });
});

it('what lies in the store is listed only by whoever has the turn', async () => {
  const records = await openSqliteRecords({ path: join(folder, 'uploads.sqlite') });
  const listed: string[] = [];
  const watched: BlobStore = {
    ...store,
    list(prefix) {
      listed.push(prefix);
      return store.list(prefix);
    },
  };
  const uploads = createUploads({ store: watched, records, purge: async () => undefined, ttlSeconds: 60 });
  const options = { queue, uploads, records, store: watched, everyMs: 0, strayAfterMs: HOUR };
  const swept = (isOurs: boolean) =>
    sweep({ ...options, onError: () => undefined, maySweepStrays: async () => isOurs });
  await swept(false);
  expect(listed).toEqual([]);
  await swept(true);
  expect(listed.toSorted()).toEqual(['chunks/', 'results/', 'segments/', 'sources/', 'uploads/']);
  await records.close();
});
