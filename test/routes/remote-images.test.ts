// Renditions of remote sources: the routes with the real cache and engine, and a fetch that may reach this machine.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ImageEngine } from '../../src/engine-contracts.ts';
import { createImagePool } from '../../src/engines/image-pool.ts';
import { sourceMark } from '../../src/lib/cache-key.ts';
import { createSafeFetch } from '../../src/lib/safe-fetch.ts';
import { signedPath } from '../../src/lib/signed-url.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { signedImageRoutes } from '../../src/routes/signed-images.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { openImageCache } from '../../src/stores/image-cache.ts';
import { createSourceReader } from '../../src/stores/source-reader.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';

let folder: string;
let origin: HttpsServer;
let images: ImageEngine;
let app: FastifyInstance;
let first: Buffer;
let second: Buffer;
/** What the origin answers. */
let now: Buffer | number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  first = await imageFixture({ width: 64, height: 48 });
  second = await imageFixture({ width: 48, height: 64 });
  origin = await startHttps((_request, response) => {
    if (typeof now === 'number') response.writeHead(now).end();
    else response.end(now);
  });
  images = createImagePool({
    threads: 1,
    queue: 10,
    maxPixels: 1e6,
    maxFrames: 10,
    memoryBytes: 1e8,
    deadlineSeconds: 10,
    onOverrun: () => undefined,
  });
  const store = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  const cache = await openImageCache({
    root: join(folder, 'cache'),
    maxBytes: 1e8,
    processes: 1,
    onError: (error) => {
      throw error;
    },
  });
  const fetch = createSafeFetch({
    isAllowed: ({ pathname }) => !pathname.startsWith('/secret'),
    isAddressAllowed: () => true,
    ca: origin.ca,
  });
  const uploads = { find: async () => undefined, look: async () => undefined };
  app = fastify({ routerOptions: { maxParamLength: 200 } });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  await app.register(problemHandler);
  await app.register(signedImageRoutes, {
    images,
    sources: createSourceReader({ store, uploads, fetch }),
    cache,
    uploads,
    presets: new Map(),
    fallback: undefined,
    version: '1',
    keys: [],
    allowUnsigned: true,
    presetsOnly: false,
    maxBytes: 100_000,
    maxWaiting: 10,
    maxAgeSeconds: 100,
    staleSeconds: 100,
  });
  app.addHook('onClose', async () => {
    await images.close();
    await cache.close();
    await store.close();
  });
});
afterAll(async () => {
  await app.close();
  await origin[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  now = first;
});

const urlOf = (path: string): string => `${origin.origin}${path}`;
const get = (path: string, headers: Record<string, string> = {}, base64 = false) =>
  app.inject({
    url: signedPath({ options: new Map([['width', '32']]), source: urlOf(path) }, { key: undefined, base64 }),
    headers,
  });

/** Makes what is stored of a source so much older, in seconds. */
async function age(path: string, seconds: number): Promise<void> {
  const entries = join(folder, 'cache/entries', sourceMark(urlOf(path), 'default'));
  const then = new Date(Date.now() - seconds * 1000);
  for (const name of await readdir(entries)) await utimes(join(entries, name), then, then);
}
/** Entries are believed for a second: until the change of age is seen. */
const seenAs = (path: string, status: string) =>
  eventually(status, async () => {
    const answer = await get(path);
    return answer.headers['cache-status'] === status ? answer : undefined;
  });

it('are fetched once, and named by their URL however it is written', async () => {
  const before = origin.asked.length;
  const made = await get('/a.jpg?size=1');
  expect(made.statusCode).toBe(200);
  expect(made.headers).toMatchObject({
    'cache-status': 'mediamill; fwd=miss; stored',
    'mediamill-size': '32x24',
    'cache-control': 'public, max-age=100, stale-while-revalidate=100',
  });
  expect((await get('/a.jpg?size=1', {}, true)).headers['cache-status']).toBe('mediamill; hit');
  expect((await get('/x/../a.jpg?size=1#part')).headers['cache-status']).toBe('mediamill; hit');
  expect(origin.asked.slice(before)).toEqual(['/a.jpg?size=1']);
});

it('are answered stale while they are fetched anew', async () => {
  const { headers } = await get('/b.jpg');
  await age('/b.jpg', 150);
  now = second;
  const stale = await seenAs('/b.jpg', 'mediamill; hit; detail=stale');
  expect(stale.headers).toMatchObject({ 'mediamill-size': '32x24', etag: headers.etag });
  expect(stale.headers['cache-control']).toMatch(/^public, max-age=0, stale-while-revalidate=100$/);
  const fresh = await seenAs('/b.jpg', 'mediamill; hit');
  expect(fresh.headers['mediamill-size']).toBe('32x43');
  expect(fresh.headers.etag).not.toBe(headers.etag);
});

it('that have not changed are not rendered again', async () => {
  const { headers } = await get('/c.jpg');
  await age('/c.jpg', 150);
  await seenAs('/c.jpg', 'mediamill; hit; detail=stale');
  const fresh = await seenAs('/c.jpg', 'mediamill; hit');
  expect(fresh.headers.etag).toBe(headers.etag);
  const known = await get('/c.jpg', { 'if-none-match': String(headers.etag) });
  expect(known.statusCode).toBe(304);
});

it('that are too old are not answered before they are fetched', async () => {
  await get('/d.jpg');
  await age('/d.jpg', 250);
  now = second;
  const answer = await eventually('the new one', async () => {
    const each = await get('/d.jpg');
    return each.headers['mediamill-size'] === '32x43' ? each : undefined;
  });
  expect(answer.headers['cache-status']).not.toContain('stale');
});

it('stay while their origin is out of order, but not once it says that they are gone', async () => {
  await get('/e.jpg');
  await age('/e.jpg', 150);
  now = 503;
  const before = origin.asked.length;
  await seenAs('/e.jpg', 'mediamill; hit; detail=stale');
  await eventually('the refresh', () => origin.asked.length > before);
  for (let i = 0; i < 5; i++) expect((await get('/e.jpg')).statusCode).toBe(200);
  // And it is not asked with every request.
  expect(origin.asked.length - before).toBe(1);

  await get('/f.jpg');
  await age('/f.jpg', 150);
  now = 404;
  const gone = await eventually('404', async () => {
    const each = await get('/f.jpg');
    return each.statusCode === 404 ? each : undefined;
  });
  expect(gone.json()).toMatchObject({ code: 'source_not_found' });
});

it('that fail are not fetched again at once', async () => {
  now = 500;
  const before = origin.asked.length;
  for (let i = 0; i < 3; i++) {
    const failed = await get('/g.jpg');
    expect([failed.statusCode, failed.json<{ code: string }>().code]).toEqual([502, 'source_unavailable']);
    expect(failed.headers['retry-after']).toBe('5');
  }
  expect(origin.asked.length - before).toBe(1);
});

it('are refused by the rules of fetching, and by those of images', async () => {
  expect((await get('/secret/h.jpg')).json()).toMatchObject({ code: 'source_forbidden', status: 403 });
  now = Buffer.alloc(100_001);
  expect((await get('/i.jpg')).json()).toMatchObject({ code: 'payload_too_large', status: 413 });
  now = Buffer.from('<html>not an image</html>');
  expect((await get('/j.jpg')).json()).toMatchObject({ code: 'media_type_unsupported', status: 415 });
});
