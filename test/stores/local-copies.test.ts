// Copies of blobs on this machine: fetched once, never half, evicted but for those in use.

import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocalCopies } from '../../src/stores/local-copies.ts';
import type { LocalCopies, WantedCopy } from '../../src/stores/local-copies.ts';
import { openWorkFolder } from '../../src/stores/work-folder.ts';
import type { WorkFolder } from '../../src/stores/work-folder.ts';

let root: string;
const open: WorkFolder[] = [];
let fetched: string[];
let now: number;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mediamill-copies-'));
  fetched = [];
  now = Date.now();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((work) => work.close()));
  await rm(root, { recursive: true, force: true });
});

async function machine(
  owner: string,
  maxBytes: number,
  change: Partial<WorkFolder> = {},
): Promise<LocalCopies> {
  const work = await openWorkFolder(root, owner);
  open.push(work);
  return openLocalCopies({
    folder: join(root, 'local'),
    work: { ...work, ...change },
    maxBytes,
    now: () => now,
  });
}

function wanted(key: string, text: string, change: Partial<WantedCopy> = {}): WantedCopy {
  return {
    key,
    version: text,
    bytes: text.length,
    async fetch(path) {
      fetched.push(text);
      await writeFile(path, text);
    },
    ...change,
  };
}
/** Paths of all copies. */
async function copyPaths(): Promise<string[]> {
  const names = await readdir(join(root, 'local'), { recursive: true, withFileTypes: true });
  return names.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
}
const kept = async (): Promise<number> => (await copyPaths()).length;
/** Lends it, and gives it back at once. */
const use = async (of: LocalCopies, copy: WantedCopy): Promise<void> =>
  (await of.lend(copy))[Symbol.asyncDispose]();

it('fetches once for several processes, also at the same time, and after a restart', async () => {
  const [one, other] = await Promise.all([machine('one', 100), machine('other', 100)]);
  const files = await Promise.all([
    one.lend(wanted('a.mp4', 'bytes')),
    one.lend(wanted('a.mp4', 'bytes')),
    other.lend(wanted('a.mp4', 'bytes')),
  ]);
  expect(fetched).toEqual(['bytes']);
  for (const file of files) {
    expect(file.path).toMatch(/\.mp4$/);
    expect(await readFile(file.path, 'utf8')).toBe('bytes');
    await file[Symbol.asyncDispose]();
    await expect(readFile(file.path)).rejects.toMatchObject({ code: 'ENOENT' });
  }
  const restarted = await machine('later', 100);
  await using again = await restarted.lend(wanted('a.mp4', 'bytes'));
  expect(await readFile(again.path, 'utf8')).toBe('bytes');
  expect(fetched).toEqual(['bytes']);
});

it('other bytes under the same key are another copy', async () => {
  const copies = await machine('one', 100);
  await using before = await copies.lend(wanted('a', 'before'));
  await using after = await copies.lend(wanted('a', 'after'));
  expect(await readFile(before.path, 'utf8')).toBe('before');
  expect(await readFile(after.path, 'utf8')).toBe('after');
});

it('evicts those that were not used for the longest, and none that is lent', async () => {
  const copies = await machine('one', 10);
  await using lentOne = await copies.lend(wanted('a', 'aaaaaaaa'));
  for (const text of ['bbbbb', 'ccccc']) await (await copies.lend(wanted(text, text)))[Symbol.asyncDispose]();
  // One after the other, as they were used.
  for (const path of await copyPaths()) {
    const at = new Date(now - ((await readFile(path, 'utf8')) === 'bbbbb' ? 2_000_000 : 1_000_000));
    await utimes(path, at, at);
  }
  await (await copies.lend(wanted('d', 'ddddd')))[Symbol.asyncDispose]();
  await copies.evict();
  expect(await readFile(lentOne.path, 'utf8')).toBe('aaaaaaaa');
  expect(await kept()).toBe(3);
  fetched = [];
  await (await copies.lend(wanted('ccccc', 'ccccc')))[Symbol.asyncDispose]();
  expect(fetched).toEqual([]);
  await (await copies.lend(wanted('bbbbb', 'bbbbb')))[Symbol.asyncDispose]();
  expect(fetched).toEqual(['bbbbb']);
});

it('outlives its eviction while it is lent', async () => {
  const copies = await machine('one', 10);
  await using file = await copies.lend(wanted('a', 'bytes'));
  await rm(join(root, 'local'), { recursive: true });
  expect(await readFile(file.path, 'utf8')).toBe('bytes');
});

