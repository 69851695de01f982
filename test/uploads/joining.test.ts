// Putting uploads together: behind the request, once, and what happens where it cannot be done.

import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Blob, BlobStore, Hint, Meters, Records } from '../../src/contracts.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { createJoinLine } from '../../src/uploads/join-line.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import type { OpenUploads } from '../../src/uploads/open-uploads.ts';
import type { NewUpload } from '../../src/uploads/receiver.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import type { UploadRecord } from '../../src/uploads/upload-record.ts';

const DAY = 86_400_000;
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20_000, 'p')]);
const HALVES = [PNG.subarray(0, 9000), PNG.subarray(9000)] as const;

let folder: string;
let disk: BlobStore;
let store: BlobStore;
let records: Records;
let meters: Meters;
let opened: OpenUploads;
let now: number;
let told: unknown[];

/** A request waits `joinWaitMs` for what is put together: unless told, until it is. */
const open = (joinWaitMs = 20_000): OpenUploads =>
  openUploads({
    store,
    records,
    hints: localHints<Hint>(),
    purge: async () => undefined,
    limits: { imageMaxBytes: 100_000, videoMaxBytes: 1_000_000 },
    ttlSeconds: 7 * 86_400,
    partTtlSeconds: 86_400,
    open: { meters, most: 4 },
    onError: (error) => void told.push(error),
    patienceMs: 50,
    joinWaitMs,
    now: () => now,
  });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-joining-'));
  disk = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  store = { ...disk };
  records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  meters = await openSqliteMeters({ path: join(folder, 'meters.sqlite') });
  now = Date.now();
  told = [];
  opened = open();
});
afterEach(async () => {
  await opened.close();
  await records.close();
  await meters.close();
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});

