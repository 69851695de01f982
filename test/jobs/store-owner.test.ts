// Whose a store is, and that nothing is removed from it which only others know, or which was only forgotten.

import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore, JobQueue, Records } from '../../src/contracts.ts';
import { claimStore, handOver, openStoreOwner } from '../../src/jobs/store-owner.ts';
import type { StoreOwner } from '../../src/jobs/store-owner.ts';
import { sweep } from '../../src/jobs/sweeper.ts';
import { newId } from '../../src/lib/id.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { createUploads } from '../../src/uploads/uploads.ts';
import { sqliteFile } from '../queues/sqlite-fixture.ts';

const HOUR = 3_600_000;
const file = sqliteFile();

let folder: string;
let store: BlobStore;
let queue: JobQueue;
let stack: AsyncDisposableStack;
let told: unknown[];
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'mediamill-owner-'));
  stack.defer(() => rm(folder, { recursive: true }));
  store = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  stack.defer(() => store.close());
  queue = await file.openQueue();
  told = [];
});
afterEach(() => stack.disposeAsync());

async function newRecords(): Promise<Records> {
  const records = await openSqliteRecords({ path: ':memory:' });
  stack.defer(() => records.close());
  return records;
}
const ownerOf = (records: Records): Promise<StoreOwner> =>
  openStoreOwner({ records, store, log: { error: (fields) => void told.push(fields) } });
const put = (key: string, in_ = store) =>
  in_.put(key, Readable.from([Buffer.from('bytes')]), { maxBytes: 100 });
const keys = async (...prefixes: string[]): Promise<string[]> =>
  (await Promise.all(prefixes.map((prefix) => Array.fromAsync(store.list(prefix), ({ key }) => key)))).flat();
const marks = (): Promise<string[]> => keys('owners/');
const files = (): Promise<string[]> => keys('sources/', 'results/', 'uploads/', 'segments/');

/** One of each kind that nobody knows. */
async function strays(): Promise<string[]> {
  const [id, upload] = [newId(), newId()];
  const all = [`sources/${id}`, `results/${id}/run/a.png`, `uploads/${upload}`, `segments/${upload}/1`];
  for (const key of all) await put(key);
  return all.toSorted();
}

function sweepAs(records: Records, owner: StoreOwner) {
  const uploads = createUploads({ store, records, purge: async () => undefined, ttlSeconds: 60 });
  return sweep({
    ...{ queue, store, uploads, records, everyMs: 0, strayAfterMs: HOUR },
    maySweepStrays: () => owner.isSole(),
    assertKnown: () => owner.assertSame(),
    onError: () => undefined,
    now: () => Date.now() + 100 * HOUR,
  });
}

describe('a store is swept', () => {
  it('of what nobody knows, where it has one owner: however many machines open it at once', async () => {
    const records = await newRecords();
    const owners = await Promise.all(Array.from({ length: 5 }, () => ownerOf(records)));
    expect(await marks()).toHaveLength(1);
    await strays();
    for (const owner of owners) expect(await owner.isSole()).toBe(true);
    expect((await sweepAs(records, owners[0]!)).files).toBe(4);
    expect([await files(), told]).toEqual([[], []]);
    // Another life.
    expect(await (await ownerOf(records)).isSole()).toBe(true);
  });
});

describe('nothing is removed that is not known', () => {
  it('where two installations share it, and both say so; until the mark of the other is taken away', async () => {
    const [one, two] = [await newRecords(), await newRecords()];
    const mine = await ownerOf(one);
    const [first] = await marks();
    const theirs = await ownerOf(two);
    const all = await strays();
    for (const [records, owner] of [
      [one, mine],
      [two, theirs],
    ] as const) {
      expect(await sweepAs(records, owner)).toEqual({ jobs: 0, files: 0 });
    }
    expect((await files()).toSorted()).toEqual(all);
    const others = (await marks()).filter((key) => key !== first);
    expect(told).toEqual([{ others }, { others: [first] }]);
    for (const key of others) await store.delete(key);
    expect((await sweepAs(one, mine)).files).toBe(4);
  });

  it('by records that begin anew, as those of a Redis that was emptied', async () => {
    await ownerOf(await newRecords());
    const all = await strays();
    const [before] = await marks();
    const emptied = await newRecords();
    expect((await sweepAs(emptied, await ownerOf(emptied))).files).toBe(0);
    expect((await files()).toSorted()).toEqual(all);
    expect(told).toEqual([{ others: [before] }]);
  });

  it('where files were there before the first mark', async () => {
    const all = await strays();
    const records = await newRecords();
    const owner = await ownerOf(records);
    expect((await sweepAs(records, owner)).files).toBe(0);
    expect((await files()).toSorted()).toEqual(all);
    expect(told).toEqual([{ others: ['owners/unknown'] }]);
    await store.delete('owners/unknown');
    expect((await sweepAs(records, owner)).files).toBe(4);
  });

  it('where all marks are gone', async () => {
    const records = await newRecords();
    const owner = await ownerOf(records);
    await strays();
    await store.delete('owners/');
    expect((await sweepAs(records, owner)).files).toBe(0);
    expect(told).toEqual([{ others: ['owners/unknown'] }]);
  });

  it.each(['results/', 'uploads/'])(
    'once the records are lost in the middle of a sweep, in %s',
    async (at) => {
      const records = await newRecords();
      const owner = await ownerOf(records);
      const all = await strays();
      const list = store.list.bind(store);
      store.list = (prefix) => {
        const loses = async function* () {
          if (prefix === at) await records.delete({ name: 'store-owner' }, 'store');
          yield* list(prefix);
        };
        return loses();
      };
      await expect(sweepAs(records, owner)).rejects.toThrow('lost or exchanged');
      store.list = list;
      expect(await files()).toEqual(expect.arrayContaining(all.filter((key) => key.startsWith(at))));
    },
  );

  it('before a file without an owner is old enough', async () => {
    const records = await newRecords();
    const owner = await ownerOf(records);
    const [source = ''] = (await strays()).filter((key) => key.startsWith('sources/'));
    const time = Date.now() / 1000 + 99.5 * 3600;
    await utimes(join(folder, 'store/blobs', source), time, time);
    await sweepAs(records, owner);
    expect(await files()).toEqual([source]);
  });
});

describe('a move', () => {
  it('takes the mark along: the store it fills is that of the records which come there', async () => {
    const [from, to] = [await newRecords(), await newRecords()];
    // What lies there already is shared by both.
    await ownerOf(from);
    await strays();
    await handOver({ records: from }, { records: to, store });
    expect(await claimStore({ records: to, store })).toEqual([]);
    expect(await marks()).toHaveLength(1);
  });

  it('from records without one begins one, before any file is there', async () => {
    const [from, to] = [await newRecords(), await newRecords()];
    await handOver({ records: from }, { records: to, store });
    await strays();
    // Run again.
    await handOver({ records: from }, { records: to, store });
    expect(await claimStore({ records: to, store })).toEqual([]);
  });
});