it('keeps nothing of a copy that failed, or has another length', async () => {
  const copies = await machine('one', 100);
  const full = Object.assign(new Error('no room'), { code: 'ENOSPC' });
  const failing = wanted('a', 'bytes', {
    async fetch(path) {
      await writeFile(path, 'by');
      throw full;
    },
  });
  await expect(copies.lend(failing)).rejects.toMatchObject({ code: 'storage_full' });
  const short = wanted('a', 'bytes', { fetch: (path) => writeFile(path, 'by') });
  await expect(copies.lend(short)).rejects.toThrow('has 2 bytes instead of 5');
  expect(await kept()).toBe(0);
  expect(await readdir(join(root, 'work', 'one'))).toEqual([]);
  await using file = await copies.lend(wanted('a', 'bytes'));
  expect(await readFile(file.path, 'utf8')).toBe('bytes');
});

it('a copy that a power cut has left short is fetched again', async () => {
  const copies = await machine('one', 100);
  await (await copies.lend(wanted('a', 'bytes')))[Symbol.asyncDispose]();
  const [path = ''] = await copyPaths();
  await writeFile(path, '');
  await using file = await copies.lend(wanted('a', 'bytes'));
  expect(await readFile(file.path, 'utf8')).toBe('bytes');
  expect(fetched).toEqual(['bytes', 'bytes']);
});

it('has no room for what the disk cannot take', async () => {
  const copies = await machine('one', 100);
  await expect(copies.lend(wanted('a', 'bytes', { bytes: Number.MAX_SAFE_INTEGER }))).rejects.toMatchObject({
    code: 'storage_full',
  });
  expect(fetched).toEqual([]);
});

it('looks at all copies only when many bytes were fetched', async () => {
  const of = await machine('one', 100);
  await use(of, wanted('a', 'bytes'));
  const old = join(root, 'local', 'of-a-dead-owner.lock');
  await writeFile(old, '');
  await utimes(old, 0, 0);
  const isSwept = async (): Promise<boolean> => (await stat(old).catch(() => undefined)) === undefined;
  await use(of, wanted('b', 'bytes'));
  await use(of, wanted('b', 'bytes'));
  expect(await isSwept()).toBe(false);
  await use(of, wanted('c', '0123456789'));
  expect(await isSwept()).toBe(true);
  expect(await kept()).toBe(3);
});

it('removes what nobody has used for an hour, counted from when it was given back', async () => {
  const of = await machine('one', 100);
  await use(of, wanted('a', 'aaaaa'));
  const file = await of.lend(wanted('b', 'bbbbb'));
  now += 3_600_000;
  await file[Symbol.asyncDispose]();
  await of.evict();
  await use(of, wanted('b', 'bbbbb'));
  await use(of, wanted('a', 'aaaaa'));
  expect(fetched).toEqual(['aaaaa', 'bbbbb', 'aaaaa']);
});

it('drops the copies of what is gone, in all its versions', async () => {
  const of = await machine('one', 100);
  await using file = await of.lend(wanted('a', 'before'));
  await use(of, wanted('a', 'after'));
  await use(of, wanted('b', 'bytes'));
  await of.drop(['a', 'none']);
  expect(await kept()).toBe(1);
  expect(await readFile(file.path, 'utf8')).toBe('before');
});

it('gives the same room to one only', async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const of = await machine('one', 100, { free: async () => 8 });
  const slow = of.lend(
    wanted('a', 'aaaaa', {
      async fetch(path) {
        begun.resolve();
        await go.promise;
        await writeFile(path, 'aaaaa');
      },
    }),
  );
  await begun.promise;
  await expect(of.lend(wanted('b', 'bbbbb'))).rejects.toMatchObject({ code: 'storage_full' });
  await use(of, wanted('c', 'ccc'));
  go.resolve();
  await (await slow)[Symbol.asyncDispose]();
  await use(of, wanted('b', 'bbbbb'));
  expect(fetched).toEqual(['ccc', 'bbbbb']);
});

it('does not wait for who fetches it when nobody wants it any more', async () => {
  const of = await machine('one', 100);
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const slow = of.lend(
    wanted('a', 'bytes', {
      async fetch(path) {
        begun.resolve();
        await go.promise;
        await writeFile(path, 'bytes');
      },
    }),
  );
  await begun.promise;
  const controller = new AbortController();
  const left = of.lend(wanted('a', 'bytes', { signal: controller.signal }));
  controller.abort();
  await expect(left).rejects.toThrow('aborted');
  go.resolve();
  await (await slow)[Symbol.asyncDispose]();
});
