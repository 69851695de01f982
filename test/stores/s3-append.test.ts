// How segments grow in a bucket of memory: what is held meanwhile, what is removed, what may still come.

import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { appendToS3 } from '../../src/stores/s3-append.ts';
import type { S3AppendOptions } from '../../src/stores/s3-append.ts';
import type { S3 } from '../../src/stores/s3-client.ts';
import { joinPieces } from '../../src/stores/s3-join.ts';
import { partKey } from '../../src/stores/s3-layout.ts';

const MiB = 1024 * 1024;
const KEY = 'segments/a/1';

/** Tells in `seen` what was done. */
function bucketOf(seen: string[]) {
  const objects = new Map<string, Buffer>();
  const s3: Partial<S3> = {
    async *list() {
      for (const [key, bytes] of [...objects].toSorted(([a], [b]) => (a < b ? -1 : 1)))
        yield { key, bytes: bytes.length, modifiedAt: 0 };
    },
    async get(key) {
      seen.push('get');
      const bytes = objects.get(key) ?? Buffer.alloc(0);
      return { body: Readable.from([bytes]), etag: key, bytes: bytes.length };
    },
    async put(key, bytes) {
      seen.push(`put ${bytes.length}`);
      objects.set(key, Buffer.from(bytes));
    },
    async delete(keys) {
      seen.push(`delete ${keys.length}`);
      for (const key of keys) objects.delete(key);
    },
  };
  const options: S3AppendOptions = {
    s3: s3 as S3,
    unfinished: async () => '/nowhere',
    free: async () => MiB,
    gate: {
      async pass(bytes, work) {
        seen.push(`in ${bytes}`);
        const done = await work();
        seen.push('out');
        return done;
      },
    },
  };
  return { objects, s3, options, append: appendToS3(options) };
}

async function* body(...chunks: string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

it('holds earlier parts that become one with a new one only while there is room for all', async () => {
  const seen: string[] = [];
  const { objects, append } = bucketOf(seen);
  await append(KEY, body('abc'), { at: 0, maxBytes: 10 });
  seen.length = 0;
  await append(KEY, body('d', 'ef'), { at: 3, maxBytes: 10 });
  expect(seen).toEqual(['in 6', 'get', 'put 6', 'out', 'delete 1']);
  expect([...objects.values()].map(String)).toEqual(['abcdef']);
});

it('removes what says nothing any more as soon as there is much of it', async () => {
  const seen: string[] = [];
  const { objects, append } = bucketOf(seen);
  for (let age = 1; age <= 120; age++) objects.set(partKey(KEY, age, 0), Buffer.from('abc'));
  expect((await append(KEY, body('def'), { at: 3, maxBytes: 10 })).bytes).toBe(6);
  expect(seen.filter((what) => what.startsWith('delete'))).toEqual(['delete 120', 'delete 0']);
  expect(objects.size).toBe(1);
});

it('is not closed where nobody knows whether a part still comes', async () => {
  const { s3, append } = bucketOf([]);
  const ok = s3.put;
  const away = new Error('away');
  s3.put = () => Promise.reject(away);
  const broken = new Error('the client left');
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield* body('abc');
    throw broken;
  }
  // Also where something else ended it.
  expect(await append(KEY, cut(), { at: 0, maxBytes: 10 })).toEqual({
    bytes: 0,
    failure: broken,
    closed: false,
  });
  if (ok) s3.put = ok;
  expect(await append(KEY, cut(), { at: 0, maxBytes: 10 })).toMatchObject({ bytes: 3, closed: true });
});

it('looks up the pieces of a join together', async () => {
  const { objects, s3, options } = bucketOf([]);
  const pieces = ['abc', 'def', 'ghi'].map((text, index) => ({ key: `segments/a/${index}`, text }));
  const all = Promise.withResolvers<void>();
  let asked = 0;
  s3.list = async function* (prefix) {
    if (++asked === pieces.length) all.resolve();
    await all.promise;
    const text = pieces.find(({ key }) => prefix === `${key}/`)?.text ?? '';
    yield { key: partKey(prefix.slice(0, -1), 1, 0), bytes: text.length, modifiedAt: 0 };
  };
  s3.get = async () => ({ body: Readable.from([Buffer.from('xyz')]), etag: '', bytes: 3 });
  const wanted = pieces.map(({ key, text }) => ({ key, bytes: text.length, closed: true }));
  expect(await joinPieces(s3 as S3, wanted, 'uploads/a', options)).toBe(9);
  expect(String(objects.get('uploads/a'))).toBe('xyzxyzxyz');
});
