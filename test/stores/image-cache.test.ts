import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CacheContent, CacheFacts, CacheKey, ImageCache } from '../../src/jobs/image-cache.ts';
import { isFresh, sourceMark, variantMark } from '../../src/lib/cache-key.ts';
import { Problem } from '../../src/problems.ts';
import { openImageCache } from '../../src/stores/image-cache.ts';
import { eventually } from '../support/eventually.ts';

const MiB = 1024 * 1024;
let root: string;
let errors: unknown[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mediamill-cache-'));
  errors = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

const open = (maxBytes = 100 * MiB): Promise<ImageCache> =>
  openImageCache({ root, maxBytes, processes: 2, onError: (error) => errors.push(error) });
const keyOf = (source: string, variant = 'small'): CacheKey => ({
  source: sourceMark(source, 'me'),
  variant: variantMark(variant),
});
const facts = (more: Partial<CacheFacts> = {}): CacheFacts => ({
  etag: '"1"',
  version: 'v1',
  freshMs: null,
  mediaType: 'image/webp',
  width: 3,
  height: 2,
  decisions: ['as it was asked for'],
  ...more,
});
const making =
  (text: string | Buffer, more: Partial<CacheFacts> = {}) =>
  async () => ({ facts: facts(more), data: Buffer.from(text) });
const bytesOf = async (content: CacheContent | undefined): Promise<Buffer | undefined> => {
  if (content === undefined) return undefined;
  return Buffer.isBuffer(content.body) ? content.body : await buffer(content.body);
};
const files = async (): Promise<string[]> =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const pathOf = ({ source, variant }: CacheKey): string => join(root, 'entries', source, variant);

/** A sweep that begins now: the first entry of a process starts one by itself, which may have looked already. */
async function sweepAnew(cache: { sweep(): Promise<void> }): Promise<void> {
  await cache.sweep();
  await cache.sweep();
}

describe('an entry', () => {
  it('comes back as it was made, with its facts, in this and in another process, and after a restart', async () => {
    const key = keyOf('a');
    const first = await open();
    expect(await first.find(key)).toBeUndefined();
    const made = await first.make(key, making('picture'));
    expect(made.entry).toMatchObject({ facts: facts(), bytes: 7 });
    expect(await bytesOf(made)).toEqual(Buffer.from('picture'));
    for (const cache of [first, await open()]) {
      expect(await cache.find(key)).toMatchObject({
        facts: facts(),
        bytes: 7,
        storedAt: made.entry.storedAt,
      });
      expect(await bytesOf(await cache.read(key))).toEqual(Buffer.from('picture'));
    }
    expect(await files()).toEqual([key.variant]);
    expect(errors).toEqual([]);
  });

  it('is known without a look at the disk, for a moment', async () => {
    const key = keyOf('a');
    const cache = await open();
    await cache.make(key, making('picture'));
    expect(cache.find(key)).not.toBeInstanceOf(Promise);
  });

  it('is streamed where it is large', async () => {
    const key = keyOf('large');
    const large = Buffer.alloc(3 * MiB, 'abcdefg');
    await (await open()).make(key, making(large));
    const cache = await open();
    const content = await cache.read(key);
    expect(Buffer.isBuffer(content?.body)).toBe(false);
    expect((await bytesOf(content))?.equals(large)).toBe(true);
  });

  it('may be the memory of a failure', async () => {
    const key = keyOf('bad');
    const problem = new Problem('image_unreadable', 'It is no image at all.').toDocument();
    const cache = await open();
    await cache.make(key, making('', { problem, freshMs: 10_000 }));
    expect((await (await open()).find(key))?.facts.problem).toEqual(problem);
  });

  it.each([
    ['cut off', async (path: string) => truncate(path, 40)],
    ['empty', async (path: string) => truncate(path, 0)],
    ['longer than it was', async (path: string) => writeFile(path, 'more', { flag: 'a' })],
    [
      'something else',
      async (path: string) => writeFile(path, 'not at all what was there before, but longer than it'),
    ],
  ])('that is %s is none, and is made anew', async (_how, damage) => {
    const key = keyOf('a');
    await (await open()).make(key, making('the whole picture'));
    await damage(pathOf(key));
    const cache = await open();
    expect(await cache.find(key)).toBeUndefined();
    expect(await cache.read(key)).toBeUndefined();
    expect(await bytesOf(await cache.make(key, making('again')))).toEqual(Buffer.from('again'));
    expect(await bytesOf(await (await open()).read(key))).toEqual(Buffer.from('again'));
  });

  it('that another process replaced is read with the facts that belong to its bytes', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    await one.make(key, making('first', { freshMs: 0, etag: '"1"' }));
    expect((await other.find(key))?.facts.etag).toBe('"1"');
    await one.make(key, making('second', { etag: '"2"' }));
    const content = await other.read(key);
    expect([content?.entry.facts.etag, (await bytesOf(content))?.toString()]).toEqual(['"2"', 'second']);
  });
});