const blobs = (): string => join(folder, 'store/blobs');
const files = async (): Promise<string[]> =>
  (await readdir(blobs(), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const begin = (more: Partial<NewUpload> = {}) =>
  opened.receiver.create({
    tenant: 'a',
    name: null,
    length: PNG.length,
    metadata: null,
    concat: null,
    ...more,
  });
const send = (id: string, offset: number, bytes: Buffer, more: { length?: number } = {}) =>
  opened.receiver.receive(id, 'a', {
    offset,
    body: Readable.from([bytes], { objectMode: false }),
    ...more,
  });
const part = async (bytes: Buffer): Promise<string> => {
  const { id } = await begin({ concat: 'partial', length: bytes.length });
  await send(id, 0, bytes);
  return id;
};
const parts = async (): Promise<string[]> => [await part(HALVES[0]), await part(HALVES[1])];
const concatenate = (of: readonly string[], admit?: (bytes: number) => Promise<void>) =>
  opened.concatenate({ tenant: 'a', name: null, metadata: null, parts: of, admit });
const recordOf = async (id: string): Promise<UploadRecord | undefined> =>
  (await records.get(UPLOADS, id))?.value;
const finals = async (): Promise<number> =>
  (await records.list(UPLOADS, { limit: 100 })).items.filter(({ value }) => typeof value.concat === 'object')
    .length;
const impatient = async (): Promise<void> => {
  await opened.close();
  opened = open(1);
};
/** Joins wait until they are let go; `joined` resolves with the blob that the first has made. */
function holdJoins(): {
  readonly begun: Promise<void>;
  readonly go: () => void;
  readonly joined: Promise<Blob>;
} {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const joined = Promise.withResolvers<Blob>();
  store.join = async (...what) => {
    begun.resolve();
    await go.promise;
    const blob = await disk.join(...what);
    joined.resolve(blob);
    return blob;
  };
  return { begun: begun.promise, go: () => go.resolve(), joined: joined.promise };
}
const completed = async (id: string): Promise<void> => {
  await expect.poll(async () => (await recordOf(id))?.completedAt ?? null, { timeout: 5000 }).not.toBeNull();
};

describe('an upload made of parts', () => {
  it('is told at once, and put together behind', async () => {
    const [one, two] = await parts();
    await impatient();
    const held = holdJoins();
    const { id, value } = await concatenate([one!, two!]);
    expect(value).toMatchObject({ completedAt: null, offset: PNG.length, length: PNG.length });
    await held.begun;
    // Whoever asks is told so, and ends nothing.
    expect((await opened.settle(id, 'a')).value.completedAt).toBeNull();
    held.go();
    await completed(id);
    expect((await buffer(await disk.read(`uploads/${id}`))).equals(PNG)).toBe(true);
  });

  it('has its parts looked at together, and no others are', async () => {
    const thirds = [PNG.subarray(0, 700), PNG.subarray(700, 9000), HALVES[1]];
    let looks = 0;
    const together = Promise.withResolvers<void>();
    store.stat = async (key) => {
      if (key.startsWith('segments/') && ++looks === thirds.length) together.resolve();
      if (key.startsWith('segments/')) await together.promise;
      return disk.stat(key);
    };
    const of = [];
    for (const third of thirds) of.push(await part(third));
    const { id } = await begin();
    await send(id, 0, HALVES[0]);
    expect((await opened.settle(id, 'a')).value.offset).toBe(9000);
    // Of what is not whole the record is believed.
    expect(looks).toBe(0);
    await opened.uploads.remove(id, 'a');
    expect((await concatenate(of)).value.completedAt).not.toBeNull();
    expect(looks).toBe(thirds.length);
  });

  it('is the same for the same parts while it lives', async () => {
    const of = await parts();
    const charged: number[] = [];
    const admit = async (bytes: number) => void charged.push(bytes);
    const first = await concatenate(of, admit);
    expect((await concatenate(of, admit)).id).toBe(first.id);
    await completed(first.id);
    expect((await concatenate(of, admit)).id).toBe(first.id);
    expect(charged).toEqual([PNG.length]);
    expect(await finals()).toBe(1);
    await opened.uploads.remove(first.id, 'a');
    const again = await concatenate(of, admit);
    expect(again.id).not.toBe(first.id);
    await completed(again.id);
    // In another order it is another file, and these are no picture.
    await expect(concatenate(of.toReversed())).rejects.toMatchObject({ code: 'media_type_unsupported' });
    expect(await finals()).toBe(1);
  });

  it('is not made where the account or the disk cannot bear it', async () => {
    const of = await parts();
    const before = await files();
    const full = Object.assign(new Error('full'), { code: 'quota_exceeded' });
    await expect(concatenate(of, () => Promise.reject(full))).rejects.toBe(full);
    store.free = async () => PNG.length;
    let asked = false;
    const admit = async () => void (asked = true);
    await expect(concatenate(of, admit)).rejects.toMatchObject({ code: 'storage_full' });
    expect(asked).toBe(false);
    expect([await finals(), await files()]).toEqual([0, before]);
  });

  it('is removed when its parts are really gone, and kept when something else was', async () => {
    const of = await parts();
    const missing = Object.assign(new Error('a folder was gone'), { code: 'ENOENT' });
    store.join = () => Promise.reject(missing);
    await expect(concatenate(of)).rejects.toMatchObject({ code: 'overloaded', status: 503, cause: missing });
    const id = (await opened.uploads.list('a', { limit: 1 })).items[0]!.id;
    expect(await recordOf(id)).toMatchObject({ writer: null, completedAt: null, failures: 1 });
    expect(told).toEqual([missing]);
    store.join = (...what) => disk.join(...what);
    expect((await opened.settle(id, 'a')).value.completedAt).not.toBeNull();

    await opened.uploads.remove(id, 'a');
    store.join = async (...what) => {
      await disk.delete(`segments/${of[1]}/`);
      return disk.join(...what);
    };
    await expect(concatenate(of)).rejects.toMatchObject({ code: 'upload_unfinished' });
    expect(await finals()).toBe(0);
  });

  it('that cannot be joined is tried later each time, told of, and not written again and again', async () => {
    const of = await parts();
    let joins = 0;
    store.join = () => {
      joins++;
      return Promise.reject(new Error('the disk is ill'));
    };
    await expect(concatenate(of)).rejects.toMatchObject({ code: 'overloaded' });
    const tries = async (minutes: number): Promise<number> => {
      const before = joins;
      for (let minute = 0; minute < minutes; minute++) await opened.uploads.expire((now += 60_000));
      return joins - before;
    };
    // After 2, 4, 8, 16, 32 minutes, and then each hour.
    expect(await tries(62)).toBe(5);
    expect(await tries(180)).toBe(3);
    expect(told).toHaveLength(joins);
    // Without room nothing is written at all.
    store.free = async () => 0;
    joins = 0;
    expect(await tries(60)).toBe(0);
    expect(told.at(-1)).toMatchObject({ code: 'storage_full' });
    now += DAY;
    await opened.uploads.expire(now);
    expect([await finals(), await files()]).toEqual([0, []]);
  });

  it('that is removed while it is put together leaves nothing', async () => {
    const of = await parts();
    const before = await files();
    await impatient();
    const held = holdJoins();
    const { id } = await concatenate(of);
    await held.begun;
    await opened.uploads.remove(id, 'a');
    held.go();
    // It is made after the removal: somebody has to clear it away.
    expect(await held.joined).toMatchObject({ key: `uploads/${id}`, bytes: PNG.length });
    await opened.close();
    expect(await files()).toEqual(before);
  });

  it('is let go when the process closes, and put together by the next', async () => {
    const of = await parts();
    await impatient();
    const begun = Promise.withResolvers<void>();
    store.join = (_pieces, _to, { signal } = {}) =>
      new Promise((_, reject) => {
        begun.resolve();
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const { id } = await concatenate(of);
    await begun.promise;
    await opened.close();
    expect(await recordOf(id)).toMatchObject({ writer: null, completedAt: null });
    expect(told).toEqual([]);
    store.join = (...what) => disk.join(...what);
    opened = open();
    expect((await opened.settle(id, 'a')).value.completedAt).not.toBeNull();
  });

  it('is put together with few others at once', async () => {
    const line = createJoinLine(2);
    let most = 0;
    let running = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    await Promise.all(Array.from({ length: 9 }, () => line(work)));
    await expect(line(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await line(work);
    expect(most).toBe(2);
  });
});

describe('an upload that has lost bytes', () => {
  it.each([
    ['whose segment is gone', (path: string) => rm(path)],
    ['whose segment is too short', (path: string) => truncate(path, 100)],
  ])('%s is gone for whoever sends the rest', async (_which, damage) => {
    const { id } = await begin();
    await send(id, 0, HALVES[0]);
    await damage(join(blobs(), (await recordOf(id))!.segments[0]!.key));
    await expect(send(id, 9000, HALVES[1])).rejects.toMatchObject({ code: 'source_not_found' });
    expect(await recordOf(id)).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('in an earlier segment is gone when it is put together', async () => {
    const { id } = await begin();
    await send(id, 0, HALVES[0]);
    const stored = (await records.get(UPLOADS, id))!;
    const [first] = stored.value.segments;
    // As a writer leaves it that died.
    const value = { ...stored.value, segments: [{ ...first!, closed: false }] };
    await records.put(UPLOADS, id, value, { group: 'a' }, stored.version);
    await rm(join(blobs(), first!.key));
    await expect(send(id, 9000, HALVES[1])).rejects.toMatchObject({ code: 'source_not_found' });
    expect([await recordOf(id), await files()]).toEqual([undefined, []]);
  });

  it('while it is written to is gone as well', async () => {
    const { id } = await begin();
    await send(id, 0, HALVES[0]);
    store.append = async (key, ...rest) => {
      await rm(join(blobs(), key));
      return disk.append(key, ...rest);
    };
    await expect(send(id, 9000, HALVES[1])).rejects.toMatchObject({ code: 'source_not_found' });
    expect(await recordOf(id)).toBeUndefined();
  });

  it('that could not even be looked at has no writer afterwards', async () => {
    const { id } = await begin();
    await send(id, 0, HALVES[0].subarray(0, 4));
    store.read = () => Promise.reject(new Error('the disk is ill'));
    await expect(send(id, 4, HALVES[0].subarray(4))).rejects.toThrow('ill');
    expect(await recordOf(id)).toMatchObject({ writer: null, offset: 4 });
    store.read = (...what) => disk.read(...what);
    expect(await send(id, 4, PNG.subarray(4))).toMatchObject({ offset: PNG.length });
  });
});

describe('unfinished uploads', () => {
  it('are as many as a tenant may have, parts counted too', async () => {
    const [one] = await parts();
    const { id } = await begin();
    await begin();
    await expect(begin()).rejects.toMatchObject({ code: 'quota_exceeded', status: 429 });
    await expect(begin({ concat: 'partial' })).rejects.toMatchObject({ code: 'quota_exceeded' });
    await expect(begin({ tenant: 'b' })).resolves.toBeDefined();
    // A finished one counts no more, nor one that is removed.
    await send(id, 0, PNG);
    const { id: next } = await begin();
    await expect(begin()).rejects.toMatchObject({ code: 'quota_exceeded' });
    await opened.uploads.remove(one!, 'a');
    await begin();
    await opened.uploads.remove(next, 'a');
    await begin();
    expect((await opened.uploads.list('a', { limit: 100 })).items).toHaveLength(4);
  });

  it('take no place when they could not be written down', async () => {
    for (let opens = 0; opens < 4; opens++) {
      const full = new Error('the disk is full');
      const put = records.put.bind(records);
      records.put = () => Promise.reject(full);
      await expect(begin()).rejects.toBe(full);
      records.put = put;
    }
    await expect(begin()).resolves.toBeDefined();
  });

  it('go on though their places can be neither renewed nor given back', async () => {
    const ill = new Error('the meters are ill');
    meters.renew = () => Promise.reject(ill);
    meters.leave = () => Promise.reject(ill);
    const { id } = await begin();
    await send(id, 0, HALVES[0]);
    expect(await send(id, 9000, HALVES[1])).toMatchObject({ completedAt: now });
    const other = await begin();
    expect(await opened.uploads.remove(other.id, 'a')).toBe(true);
    expect(await recordOf(other.id)).toBeUndefined();
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told)).toEqual(new Set([ill]));
  });

  it('live on by bytes, and by nothing else', async () => {
    const { id, value } = await begin();
    now += DAY / 2;
    await send(id, 0, Buffer.alloc(0));
    await opened.settle(id, 'a');
    expect((await recordOf(id))?.expiresAt).toBe(value.expiresAt);
    await send(id, 0, HALVES[0]);
    expect((await recordOf(id))?.expiresAt).toBe(now + DAY);
  });
});

describe('the list', () => {
  it('tells parts where they are asked for', async () => {
    const of = await parts();
    const half = await begin({ concat: 'partial' });
    const { id } = await begin();
    await send(id, 0, PNG);
    const ids = async (status?: 'receiving' | 'complete' | 'part', limit = 100) =>
      (await opened.uploads.list('a', { limit, status })).items.map((item) => item.id);
    expect(await ids()).toEqual([id]);
    expect(await ids('complete')).toEqual([id]);
    expect(await ids('receiving')).toEqual([half.id]);
    expect((await ids('part')).toSorted()).toEqual(of.toSorted());
    // Past those that are not asked for.
    expect(await ids('part', 1)).toHaveLength(1);
  });
});

describe('the sweep', () => {
  it('is that of one process at a time', async () => {
    const { id } = await begin();
    now += DAY;
    const inside = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    store.delete = async (key) => {
      inside.resolve();
      await go.promise;
      await disk.delete(key);
    };
    const first = opened.uploads.expire(now);
    await inside.promise;
    const other = open();
    expect(await other.uploads.expire(now)).toBe(0);
    go.resolve();
    expect(await first).toBe(1);
    expect(await recordOf(id)).toBeUndefined();
    expect(await other.uploads.expire(now)).toBe(0);
    await other.close();
  });

  it('leaves no folder of an upload that is gone', async () => {
    const kept = await begin();
    await send(kept.id, 0, HALVES[0]);
    const stray = newId();
    for (const name of ['1', '2'])
      await disk.put(`segments/${stray}/${name}`, Readable.from([PNG]), { maxBytes: 1e6 });
    await opened.uploads.expire(now + 2 * 3_600_000);
    expect(await readdir(join(blobs(), 'segments'))).toEqual([kept.id]);
  });
});
