// The whole server with its blobs in S3: uploads in pieces, a film's stream, results from the bucket itself.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import type { CuttingProxy } from '../support/cutting-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { create, offsetOf, patch } from '../support/tus.ts';

let s3: TestS3;
let wire: CuttingProxy;
let server: TestServer;
beforeAll(async () => {
  s3 = await startS3();
  wire = await startCuttingProxy(s3.endpoint);
  const settings = { ...s3.settings(), S3_ENDPOINT: wire.origin };
  server = await startTestServer({
    ...settings,
    URL_UNSIGNED: 'true',
    S3_REDIRECTS: 'true',
    S3_PUBLIC_ENDPOINT: s3.endpoint,
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await wire[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});

async function clip(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(await clipFixture({ seconds: 2, width: 320, height: 180 })));
}

async function run(fields: Record<string, string>, file: Uint8Array<ArrayBuffer>): Promise<JobView> {
  const response = await server.request('/v1/jobs', { method: 'POST', body: form(file, fields) });
  expect(response.status).toBe(202);
  return server.finished((await response.json()) as JobView);
}

it('makes a stream and a picture of a video', async () => {
  const outputs = { tv: { type: 'hls', segmentSeconds: 2 }, poster: { type: 'thumbnail', width: 64 } };
  const job = await run({ recipe: JSON.stringify({ outputs }) }, await clip());
  expect(job.status).toBe('succeeded');
  const base = `/v1/jobs/${job.id}/outputs`;
  const playlist = await server.request(`${base}/tv`);
  expect([playlist.status, await playlist.text()]).toEqual([200, expect.stringContaining('v180.m3u8')]);
  expect((await server.request(`${base}/tv/v180.00000.m4s`)).status).toBe(200);

  const away = await server.request(`${base}/poster`, { redirect: 'manual' });
  const location = away.headers.get('location') ?? '';
  expect([away.status, location.startsWith(s3.endpoint)]).toEqual([307, true]);
  const bytes = await (await fetch(location)).bytes();
  const held = await server.request(`${base}/poster`, { method: 'HEAD' });
  expect([held.status, held.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
  expect((await server.request(`/v1/jobs/${job.id}`, { method: 'DELETE' })).status).toBe(204);
  // 404, or 403 from stores that tell nobody what there is not.
  expect((await fetch(location)).ok).toBe(false);
});

it('takes an upload in pieces, and makes a job of it', async () => {
  const bytes = await clip();
  const path = await create(server.url, { 'upload-length': String(bytes.length) });
  const edges = [0, 1, 7, 1000, 1001, Math.floor(bytes.length / 2), bytes.length];
  for (const [index, start] of edges.slice(0, -1).entries()) {
    expect(await offsetOf(server.url, path)).toBe(start);
    const answer = await patch(server.url, path, start, bytes.subarray(start, edges[index + 1]));
    expect(answer.status).toBe(204);
  }
  const response = await server.request('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      source: { upload: path.split('/').at(-1) },
      recipe: { outputs: { poster: { type: 'thumbnail', width: 64 } } },
    }),
  });
  expect(response.status).toBe(202);
  expect((await server.finished((await response.json()) as JobView)).status).toBe('succeeded');
});

it('answers 503 while the store is away, and serves on afterwards; images need none', async () => {
  const photo = new Uint8Array(await imageFixture({ width: 64, height: 64 }));
  const stored = await server.request('/v1/uploads', { method: 'POST', body: photo });
  const { id } = (await stored.json()) as { readonly id: string };
  wire.down(true);
  try {
    const refused = await server.request('/v1/jobs', {
      method: 'POST',
      body: form(await clip(), { recipe: JSON.stringify({ outputs: { poster: { type: 'thumbnail' } } }) }),
    });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'backend_unavailable' });
    const image = await server.request('/v1/images?width=32', { method: 'POST', body: form(photo) });
    expect(image.status).toBe(200);
    // A job would go on trying for a minute; here somebody waits.
    const byAddress = await server.request(`/v1/images/unsigned/width=16/upload%3A${id}`);
    expect(await problemOf(byAddress)).toMatchObject({ status: 503, code: 'backend_unavailable' });
    const facts = await server.request(`/v1/images/info?source=upload:${id}`);
    expect(await problemOf(facts)).toMatchObject({ status: 503, code: 'backend_unavailable' });
  } finally {
    wire.down(false);
  }
  const job = await run(
    { recipe: JSON.stringify({ outputs: { poster: { type: 'thumbnail', width: 64 } } }) },
    await clip(),
  );
  expect(job.status).toBe('succeeded');
});

it('keeps no copy of the sources of jobs that have ended', async () => {
  const job = await run(
    { recipe: JSON.stringify({ outputs: { poster: { type: 'thumbnail', width: 64 } } }) },
    await clip(),
  );
  expect(job.status).toBe('succeeded');
  const local = join(server.config.DATA_DIR, 'store', 'local');
  await eventually('no copy is left', async () => (await readdir(local)).length === 0);
});
