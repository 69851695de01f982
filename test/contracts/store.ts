// What every BlobStore must do. Each adapter runs this against a fresh backend.

import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/contracts.ts';

const MANY = 1 << 30;

async function keysOf(store: BlobStore, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix), ({ key }) => key)).toSorted();
}

export function storeContract(
  name: string,
  open: () => Promise<{ store: BlobStore; end: () => Promise<void> }>,
): void {
  describe(`${name} keeps the contract of BlobStore`, () => {
    let store: BlobStore;
    let end: () => Promise<void>;
    beforeEach(async () => {
      ({ store, end } = await open());
    });
    afterEach(() => end());

    it('gives back the bytes that were put', async () => {
      const bytes = randomBytes(3_000_000);
      const blob = await store.put('sources/a', Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]), {
        maxBytes: MANY,
      });
      expect(blob).toMatchObject({ key: 'sources/a', bytes: bytes.length });
      expect(await store.stat('sources/a')).toMatchObject({ key: 'sources/a', bytes: blob.bytes });
      expect(bytes.equals(await buffer(await store.read('sources/a')))).toBe(true);
    });

    it('reads a range, both ends inclusive', async () => {
      await store.put('sources/a', Readable.from([Buffer.from('0123456789')]), { maxBytes: MANY });
      expect(String(await buffer(await store.read('sources/a', { start: 2, end: 4 })))).toBe('234');
    });

    it('keeps an empty blob', async () => {
      await store.put('sources/a', Readable.from([]), { maxBytes: MANY });
      expect(await store.stat('sources/a')).toMatchObject({ bytes: 0 });
    });

    it('replaces a blob as a whole', async () => {
      await store.put('sources/a', Readable.from([Buffer.from('longer')]), { maxBytes: MANY });
      await store.put('sources/a', Readable.from([Buffer.from('new')]), { maxBytes: MANY });
      expect(String(await buffer(await store.read('sources/a')))).toBe('new');
    });

    it('keeps nothing of a body past the limit', async () => {
      const put = store.put('sources/a', Readable.from([Buffer.alloc(60), Buffer.alloc(60)]), {
        maxBytes: 100,
      });
      await expect(put).rejects.toMatchObject({ code: 'payload_too_large' });
      expect(await store.stat('sources/a')).toBeUndefined();
      expect(await keysOf(store, 'sources/')).toEqual([]);
    });

    it('keeps nothing of a body that breaks off, and rejects with its reason', async () => {
      const broken = new Error('gone');
      const body = new Readable({ read: () => undefined });
      body.push(Buffer.alloc(1000));
      const put = store.put('sources/a', body, { maxBytes: MANY });
      body.destroy(broken);
      await expect(put).rejects.toBe(broken);
      expect(await keysOf(store, 'sources/')).toEqual([]);
    });

    it('keeps nothing when aborted', async () => {
      const controller = new AbortController();
      const put = store.put('sources/a', new Readable({ read: () => undefined }), {
        maxBytes: MANY,
        signal: controller.signal,
      });
      controller.abort();
      await expect(put).rejects.toThrow();
      expect(await store.stat('sources/a')).toBeUndefined();
    });

    it('does not know what was never put', async () => {
      expect(await store.stat('sources/none')).toBeUndefined();
      await expect(store.read('sources/none')).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('adopts a finished file from scratch, which then is empty again', async () => {
      let folder: string;
      {
        await using scratch = await store.scratch('job');
        folder = scratch.path;
        const path = join(scratch.path, 'out.mp4');
        await writeFile(path, 'result');
        await store.adopt('results/a/1/video.mp4', path);
        await writeFile(join(scratch.path, 'left-over'), 'x');
      }
      await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(String(await buffer(await store.read('results/a/1/video.mp4')))).toBe('result');
    });

    it('lends a local path', async () => {
      await store.put('sources/a', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
      await using file = await store.local('sources/a');
      expect(await readFile(file.path, 'utf8')).toBe('bytes');
    });

    it('lists and deletes one key or all below it', async () => {
      for (const key of [
        'results/a/1/x.mp4',
        'results/a/1/y.jpg',
        'results/a/2/x.mp4',
        'results/b/1/x.mp4',
      ]) {
        await store.put(key, Readable.from([Buffer.from(key)]), { maxBytes: MANY });
      }
      expect(await keysOf(store, 'results/a/')).toEqual([
        'results/a/1/x.mp4',
        'results/a/1/y.jpg',
        'results/a/2/x.mp4',
      ]);
      await store.delete('results/a/1/x.mp4');
      expect(await keysOf(store, 'results/a/')).toEqual(['results/a/1/y.jpg', 'results/a/2/x.mp4']);
      await store.delete('results/a/');
      expect(await keysOf(store, 'results/')).toEqual(['results/b/1/x.mp4']);
      await store.delete('results/a/');
    });

    it('copies a blob, which then lives for itself', async () => {
      await store.put('uploads/a', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
      expect(await store.copy('uploads/a', 'sources/b')).toMatchObject({ key: 'sources/b', bytes: 5 });
      await store.delete('uploads/a');
      expect(String(await buffer(await store.read('sources/b')))).toBe('bytes');
      await expect(store.copy('uploads/a', 'sources/c')).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await keysOf(store, 'sources/')).toEqual(['sources/b']);
    });

    const bytes = async function* (...chunks: (string | Error)[]) {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        yield Buffer.from(chunk);
      }
    };
    const text = async (key: string) => String(await buffer(await store.read(key)));

    it('grows a segment, and tells what of it is durable', async () => {
      const key = 'segments/a/1';
      const told: number[] = [];
      const kept = async (count: number) => void told.push(count);
      expect(await store.append(key, bytes('abc', 'def'), { at: 0, maxBytes: 10, kept })).toEqual({
        bytes: 6,
        failure: undefined,
        closed: true,
      });
      expect(told).toEqual([6]);
      // What lay behind is dropped: nobody had counted it.
      await store.append(key, bytes('DE'), { at: 3, maxBytes: 10 });
      expect(await text(key)).toBe('abcDE');
      expect(await store.append(key, bytes(), { at: 4, maxBytes: 10 })).toMatchObject({ bytes: 4 });
      expect(await text(key)).toBe('abcD');
    });

    it('keeps of a segment what came before a break, or fitted', async () => {
      const key = 'segments/a/1';
      const gone = new Error('gone');
      expect(await store.append(key, bytes('abc', gone), { at: 0, maxBytes: 10 })).toEqual({
        bytes: 3,
        failure: gone,
        closed: true,
      });
      expect(await store.append(key, bytes('de', 'too much'), { at: 3, maxBytes: 4 })).toMatchObject({
        bytes: 5,
        failure: { code: 'payload_too_large' },
      });
      expect(await text(key)).toBe('abcde');
      const lost = new Error('lost');
      const kept = () => Promise.reject(lost);
      expect(await store.append(key, bytes('f'), { at: 5, maxBytes: 4, kept })).toMatchObject({
        failure: lost,
      });
    });

    it('makes no segment anew that is gone', async () => {
      const { failure } = await store.append('segments/a/1', bytes('abc'), { at: 3, maxBytes: 10 });
      expect(failure).toMatchObject({ code: 'ENOENT' });
      expect(await keysOf(store, 'segments/')).toEqual([]);
      await store.append('segments/a/1', bytes('ab'), { at: 0, maxBytes: 10 });
      expect((await store.append('segments/a/1', bytes('c'), { at: 3, maxBytes: 10 })).failure).toMatchObject(
        { code: 'ENOENT' },
      );
      expect(await text('segments/a/1')).toBe('ab');
    });

    it('joins the bytes that count of segments, in their order', async () => {
      await store.append('segments/a/1', bytes('abcXX'), { at: 0, maxBytes: 10 });
      await store.append('segments/a/2', bytes('XXX'), { at: 0, maxBytes: 10 });
      await store.append('segments/a/3', bytes('def'), { at: 0, maxBytes: 10 });
      const pieces = [
        { key: 'segments/a/1', bytes: 3, closed: false },
        { key: 'segments/a/2', bytes: 0, closed: false },
        { key: 'segments/a/3', bytes: 3, closed: true },
      ];
      expect(await store.join(pieces, 'uploads/a')).toMatchObject({ key: 'uploads/a', bytes: 6 });
      expect(await text('uploads/a')).toBe('abcdef');
      expect(await text('segments/a/1')).toBe('abcXX');
      const short = [{ key: 'segments/a/1', bytes: 6, closed: false }];
      await expect(store.join(short, 'uploads/b')).rejects.toMatchObject({
        code: 'ENOENT',
        message: expect.stringContaining('5 bytes') as string,
      });
      const signal = AbortSignal.abort();
      await expect(store.join(pieces, 'uploads/b', { signal })).rejects.toThrow();
      const missing = [...pieces, { key: 'segments/a/4', bytes: 1, closed: false }];
      await expect(store.join(missing, 'uploads/b')).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await keysOf(store, 'uploads/')).toEqual(['uploads/a']);
    });

    it.each([
      ['closed', true],
      ['that somebody may still write to', false],
    ])('makes a blob of a single segment %s', async (_which, closed) => {
      await store.append('segments/a/1', bytes('abcXX'), { at: 0, maxBytes: 10 });
      const piece = { key: 'segments/a/1', bytes: 3, closed };
      await store.join([piece], 'uploads/a');
      await store.append('segments/a/1', bytes('intruder'), { at: 3, maxBytes: 100 });
      expect(await text('uploads/a')).toBe('abc');
      if (closed) {
        await store.append('segments/a/2', bytes('abc'), { at: 0, maxBytes: 10 });
        await store.join([{ ...piece, key: 'segments/a/2' }], 'uploads/b');
        expect(await text('uploads/b')).toBe('abc');
      }
    });

    it.each([
      '../outside',
      'sources/../../x',
      '/etc/passwd',
      'sources//a',
      'sources/.hidden',
      'sources/a\0b',
    ])('refuses the key %j', async (key) => {
      await expect(store.put(key, Readable.from(['x']), { maxBytes: MANY })).rejects.toThrow(TypeError);
    });
  });
}