describe('making', () => {
  it('is done once for all who ask at once, in two processes', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    let works = 0;
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const work = async () => {
      works++;
      started.resolve();
      await gate.promise;
      return making('picture')();
    };
    const asked = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : other).make(key, work));
    await started.promise;
    gate.resolve();
    const contents = await Promise.all(asked);
    for (const content of contents) expect((await bytesOf(content))?.toString()).toBe('picture');
    expect(works).toBe(1);
    expect(await files()).toEqual([key.variant]);
  });

  it('that fails fails for all who wait here, is tried by others, and leaves nothing', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    const gate = Promise.withResolvers<never>();
    const failing = [one.make(key, () => gate.promise), one.make(key, () => gate.promise)];
    await eventually('the lock', async () => (await files()).some((name) => name.endsWith('.lock')));
    const fine = other.make(key, making('picture'));
    gate.reject(new Problem('overloaded', 'All threads are busy.'));
    for (const each of failing) await expect(each).rejects.toMatchObject({ code: 'overloaded' });
    expect((await bytesOf(await fine))?.toString()).toBe('picture');
    expect(await files()).toEqual([key.variant]);
  });

  it('is given what is stale, and may find it still right', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    await one.make(key, making('picture', { freshMs: 60_000 }));
    const long = new Date(Date.now() - 100_000);
    await utimes(pathOf(key), long, long);
    const cache = await open();
    const stale = await cache.find(key);
    expect(stale && isFresh(stale, Date.now())).toBe(false);
    const content = await cache.make(key, async (given) => {
      expect(given).toEqual(stale);
      return 'unchanged';
    });
    expect(isFresh(content.entry, Date.now())).toBe(true);
    expect((await bytesOf(content))?.toString()).toBe('picture');
    const seen = await other.find(key);
    expect(seen && isFresh(seen, Date.now())).toBe(true);
  });

  it('is not done again where another process has just done it', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    await one.make(key, making('picture'));
    const content = await other.make(key, () => Promise.reject(new Error('it was made anew')));
    expect((await bytesOf(content))?.toString()).toBe('picture');
  });

  it('goes on after kill -9 of the process that was at it, and no half entry is left', async () => {
    const key = keyOf('a');
    const module = resolve(import.meta.dirname, '../../src/stores/image-cache.ts');
    const code = `import { openImageCache } from ${JSON.stringify(module)};
      const cache = await openImageCache({ root: ${JSON.stringify(root)}, maxBytes: 1e9, processes: 2, onError: console.error });
      setInterval(() => {}, 1000);
      await cache.make(${JSON.stringify(key)}, () => { console.log('working'); return new Promise(() => {}); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const cache = await open();
    const waiting = cache.make(key, making('picture'));
    child.kill('SIGKILL');
    expect((await bytesOf(await waiting))?.toString()).toBe('picture');
    // Its unfinished file is no entry, and goes with a later sweep.
    const left = (await files()).filter((name) => name !== key.variant);
    expect(left.every((name) => name.endsWith('.part'))).toBe(true);
    for (const name of left) {
      const long = new Date(Date.now() - 7_200_000);
      await utimes(join(root, 'entries', key.source, name), long, long);
    }
    await sweepAnew(cache);
    expect(await files()).toEqual([key.variant]);
  });
});

describe('a purge', () => {
  it('forgets every variant of a source and nothing else', async () => {
    const cache = await open();
    for (const source of ['a', 'b'])
      for (const variant of ['small', 'large']) await cache.make(keyOf(source, variant), making(source));
    await cache.purge(sourceMark('a', 'me'));
    expect(await cache.find(keyOf('a', 'small'))).toBeUndefined();
    expect(await cache.read(keyOf('a', 'large'))).toBeUndefined();
    expect((await cache.find(keyOf('b', 'small')))?.bytes).toBe(1);
    expect(await files()).toHaveLength(2);
    await cache.purge(sourceMark('unknown', 'me'));
  });

  it('is noticed by other processes soon', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    await one.make(key, making('picture'));
    expect(await other.find(key)).toBeDefined();
    await one.purge(key.source);
    await eventually('the purge', async () => (await other.find(key)) === undefined);
    expect(await other.read(key)).toBeUndefined();
  });

  it('is not undone by what was being made of the source', async () => {
    const key = keyOf('a');
    const [one, other] = [await open(), await open()];
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const making1 = one.make(key, async () => {
      started.resolve();
      await gate.promise;
      return making('of a source that is gone')();
    });
    await started.promise;
    await other.purge(key.source);
    // The folder is there again, for another variant.
    await other.make(keyOf('a', 'other'), making('other'));
    gate.resolve();
    expect((await bytesOf(await making1))?.toString()).toBe('of a source that is gone');
    for (const cache of [one, other, await open()]) expect(await cache.find(key)).toBeUndefined();
    expect(await files()).toEqual([variantMark('other')]);
  });
});

describe('a sweep', () => {
  it('removes what was not used for the longest, until the bound holds', async () => {
    const cache = await open();
    const keys = Array.from({ length: 5 }, (_, i) => keyOf(`s${i}`));
    for (const [age, key] of keys.entries()) {
      await cache.make(key, making(Buffer.alloc(300 * 1024)));
      const at = new Date(Date.now() - (keys.length - age) * 100_000);
      await utimes(pathOf(key), at, at);
    }
    const [oldest] = keys;
    if (oldest === undefined) throw new Error('there are keys');
    // Asked for, in another process, the oldest becomes the youngest.
    await (await open(MiB)).find(oldest);
    await eventually(
      'the time of use',
      async () => (await stat(pathOf(oldest))).atimeMs > Date.now() - 50_000,
    );
    await (await open(MiB)).sweep();
    // 1.5 MB came to at most 0.9 MiB: three of five.
    const left = await files();
    expect(left).toHaveLength(3);
    const kept = await Promise.all(
      keys.map(async (key) => (await (await open(MiB)).find(key)) !== undefined),
    );
    expect(kept).toEqual([true, false, false, true, true]);
  });

  it('comes by itself when enough was written', async () => {
    const cache = await open(MiB);
    for (let i = 0; i < 12; i++) await cache.make(keyOf(`s${i}`), making(Buffer.alloc(200 * 1024)));
    await cache.close();
    const left = await files();
    expect(left.length).toBeGreaterThan(1);
    expect(left.length).toBeLessThanOrEqual(5);
    expect(errors).toEqual([]);
  });

  it('clears empty folders and what dead processes left', async () => {
    const cache = await open();
    await cache.make(keyOf('a'), making('picture'));
    await rm(pathOf(keyOf('a')));
    await writeFile(join(root, 'purged', 'left'), 'half removed');
    await sweepAnew(cache);
    expect(await readdir(join(root, 'entries'))).toEqual([]);
    expect(await readdir(join(root, 'purged'))).toEqual([]);
  });
});

it('answers without being able to keep anything', async () => {
  const cache = await open();
  await rm(root, { recursive: true });
  await writeFile(root, 'a file where the folder was');
  const content = await cache.make(keyOf('a'), making('picture'));
  expect((await bytesOf(content))?.toString()).toBe('picture');
  expect(errors).toHaveLength(1);
});
