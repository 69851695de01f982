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
      expect(await store.stat('sources/a')).toEqual(blob);
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
