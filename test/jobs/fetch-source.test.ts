import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BlobStore } from '../../src/contracts.ts';
import { fetchHandler } from '../../src/jobs/fetch-source.ts';
import { newJob } from '../../src/jobs/job.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { createSafeDownload } from '../../src/lib/safe-download.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';

const FILM_BYTES = 200_000_000;
const photo = Buffer.concat([Buffer.from('ffd8ffe000104a46494600', 'hex'), Buffer.alloc(100_000)]);

let root: string;
let store: BlobStore;
let server: HttpsServer;
/** Resolves when the connection of the newest answer is closed. */
let closed: Promise<unknown>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mediamill-fetch-'));
  store = await openDiskStore({ root, owner: 'me' });
  server = await startHttps(({ url }, response) => {
    closed = new Promise((resolve) => response.once('close', resolve));
    if (url === '/film') startFilm(response);
    else response.end(photo);
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await store.close();
  await rm(root, { recursive: true, force: true });
});

/** Only its beginning ever comes: whoever waits for the rest waits until the test is given up. */
function startFilm(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': FILM_BYTES });
  response.write(photo);
}

/** Fetches into a store that says that it has so much room. */
function fetched(path: string, free: number | undefined): Promise<unknown> {
  const rules = { isAllowed: () => true, isAddressAllowed: () => true, ca: server.ca };
  const handler = fetchHandler(
    {
      store: { ...store, free: async () => free },
      download: createSafeDownload(rules),
      meterFetched: () => new PassThrough(),
      limits: { imageMaxBytes: FILM_BYTES, videoMaxBytes: FILM_BYTES },
    },
    async () => undefined,
  );
  const nothing = { name: null, mediaType: null, bytes: null, width: null, height: null };
  const job = newJob(
    {
      ...{ id: 'a', tenant: 'default', lane: 'fetch' },
      source: { ...nothing, key: '', url: `${server.origin}${path}`, durationSeconds: null },
      recipe: recipeSchema.parse({ outputs: { small: { type: 'image' } } }),
    },
    0,
  );
  const share = async (): Promise<never> => {
    throw new Error('nothing is shared here');
  };
  const { signal } = new AbortController();
  return handler.run(job, { signal, progress: () => undefined, share }).catch((error: unknown) => error);
}

it('a source that says that it is larger than the room is refused before it comes', async () => {
  expect(await fetched('/film', FILM_BYTES)).toMatchObject({ code: 'storage_full' });
  await closed;
  expect(await Array.fromAsync(store.list('sources'))).toEqual([]);
});

it.each([photo.length + 1, undefined])('one that fits into %s bytes is fetched', async (free) => {
  expect(await fetched('/photo', free)).toMatchObject({ lane: 'image' });
  await closed;
  const sources = await Array.fromAsync(store.list('sources'));
  expect(sources.map(({ bytes }) => bytes)).toEqual([photo.length]);
  await store.delete('sources/');
});
