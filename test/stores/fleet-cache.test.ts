// Two machines with a cache each, and records that both share.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Hint, HintBus, Records } from '../../src/contracts.ts';
import type { CacheFacts, CacheKey, ImageCache } from '../../src/jobs/image-cache.ts';
import { createPurgeLog, MOST_PURGES, PURGES_KEPT_MS } from '../../src/jobs/purge-log.ts';
import type { PurgeLog } from '../../src/jobs/purge-log.ts';
import { sourceMark, variantMark } from '../../src/lib/cache-key.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { removeFolder } from '../../src/stores/cache-eviction.ts';
import { openFleetCache } from '../../src/stores/fleet-cache.ts';
import { openImageCache } from '../../src/stores/image-cache.ts';
import { eventually } from '../support/eventually.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const A: CacheKey = {
  source: sourceMark('https://example.com/a.jpg', 'default'),
  variant: variantMark('small'),
};
const B: CacheKey = {
  source: sourceMark('https://example.com/b.jpg', 'default'),
  variant: variantMark('small'),
};
const FACTS: CacheFacts = {
  ...{ etag: '"1"', version: '', freshMs: null, mediaType: 'image/png', width: 1, height: 1, decisions: [] },
};

let folder: string;
let records: Records;
let now: number;
let open: ImageCache[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-fleet-cache-'));
  now = START;
  records = await openSqliteRecords({ path: join(folder, 'records.sqlite'), now: () => now });
  open = [];
});
afterEach(async () => {
  for (const cache of open) await cache.close();
  await records.close();
  await rm(folder, { recursive: true });
});

/** Of its own machine; it hears `hints`, and looks into the log often or never. */
async function machine(
  name: string,
  {
    hints = localHints(),
    everyMs = 3_600_000,
    purges = createPurgeLog({ records, hints, time: async () => now }),
    onError = (error) => {
      throw error;
    },
    purged,
  }: {
    readonly hints?: HintBus;
    readonly everyMs?: number;
    readonly purges?: PurgeLog;
    readonly onError?: (error: unknown) => void;
    /** Told what is purged in it. */
    readonly purged?: (source: string) => void;
  } = {},
): Promise<ImageCache> {
  const root = join(folder, name);
  const own = await openImageCache({ root, maxBytes: 1e6, processes: 1, onError });
  const purge = own.purge.bind(own);
  own.purge = (source) => {
    purged?.(source);
    return purge(source);
  };
  const cache = await openFleetCache({
    cache: own,
    root,
    clear: async () => {
      await removeFolder(join(root, 'entries'), join(root, 'purged', 'all'));
      await mkdir(join(root, 'entries'));
    },
    purges,
    hints,
    onError,
    everyMs,
  });
  open.push(cache);
  return cache;
}
const make = (cache: ImageCache, ...keys: CacheKey[]) =>
  Promise.all(keys.map((key) => cache.make(key, async () => ({ facts: FACTS, data: Buffer.from('x') }))));
const has = async (cache: ImageCache, key: CacheKey): Promise<boolean> =>
  (await cache.find(key)) !== undefined;

it('a purge is heard by another machine at once', async () => {
  const hints = localHints<Hint>();
  const [one, two] = [await machine('one', { hints }), await machine('two', { hints })];
  await make(one, A, B);
  await make(two, A, B);
  await one.purge(A.source);
  expect([await has(one, A), await has(one, B)]).toEqual([false, true]);
  await eventually('the other has heard it', async () => !(await has(two, A)));
  expect(await has(two, B)).toBe(true);
});

it('a machine that heard nothing finds it in the log', async () => {
  const [one, two] = [await machine('one'), await machine('two', { everyMs: 10 })];
  await make(two, A, B);
  await one.purge(A.source);
  await eventually('the other has looked', async () => !(await has(two, A)));
  expect(await has(two, B)).toBe(true);
});

it('is applied once: what is made afterwards stays', async () => {
  const one = await machine('one');
  const looks = { count: 0 };
  const counted: Pick<Records, 'put' | 'list'> = {
    put: (...what) => records.put(...what),
    list: (...what) => {
      looks.count++;
      return records.list(...what);
    },
  };
  await one.purge(A.source);
  const hints = localHints<Hint>();
  const root = join(folder, 'two');
  const own = await openImageCache({ root, maxBytes: 1e6, processes: 1, onError: () => undefined });
  const two = await openFleetCache({
    cache: own,
    root,
    clear: async () => undefined,
    purges: createPurgeLog({ records: counted, hints, time: async () => now }),
    hints,
    onError: () => undefined,
    everyMs: 5,
  });
  open.push(two);
  await make(two, A);
  const before = looks.count;
  await eventually('it has looked again', async () => looks.count > before + 2);
  expect(await has(two, A)).toBe(true);
});

it('a machine that was away applies what it has missed before it answers', async () => {
  const one = await machine('one');
  const two = await machine('two');
  await make(two, A, B);
  await two.close();
  open.splice(open.indexOf(two), 1);
  now += PURGES_KEPT_MS / 2;
  await one.purge(A.source);
  now += PURGES_KEPT_MS / 4;
  const back = await machine('two');
  expect([await has(back, A), await has(back, B)]).toEqual([false, true]);
});

it.each([
  ['was away for longer than the log is kept', async () => void (now += PURGES_KEPT_MS + 1)],
  ['was none of the fleet before', () => rm(join(folder, 'two', 'purged-until'))],
  ['cannot read what it has applied', () => writeFile(join(folder, 'two', 'purged-until'), '')],
])('a machine that %s forgets everything', async (_what, happens) => {
  const two = await machine('two');
  await make(two, A, B);
  await two.close();
  open.splice(open.indexOf(two), 1);
  await happens();
  const back = await machine('two');
  expect([await has(back, A), await has(back, B)]).toEqual([false, false]);
  await make(back, A);
  expect(await has(back, A)).toBe(true);
  expect(await readFile(join(folder, 'two', 'purged-until'), 'utf8')).toBe(String(now));
});

