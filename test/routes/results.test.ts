// Results where a server of one process shows little: playlists replaced under the reader, questions of browsers before a request.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ANYBODY } from '../../src/access/caller.ts';
import type { BlobStore, JobQueue } from '../../src/contracts.ts';
import { newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { newId } from '../../src/lib/id.ts';
import { cors } from '../../src/plugins/cors.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { resultRoutes } from '../../src/routes/results.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';

let place: Folder;
let disk: BlobStore;
let job: Job;
let run: string;
beforeAll(async () => {
  place = await folder();
  disk = await openDiskStore({ root: place.join('store'), owner: 'me' });
  const id = newId();
  run = `results/${id}/run/tv/`;
  const source = { name: null, mediaType: 'video/mp4', bytes: 5, width: 1, height: 1, durationSeconds: 9 };
  const recipe = recipeSchema.parse({ outputs: { tv: { type: 'hls' } } });
  job = {
    ...newJob(
      { id, tenant: 'default', lane: 'video', recipe, source: { ...source, key: `sources/${id}` } },
      Date.now(),
    ),
    status: 'running',
    live: { tv: { folder: run, main: 'master.m3u8', mediaType: 'application/vnd.apple.mpegurl' } },
  };
});
afterAll(async () => {
  await disk.close();
  await place[Symbol.asyncDispose]();
});

const put = (file: string, text: string) =>
  disk.put(`${run}${file}`, Readable.from([Buffer.from(text)]), { maxBytes: 1e6 });

/** Whose files become others between the look at them and the reading. */
function replaced(file: string, text: string): BlobStore {
  return {
    ...disk,
    async stat(key) {
      const found = await disk.stat(key);
      await put(file, text);
      return found;
    },
  };
}

async function serve(store: BlobStore, allowOrigin?: string): Promise<FastifyInstance> {
  const app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest('caller', { getter: () => ANYBODY });
  await app.register(problemHandler);
  const queue: Pick<JobQueue, 'get'> = { get: async (id) => (id === job.id ? job : undefined) };
  await app.register(cors, { allowOrigin });
  await app.register(resultRoutes, { store, allowOrigin, queue: queue as JobQueue });
  return app;
}

const SHORT = '#EXTM3U\n#EXTINF:2,\nv180.00000.m4s\n';
const LONG = `${SHORT}#EXTINF:2,\nv180.00001.m4s\n`;

it.each([
  ['longer', SHORT, LONG],
  ['shorter', LONG, SHORT],
])('a playlist that becomes %s while it is asked for is given whole', async (_, before, after) => {
  await put('v180.m3u8', before);
  const app = await serve(replaced('v180.m3u8', after));
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const response = await fetch(`${address}/v1/jobs/${job.id}/outputs/tv/v180.m3u8`);
  expect(await response.text()).toBe(after);
  expect(response.headers.get('content-length')).toBe(`${after.length}`);
  await app.close();
});

it('a playlist that grows has ranges, a head, and nothing to be kept by', async () => {
  await put('v180.m3u8', SHORT);
  const app = await serve(disk);
  const url = `/v1/jobs/${job.id}/outputs/tv/v180.m3u8`;
  const range = 'bytes=1-6';
  const part = await app.inject({ url, headers: { range } });
  expect([part.statusCode, part.body]).toEqual([206, 'EXTM3U']);
  expect(part.headers['content-range']).toBe(`bytes 1-6/${SHORT.length}`);
  expect((await app.inject({ url, headers: { range, 'if-range': '"run-34"' } })).body).toBe(SHORT);
  const head = await app.inject({ url, method: 'HEAD' });
  expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, `${SHORT.length}`, '']);
  expect(head.headers).toMatchObject({ 'cache-control': 'no-cache' });
  expect(head.headers).not.toHaveProperty('etag');
  expect((await app.inject({ url, headers: { 'if-none-match': '*' } })).statusCode).toBe(200);
  await disk.delete(`${run}v180.m3u8`);
  expect((await app.inject({ url })).json()).toMatchObject({ code: 'output_not_found' });
  await app.close();
});

