// Segments on S3, where nothing grows: many small pieces, writers that were left behind, joins of small and large.

import { hash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { layOut, nextGeneration, partKey } from '../../src/stores/s3-layout.ts';
import { partsOf, lengthOf } from '../../src/stores/s3-join.ts';
import type { Slice } from '../../src/stores/s3-join.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';
import { seededRandom } from '../support/random.ts';
import { openTestS3Store } from '../support/s3-store.ts';

const MiB = 1024 * 1024;
const KEY = 'segments/a/1';

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
});

const sum = (bytes: Uint8Array): string => hash('sha256', bytes);
async function* body(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

it('makes few objects of many small pieces', async () => {
  await using at = await openTestS3Store(s3);
  const whole = randomBytes(1500);
  let offset = 0;
  for (let size = 1; offset < whole.length; size = (size % 23) + 1) {
    const piece = whole.subarray(offset, offset + size);
    const { bytes, failure } = await at.store.append(KEY, body(piece), { at: offset, maxBytes: 100 });
    expect([bytes, failure]).toEqual([offset + piece.length, undefined]);
    offset = bytes;
  }
  expect((await at.objects()).length).toBeLessThan(14);
  expect((await buffer(await at.store.read(KEY))).equals(whole)).toBe(true);
  expect(await at.store.stat(KEY)).toMatchObject({ key: KEY, bytes: whole.length });
  expect(await Array.fromAsync(at.store.list('segments/'))).toMatchObject([
    { key: KEY, bytes: whole.length },
  ]);
  await at.store.delete(KEY);
  expect(await at.objects()).toEqual([]);
});

it('tells of each large part when S3 has it', async () => {
  await using at = await openTestS3Store(s3);
  const whole = randomBytes(18 * MiB);
  const told: number[] = [];
  const { bytes } = await at.store.append(KEY, body(whole.subarray(0, 9 * MiB), whole.subarray(9 * MiB)), {
    at: 0,
    maxBytes: 100 * MiB,
    kept: async (count) => void told.push(count),
  });
  expect(bytes).toBe(whole.length);
  expect(told.at(-1)).toBe(whole.length);
  expect(told.length).toBeGreaterThan(1);
  expect(sum(await buffer(await at.store.read(KEY)))).toBe(sum(whole));
  const edge = await buffer(await at.store.read(KEY, { start: 8 * MiB - 1, end: 8 * MiB }));
  expect(edge.equals(whole.subarray(8 * MiB - 1, 8 * MiB + 1))).toBe(true);
});

it('keeps what it had when the store fails, and goes on from there', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  await at.store.append(KEY, body(Buffer.from('abc')), { at: 0, maxBytes: 10 });
  async function* cut(): AsyncGenerator<Uint8Array> {
    proxy.down(true);
    yield Buffer.from('def');
  }
  expect(await at.store.append(KEY, cut(), { at: 3, maxBytes: 10 })).toMatchObject({
    bytes: 3,
    failure: { code: 'backend_unavailable' },
  });
  proxy.down(false);
  await at.store.append(KEY, body(Buffer.from('DEF')), { at: 3, maxBytes: 10 });
  expect(String(await buffer(await at.store.read(KEY)))).toBe('abcDEF');
});

it.each([1, 2])('has the bytes that count, whatever happened before (%i)', async (seed) => {
  const random = seededRandom(seed);
  await using proxy = await startCuttingProxy(s3.endpoint);
  let now = 1_700_000_000_000;
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin }, { now: () => now });
  let counted = Buffer.alloc(0);
  for (let round = 0; round < 25; round++) {
    now += random.between(-2, 2);
    // Mostly behind what counts; sometimes less of it counts than was written.
    const start = random.between(0, 5) === 0 ? random.between(0, counted.length) : counted.length;
    const chunks = Array.from({ length: random.between(0, 3) }, () => randomBytes(random.between(1, 400)));
    const breaks = random.between(0, 9) === 0;
    async function* sent(): AsyncGenerator<Uint8Array> {
      yield* chunks;
      proxy.down(breaks);
    }
    const { bytes } = await at.store.append(KEY, sent(), { at: start, maxBytes: 1e6 });
    proxy.down(false);
    counted = Buffer.concat([counted.subarray(0, start), ...chunks]).subarray(0, bytes);
    expect(bytes).toBe(counted.length);
    if (counted.length === 0) continue;
    const found = await buffer(await at.store.read(KEY, { start: 0, end: counted.length - 1 }));
    expect(found.equals(counted)).toBe(true);
  }
  expect((await at.objects()).length).toBeLessThan(20);
});

it('a clock that goes back does not put old bytes in front', async () => {
  let now = 1_700_000_000_000;
  await using at = await openTestS3Store(s3, { now: () => now });
  await at.store.append(KEY, body(Buffer.from('abcdef')), { at: 0, maxBytes: 10 });
  now -= 3_600_000;
  await at.store.append(KEY, body(Buffer.from('XY')), { at: 2, maxBytes: 10 });
  expect(String(await buffer(await at.store.read(KEY)))).toBe('abXY');
});

it('an object that comes late is older than what was written since', () => {
  const part = (generation: number, start: number, bytes: number) => ({
    key: partKey('segments/a/1', generation, start),
    bytes,
  });
  const [first, late, next, last] = [part(1, 0, 3), part(2, 3, 9), part(3, 3, 2), part(4, 5, 5)];
  const { parts, stale, newest } = layOut([first, late, next, last]);
  expect(parts.map(({ start, bytes }) => [start, bytes])).toEqual([
    [0, 3],
    [3, 2],
    [5, 5],
  ]);
  expect(stale).toEqual([late.key]);
  expect(newest).toBe(4);
  expect(nextGeneration(4, 3)).toBe(5);
  expect(nextGeneration(4, 9)).toBe(9);
  // What it stood behind is gone.
  expect(layOut([first, last])).toMatchObject({ parts: [{ start: 0 }], stale: [last.key] });
});

it.each([[[3, 3, 3]], [[6 * MiB, 1, 6 * MiB, 1, 1, 11 * MiB, 3]], [[5 * MiB - 1, 5 * MiB, 5 * MiB + 1]]])(
  'joins pieces of %j bytes',
  async (sizes) => {
    const slices = sizes.map((bytes, index): Slice => ({ key: `${index}`, start: 0, end: bytes - 1 }));
    const groups = partsOf(slices);
    for (const group of groups.slice(0, -1))
      expect(group.reduce((total, slice) => total + lengthOf(slice), 0)).toBeGreaterThanOrEqual(5 * MiB);
    const total = sizes.reduce((a, b) => a + b);
    expect(groups.flat().reduce((bytes, slice) => bytes + lengthOf(slice), 0)).toBe(total);

    await using at = await openTestS3Store(s3);
    const wholes = sizes.map((bytes) => randomBytes(bytes));
    const joined = [];
    for (const [index, whole] of wholes.entries()) {
      const key = `segments/a/${index}`;
      await at.store.append(key, body(whole), { at: 0, maxBytes: 100 * MiB });
      joined.push({ key, bytes: whole.length, closed: true });
    }
    expect(await at.store.join(joined, 'uploads/a')).toMatchObject({ bytes: total });
    expect(sum(await buffer(await at.store.read('uploads/a')))).toBe(sum(Buffer.concat(wholes)));
    expect(await at.unfinished()).toBe(0);
  },
);
