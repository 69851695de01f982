// Uploads as the domain has them: whose they are, until when, and what a crash leaves.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore, Hint, Records } from '../../src/contracts.ts';
import { sourceMark } from '../../src/lib/cache-key.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import type { OpenUploads } from '../../src/uploads/open-uploads.ts';
import type { NewUpload } from '../../src/uploads/receiver.ts';
import { placeOf, UPLOADS } from '../../src/uploads/upload-record.ts';
import type { UploadRecord } from '../../src/uploads/upload-record.ts';
import { eventually } from '../support/eventually.ts';

const DAY = 86_400_000;
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20_000, 'p')]);

let folder: string;
let store: BlobStore;
let records: Records;
let opened: OpenUploads;
let now: number;
let purged: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-uploads-'));
  store = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  now = Date.now();
  purged = [];
  opened = openUploads({
    store,
    records,
    hints: localHints<Hint>(),
    purge: async (mark) => void purged.push(mark),
    limits: { imageMaxBytes: 100_000, videoMaxBytes: 1_000_000 },
    ttlSeconds: 7 * 86_400,
    partTtlSeconds: 86_400,
    patienceMs: 1,
    now: () => now,
  });
});
afterEach(async () => {
  await opened.close();
  await records.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const files = async (): Promise<string[]> =>
  (await readdir(join(folder, 'store/blobs'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const begin = (tenant: string, more: Partial<NewUpload> = {}) =>
  opened.receiver.create({ tenant, name: null, length: PNG.length, metadata: null, concat: null, ...more });
const send = (id: string, tenant: string, offset: number, bytes: Buffer) =>
  opened.receiver.receive(id, tenant, { offset, body: Readable.from([bytes], { objectMode: false }) });
const final = (tenant: string, parts: readonly string[]) =>
  opened.concatenate({ tenant, name: null, metadata: null, parts });
const complete = async (tenant: string): Promise<string> => {
  const { id } = await begin(tenant);
  await send(id, tenant, 0, PNG);
  return id;
};
/** As a process leaves it that dies. */
const change = async (id: string, with_: Partial<UploadRecord>): Promise<void> => {
  const stored = (await records.get(UPLOADS, id))!;
  const value = { ...stored.value, ...with_ };
  expect(await records.put(UPLOADS, id, value, placeOf(value, now), stored.version)).toBe(true);
};

describe('a tenant', () => {
  it('knows nothing of the uploads of another', async () => {
    const id = await complete('a');
    const half = await begin('a');
    await send(half.id, 'a', 0, PNG.subarray(0, 100));
    const part = await begin('a', { concat: 'partial' });
    await send(part.id, 'a', 0, PNG);

    expect(await opened.uploads.find(id, 'a')).toMatchObject({ mediaType: 'image/png', bytes: PNG.length });
    expect(await opened.uploads.find(id, 'b')).toBeUndefined();
    expect(await opened.uploads.look(id, 'b')).toBeUndefined();
    expect((await opened.uploads.list('b', { limit: 10 })).items).toEqual([]);
    expect((await opened.uploads.list('a', { limit: 10 })).items.map((item) => item.id)).toEqual([
      half.id,
      id,
    ]);
    await expect(opened.settle(id, 'b')).rejects.toMatchObject({ code: 'source_not_found' });
    await expect(send(half.id, 'b', 100, PNG.subarray(100))).rejects.toMatchObject({
      code: 'source_not_found',
    });
    const foreign = final('b', [part.id]);
    await expect(foreign).rejects.toMatchObject({ code: 'source_not_found' });
    expect(await opened.uploads.remove(id, 'b')).toBe(false);
    expect(await opened.uploads.find(id, 'a')).toBeDefined();
    expect(await opened.uploads.remove(id, 'a')).toBe(true);
    expect(purged).toEqual([sourceMark(`upload:${id}`, 'a')]);
  });

  it('is purged from caches only if it is a picture: all machines are told, and keep it in mind', async () => {
    const add = (mediaType: string) =>
      opened.uploads.add(newId(), { tenant: 'a', name: null, mediaType, bytes: 5 });
    const [film, picture, late] = [await add('video/mp4'), await add('image/heic'), await add('audio/mpeg')];
    const half = await begin('a');
    for (const { id } of [film, picture, half]) expect(await opened.uploads.remove(id, 'a')).toBe(true);
    now = late.expiresAt;
    expect(await opened.uploads.expire(now)).toBe(1);
    expect(purged).toEqual([sourceMark(`upload:${picture.id}`, 'a')]);
  });

  it('has renditions of its own', () => {
    expect(sourceMark('upload:1', 'a')).not.toBe(sourceMark('upload:1', 'b'));
  });
});

describe('in time', () => {
  it('an unfinished upload goes a day after its last byte, a finished one later', async () => {
    const half = await begin('a');
    const whole = await complete('a');
    now += DAY / 2;
    await send(half.id, 'a', 0, PNG.subarray(0, 100));
    now += DAY - 1;
    expect(await opened.uploads.expire(now)).toBe(0);
    expect(await opened.uploads.look(half.id, 'a')).toBeDefined();
    now += 1;
    expect(await opened.uploads.look(half.id, 'a')).toBeUndefined();
    await expect(opened.settle(half.id, 'a')).rejects.toMatchObject({ code: 'source_not_found' });
    expect(await opened.uploads.expire(now)).toBe(1);
    expect(await files()).toEqual([whole]);
    now += 7 * DAY;
    expect(await opened.uploads.find(whole, 'a')).toBeUndefined();
    expect(await opened.uploads.expire(now)).toBe(1);
    expect(await files()).toEqual([]);
    expect((await records.list(UPLOADS, { limit: 10 })).items).toEqual([]);
  });

  it('files of no upload go, but not those that are just being stored', async () => {
    const half = await begin('a');
    await send(half.id, 'a', 0, PNG.subarray(0, 100));
    const whole = await complete('a');
    for (const key of [`uploads/${newId()}`, `segments/${newId()}/1`, `segments/${half.id}/other`])
      await store.put(key, Readable.from([PNG]), { maxBytes: 1e6 });
    expect(await opened.uploads.expire(now)).toBe(0);
    expect(await opened.uploads.expire(now + 2 * 3_600_000)).toBe(3);
    expect(await opened.uploads.find(whole, 'a')).toBeDefined();
    expect((await send(half.id, 'a', 100, PNG.subarray(100))).completedAt).not.toBeNull();
  });
});

describe('after a crash', () => {
  it('a writer that is gone is fenced off, and its segment kept as far as it counts', async () => {
    const { id } = await begin('a');
    await send(id, 'a', 0, PNG.subarray(0, 100));
    const { segments } = (await records.get(UPLOADS, id))!.value;
    const [segment] = segments;
    await change(id, {
      segments: [{ ...segment!, closed: false }],
      writer: { token: 'dead', joining: false },
    });
    // It had written on, and nobody had been told.
    const body = Readable.from([Buffer.from('never counted')]);
    await store.append(segment!.key, body, { at: 100, maxBytes: 100 });
    expect((await opened.settle(id, 'a')).value).toMatchObject({ offset: 100, writer: null });
    await send(id, 'a', 100, PNG.subarray(100));
    expect((await buffer(await store.read(`uploads/${id}`))).equals(PNG)).toBe(true);
    expect(await files()).toEqual([id]);
  });

  it.each(['before', 'after'])('an upload is completed that died %s its bytes were joined', async (when) => {
    const { id } = await begin('a');
    for (let at = 0; at < PNG.length; at += 7000) {
      await send(id, 'a', at, PNG.subarray(at, Math.min(at + 7000, PNG.length - 1)));
      // Each in a segment of its own.
      const { segments } = (await records.get(UPLOADS, id))!.value;
      await change(id, { segments: segments.map((each) => ({ ...each, closed: false })) });
    }
    const key = `segments/${id}/last`;
    await store.put(key, Readable.from([PNG.subarray(-1)]), { maxBytes: 10 });
    const { segments } = (await records.get(UPLOADS, id))!.value;
    expect(segments).toHaveLength(3);
    await change(id, {
      segments: [...segments, { key, bytes: 1, closed: true }],
      offset: PNG.length,
      writer: { token: 'dead', joining: true },
    });
    if (when === 'after') await store.put(`uploads/${id}`, Readable.from([PNG]), { maxBytes: 1e6 });
    expect(await opened.uploads.find(id, 'a')).toBeUndefined();
    // Nobody asks for it: the sweeper looks, once its process had its time.
    expect(await opened.uploads.expire(now)).toBe(0);
    expect(await opened.uploads.find(id, 'a')).toBeUndefined();
    await opened.uploads.expire(now + 61_000);
    expect(await opened.uploads.find(id, 'a')).toMatchObject({ bytes: PNG.length });
    expect((await buffer(await store.read(`uploads/${id}`))).equals(PNG)).toBe(true);
    expect(await files()).toEqual([id]);
  });

  it('a removal that was broken off is ended by the sweeper', async () => {
    const id = await complete('a');
    await change(id, { expiresAt: now });
    expect(await opened.uploads.find(id, 'a')).toBeUndefined();
    expect(await opened.uploads.expire(now)).toBe(1);
    expect(await files()).toEqual([]);
  });

  it('a joining process that was left behind harms nothing', async () => {
    const part = await begin('a', { concat: 'partial' });
    await send(part.id, 'a', 0, PNG);
    const made = await final('a', [part.id]);
    // Its parts are gone by then; only whoever holds the claim may draw a conclusion from that.
    await opened.uploads.remove(part.id, 'a');
    expect(await opened.uploads.find(made.id, 'a')).toBeDefined();
    await store.delete(`uploads/${made.id}`);
    await change(made.id, { completedAt: null, expiresAt: now + DAY });
    await expect(opened.settle(made.id, 'a')).rejects.toMatchObject({ code: 'upload_unfinished' });
    expect(await opened.uploads.look(made.id, 'a')).toBeUndefined();
  });
});

it('ends what is being received when it closes, and keeps what has come', async () => {
  const { id } = await begin('a');
  const body = new Readable({ read: () => undefined });
  const received = opened.receiver.receive(id, 'a', { offset: 0, body });
  body.push(PNG.subarray(0, 500));
  await eventually('the bytes were taken', () => body.readableDidRead && body.readableLength === 0);
  const ended = expect(received).rejects.toMatchObject({ code: 'shutting_down' });
  await opened.close();
  await ended;
  expect((await records.get(UPLOADS, id))?.value).toMatchObject({ offset: 500, writer: null });
});