it('an output of a job that runs is told apart from that of the next attempt, so that no download mixes the two', async () => {
  const app = await serve(disk);
  const url = `/v1/jobs/${job.id}/outputs/clip`;
  const tell = async (folder: string, text: string): Promise<Job> => {
    const key = `results/${job.id}/${folder}/clip.mp4`;
    await disk.put(key, Readable.from([Buffer.from(text)]), { maxBytes: 100 });
    const facts = { mediaType: 'video/mp4', bytes: text.length, width: 1, height: 1, durationSeconds: 1 };
    return { ...job, ready: { clip: { ...facts, decisions: [], key } } };
  };
  const running = job;
  try {
    job = await tell('first', 'aaaaaaaa');
    const first = await app.inject({ url, headers: { range: 'bytes=0-3' } });
    expect([first.statusCode, first.body]).toEqual([206, 'aaaa']);
    const etag = first.headers.etag ?? '';
    expect(etag).toMatch(/^"[^"]+"$/);
    // Asked for each time, as long as the job may still take it back.
    expect(first.headers['cache-control']).toBe('no-cache');
    expect((await app.inject({ url, headers: { 'if-none-match': etag } })).statusCode).toBe(304);
    const rest = { range: 'bytes=4-7', 'if-range': etag };
    expect((await app.inject({ url, headers: rest })).statusCode).toBe(206);
    job = await tell('second', 'bbbbbbbb');
    const other = await app.inject({ url, headers: rest });
    expect([other.statusCode, other.body]).toEqual([200, 'bbbbbbbb']);
    expect((await app.inject({ url, headers: { 'if-none-match': etag } })).statusCode).toBe(200);
  } finally {
    job = running;
    await app.close();
  }
});

it('a segment of a stream that is begun anew is another one', async () => {
  const app = await serve(disk);
  const url = `/v1/jobs/${job.id}/outputs/tv/v180.00000.m4s`;
  await put('v180.00000.m4s', 'first');
  const first = await app.inject({ url });
  expect([first.statusCode, first.headers['cache-control']]).toEqual([200, 'no-cache']);
  const running = job;
  try {
    const folder = `${run.slice(0, -1)}.1/`;
    await disk.put(`${folder}v180.00000.m4s`, Readable.from([Buffer.from('again')]), { maxBytes: 100 });
    job = { ...job, live: { tv: { ...job.live!['tv']!, folder } } };
    const etag = first.headers.etag ?? '';
    const again = await app.inject({ url, headers: { 'if-none-match': etag } });
    expect([again.statusCode, again.body]).toEqual([200, 'again']);
  } finally {
    job = running;
    await app.close();
  }
});

it.each(['tv', 'tv/v180.00000.m4s'])(
  'browsers may ask before they fetch %s, where pages may',
  async (path) => {
    const url = `/v1/jobs/${job.id}/outputs/${path}`;
    const asked = {
      method: 'OPTIONS' as const,
      url,
      headers: {
        origin: 'https://example.com',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization, range',
      },
    };
    const open = await serve(disk, 'https://example.com');
    const allowed = await open.inject(asked);
    expect([allowed.statusCode, allowed.body]).toEqual([204, '']);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://example.com',
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'authorization, range, if-range, if-none-match',
      'access-control-max-age': '86400',
    });
    expect((await open.inject({ method: 'POST', url })).statusCode).toBe(405);
    await open.close();
    const closed = await serve(disk);
    const refused = await closed.inject(asked);
    expect([refused.statusCode, refused.headers['allow']]).toEqual([405, 'GET, HEAD']);
    await closed.close();
  },
);

it('of a finished output in one file a store that has an address for it gives the bytes itself', async () => {
  const running = job;
  const asked: unknown[] = [];
  const linking: BlobStore = {
    ...disk,
    link: async (...what) => {
      asked.push(what);
      return 'https://store.example.com/signed?by=us';
    },
  };
  const app = await serve(linking);
  const url = `/v1/jobs/${job.id}/outputs/clip`;
  const key = `results/${job.id}/first/clip.mp4`;
  try {
    await disk.put(key, Readable.from([Buffer.from('aaaa')]), { maxBytes: 100 });
    const facts = { mediaType: 'video/mp4', bytes: 4, width: 1, height: 1, durationSeconds: 1 };
    const clip = { ...facts, decisions: [], key };
    job = { ...running, ready: { clip } };
    // It may still be taken back.
    expect((await app.inject({ url })).statusCode).toBe(200);
    const folder = run;
    const tv = { ...clip, folder, main: 'master.m3u8', key: `${folder}master.m3u8`, files: [] };
    job = { ...running, status: 'succeeded', live: {}, results: { clip, tv } };
    const answer = await app.inject({ url: `${url}?download=1` });
    expect([answer.statusCode, answer.headers.location]).toEqual([
      307,
      'https://store.example.com/signed?by=us',
    ]);
    expect(answer.headers['cache-control']).toBe('private, no-store');
    expect(asked).toEqual([
      [
        key,
        {
          seconds: 300,
          mediaType: 'video/mp4',
          disposition: expect.stringMatching(/^attachment; .*clip\.mp4/) as string,
        },
      ],
    ]);
    expect((await app.inject({ url, method: 'HEAD' })).statusCode).toBe(200);
    const { etag = '' } = (await app.inject({ url, method: 'HEAD' })).headers;
    expect((await app.inject({ url, headers: { 'if-none-match': etag } })).statusCode).toBe(304);
    await put('v180.m3u8', SHORT);
    expect((await app.inject({ url: `/v1/jobs/${job.id}/outputs/tv/v180.m3u8` })).statusCode).toBe(200);
    expect(asked).toHaveLength(1);
  } finally {
    job = running;
    await app.close();
  }
});