it('what cannot be written down for the others is void here, and fails', async () => {
  const one = await machine('one');
  await make(one, A);
  const purges = createPurgeLog({
    records: {
      put: () => Promise.reject(new Error('away')),
      list: async () => ({ items: [], next: null }),
    },
    hints: localHints<Hint>(),
    time: async () => now,
  });
  const failing = await openFleetCache({
    ...{ cache: one, root: join(folder, 'one'), clear: async () => undefined, purges },
    hints: localHints<Hint>(),
    onError: () => undefined,
  });
  open[0] = failing;
  await expect(failing.purge(A.source)).rejects.toThrow('away');
  expect(await has(one, A)).toBe(false);
});

it('what a slow clock says is not missed: a purge that is written late is found', async () => {
  const two = await machine('two', { everyMs: 10 });
  await make(two, A);
  const hints = localHints<Hint>();
  // It had its time, then waited for seconds until it could be written.
  const late = createPurgeLog({ records, hints, time: async () => now - 10_000 });
  now += 5_000;
  await eventually(
    'a look',
    async () => (await readFile(join(folder, 'two', 'purged-until'), 'utf8')) !== '',
  );
  await late.add(A.source);
  await eventually('the other has found it', async () => !(await has(two, A)));
});

it('many purges are all told, oldest first, and old ones not again', async () => {
  const log = createPurgeLog({ records, hints: localHints<Hint>(), time: async () => now });
  const marks = Array.from({ length: 450 }, (_, index) => sourceMark(`upload:${index}`, 'default'));
  for (const mark of marks) {
    await log.add(mark);
    now++;
  }
  const first = await log.read(0);
  expect(first.isAll).toBe(true);
  expect(first.purges.map(({ source }) => source)).toEqual(marks);
  expect(first.purges.map(({ at }) => at)).toEqual(marks.map((_, index) => START + index));
  expect(first.at).toBe(now);
  now += 60_000;
  expect((await log.read(now)).purges).toEqual([]);
});

/** A log with so many purges of yesterday. */
function longLog(count: number, at: number): Pick<Records, 'put' | 'list'> {
  const idOf = (index: number): string =>
    `${String(at).padStart(15, '0')}-${String(index).padStart(12, '0')}`;
  const value = { source: sourceMark('upload:other', 'default') };
  const list = async (
    _kind: unknown,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ) => {
    const next = after === undefined ? count : Number(after.slice(-12));
    const items = Array.from({ length: Math.min(limit, next) }, (_, index) => ({
      id: idOf(next - 1 - index),
      value,
      version: 1,
    }));
    return { items, next: next > limit ? (items.at(-1)?.id ?? null) : null };
  };
  return { put: (...what) => records.put(...what), list: list as Records['list'] };
}

it('a machine that has missed more purges than it would read forgets everything', async () => {
  const two = await machine('two');
  await make(two, A);
  await two.close();
  open.splice(open.indexOf(two), 1);
  now += PURGES_KEPT_MS / 2;
  const log = (count: number) =>
    createPurgeLog({ records: longLog(count, now - 1000), hints: localHints(), time: async () => now });
  expect((await log(MOST_PURGES - 1).read(START)).purges).toHaveLength(MOST_PURGES - 1);
  expect((await log(MOST_PURGES * 100).read(START)).purges).toHaveLength(MOST_PURGES);
  const back = await machine('two', { purges: log(MOST_PURGES * 100) });
  expect(await has(back, A)).toBe(false);
});

it('one that is broken off while it applies what it has missed goes on from there', async () => {
  const two = await machine('two');
  await two.close();
  open.splice(open.indexOf(two), 1);
  const at = (now += PURGES_KEPT_MS / 2);
  now += 60_000;
  const purges = createPurgeLog({ records: longLog(1200, at), hints: localHints(), time: async () => now });
  const cache = { purged: 0 };
  const root = join(folder, 'two');
  const own = await openImageCache({ root, maxBytes: 1e6, processes: 1, onError: () => undefined });
  open.push(own);
  const dying: Pick<ImageCache, 'purge'> = {
    async purge() {
      if (++cache.purged > 1100) throw new Error('killed');
    },
  };
  const opening = openFleetCache({
    ...{ cache: { ...own, ...dying }, root, clear: async () => undefined, purges, hints: localHints() },
    onError: () => undefined,
  });
  await expect(opening).rejects.toThrow('killed');
  expect(await readFile(join(root, 'purged-until'), 'utf8')).toBe(String(at));
});

it('what is no mark of a source never becomes the name of a folder', async () => {
  const hints = localHints<Hint>();
  const one = await machine('one', { hints });
  const sources: string[] = [];
  const two = await machine('two', {
    hints,
    everyMs: 10,
    purged: (source) => void sources.push(source),
  });
  await make(two, A);
  const log = createPurgeLog({ records, hints, time: async () => now });
  await log.add('../../store');
  await one.purge(A.source);
  await eventually('the other has heard it and looked', async () => sources.length >= 2);
  expect(new Set(sources)).toEqual(new Set([A.source]));
});

it('a disk on which nothing can be noted does not keep a machine from starting', async () => {
  const errors: unknown[] = [];
  await mkdir(join(folder, 'two', 'purged-until'), { recursive: true });
  const two = await machine('two', { onError: (error) => void errors.push(error) });
  await make(two, A);
  expect(await has(two, A)).toBe(true);
  expect(errors).toHaveLength(1);
  expect(await readdir(join(folder, 'two'))).toEqual(['entries', 'purged', 'purged-until']);
});
