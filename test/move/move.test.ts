// A move between two data folders: what is moved, how it goes on, and what it says of what cannot be moved.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import type { JobQueue, Records } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { move } from '../../src/move/move.ts';
import type { Moved, MoveOptions } from '../../src/move/move.ts';
import type { Place } from '../../src/move/place.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import { survey } from '../../src/move/survey.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { Problem } from '../../src/problems.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { EMBEDDED, expectServed, populate } from './populated.ts';
import type { Populated } from './populated.ts';

let parent: string;
let populated: Populated;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mediamill-move-'));
  populated = await populate(join(parent, 'from'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

interface Opened extends Place, AsyncDisposable {
  readonly folder: string;
  readonly queue: JobQueue;
  readonly records: Records;
}
let from: Opened;
let to: Opened;
let count = 0;
beforeEach(async () => {
  from = await open(populated.folder);
  to = await open(join(parent, `to ${count++}`));
});
afterEach(async () => {
  await from[Symbol.asyncDispose]();
  await to[Symbol.asyncDispose]();
});

async function open(folder: string): Promise<Opened> {
  const store = await openDiskStore({ root: join(folder, 'store'), owner: 'mover' });
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  const queue = await openSqliteQueue({
    path: join(folder, 'mediamill.sqlite'),
    owner: 'mover',
    policy: { maxAttempts: 3, ttlSeconds: 60 },
    leaseSeconds: 30,
    maxWaiting: 1,
    hints: localHints(),
  });
  return {
    folder,
    store,
    records,
    queue,
    async [Symbol.asyncDispose]() {
      await queue.close();
      await records.close();
      await store.close();
    },
  };
}

const run = (options: Partial<MoveOptions> = {}): Promise<Moved> =>
  move({
    from,
    to,
    many: 4,
    signal: new AbortController().signal,
    told: () => undefined,
    warn: (message) => expect.unreachable(message),
    ...options,
  });

it('moves everything, and another server goes on with it', async () => {
  const result = await run();
  expect(result).toMatchObject({ lost: [], missing: [] });
  expect(result.sent).toEqual(result.total);
  expect(result.checked).toEqual(result.total);
  expect(result.total.jobs).toBe(3);
  expect(await survey(from, to, 4)).toMatchObject({ files: 0, records: 0, jobs: 0 });
  await to[Symbol.asyncDispose]();
  await expectServed(populated, EMBEDDED, to.folder);
});

it('sends nothing twice', async () => {
  const first = await run();
  const second = await run();
  expect(second.sent).toEqual({ files: 0, bytes: 0, records: 0, jobs: 0 });
  expect(second.checked).toEqual(first.checked);
});

it('goes on wherever it was broken off', async () => {
  const whole = await survey(from, undefined, 1);
  const steps = whole.files + whole.records + whole.jobs;
  expect(steps).toBeGreaterThan(10);
  // One step further each time; what an earlier run has brought is there.
  for (let last = 1; last <= steps; last++) {
    const stop = new AbortController();
    let seen = 0;
    const broken = run({
      many: 1,
      signal: stop.signal,
      told({ done: { files, records, jobs } }) {
        if (files + records + jobs > seen && ++seen === last) stop.abort(new Error('broken off'));
      },
    });
    await broken.catch((error: unknown) => expect(error).toEqual(new Error('broken off')));
    // No job is there whose files are not.
    for (const { job } of await to.queue.dump(undefined, 100)) {
      const { key, bytes } = Object.values(job.results)[0] ?? job.source;
      expect(await to.store.stat(key)).toMatchObject({ bytes });
    }
  }
  const result = await run();
  expect(result).toMatchObject({ lost: [], missing: [], sent: { files: 0, jobs: 0 } });
  await to[Symbol.asyncDispose]();
  await expectServed(populated, EMBEDDED, to.folder);
});

it('misses the bytes of an unfinished upload', async () => {
  await run();
  const record = await from.records.get(UPLOADS, populated.upload.path.split('/').at(-1) ?? '');
  await to.store.delete(record!.value.segments[0]!.key);
  const { lost, checked, total } = await run();
  expect(lost).toEqual([`${populated.upload.sent} bytes of the unfinished upload ${record!.id}`]);
  expect(checked.bytes).toBe(total.bytes - populated.upload.sent);
});

it('writes over what is there with another size: it was not whole', async () => {
  const { done } = populated;
  const job = await from.queue.get(done[0]!.id);
  const { key, bytes } = Object.values(job!.results)[0]!;
  await to.store.put(key, Readable.from([Buffer.alloc(bytes - 1)]), { maxBytes: bytes });
  expect(await run()).toMatchObject({ lost: [] });
  expect(await to.store.stat(key)).toMatchObject({ bytes });
});

it('leaves what both have in common where it is', async () => {
  const { queue, records } = from;
  const result = await run({ to: { queue, records, store: to.store } });
  expect(result).toMatchObject({ lost: [], missing: [], sent: { records: 0, jobs: 0 } });
  expect(await to.queue.dump(undefined, 1)).toEqual([]);
  const upload = await from.records.get(UPLOADS, populated.upload.path.split('/').at(-1) ?? '');
  const [segment] = upload?.value.segments ?? [];
  expect(await to.store.stat(segment?.key ?? '')).toMatchObject({ bytes: populated.upload.sent });
  const other = await run({ to: { queue: to.queue, records: to.records, store: from.store } });
  expect(other).toMatchObject({ lost: [], missing: [], sent: { files: 0, bytes: 0, jobs: 3 } });
});

it('says what is missing where it comes from, and moves the rest', async () => {
  const copy = join(parent, 'damaged');
  await cp(populated.folder, copy, { recursive: true });
  await using damaged = await open(copy);
  const job = await damaged.queue.get(populated.done[0]!.id);
  const { key } = Object.values(job!.results)[0]!;
  const id = populated.upload.path.split('/').at(-1) ?? '';
  await rm(join(copy, 'store/blobs', key));
  await rm(join(copy, 'store/blobs/segments', id), { recursive: true });
  const warnings: string[] = [];
  const result = await run({ from: damaged, warn: (message) => warnings.push(message) });
  expect(result).toMatchObject({ lost: [], missing: [`${key} of the job ${job!.id}`], sent: { jobs: 3 } });
  expect(warnings).toEqual([expect.stringContaining(`The upload ${id} lacks bytes`)]);
});

it('tells what is another one over there: nothing of it counts as moved', async () => {
  const waiting = await from.queue.get(populated.waiting);
  await to.queue.restore({ job: { ...waiting!, revision: 7 }, idempotencyKey: null, owed: false });
  const [key] = await from.records.dump(undefined, 1);
  // With a higher version, as of one that was there before: it is the same one all the same.
  await to.records.restore({ ...key!, version: key!.version + 5 });
  const first = await run();
  expect(first.lost).toEqual([expect.stringMatching(`the job ${populated.waiting}, which is another one`)]);
  await to.records.delete({ name: key!.kind }, key!.id);
  await to.records.restore({ ...key!, value: { revokedAt: null } });
  expect((await run()).lost).toContainEqual(
    expect.stringMatching(`the record ${key!.kind} ${key!.id}, which is another one`),
  );
});

it('has whoever comes back with the number of an event told what was missed', async () => {
  const newest = await from.queue.newestEvent();
  expect(newest).toBeGreaterThan(3);
  await run();
  await run();
  // One for the job that waits.
  expect(await to.queue.newestEvent()).toBe(newest + 1);
  const [done] = populated.done;
  expect(await to.queue.hasNews(done!.id, newest)).toBe(false);
  expect(await to.queue.hasNews(done!.id, newest - 1)).toBe(true);
});

it('waits for a backend that cannot be reached for a moment', async () => {
  let away = 3;
  const { queue, records, store } = to;
  const restore: Place['queue']['restore'] = async (kept) => {
    if (away-- > 0) throw new Problem('backend_unavailable', 'It is away.');
    return queue.restore(kept);
  };
  const far = {
    store,
    records,
    queue: {
      restore,
      dump: (after: string | undefined, limit: number) => queue.dump(after, limit),
      get: (id: string) => queue.get(id),
      newestEvent: () => queue.newestEvent(),
      skipEvents: (last: number) => queue.skipEvents(last),
    },
  };
  expect(await run({ to: far })).toMatchObject({ lost: [], sent: { jobs: 3 } });
  expect(away).toBeLessThan(0);
});
