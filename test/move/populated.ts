// A server's folder with something of everything in it, and the question whether another server has all of that.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createReadStream } from 'node:fs';
import { expect } from 'vitest';
import { createKeys } from '../../src/access/keys.ts';
import { SCOPES } from '../../src/access/caller.ts';
import type { JobView } from '../../src/jobs/job-view.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { newId } from '../../src/lib/id.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { form, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { create, patch, tus } from '../support/tus.ts';

/** Everything in one folder, whatever the mode of the run. */
export const EMBEDDED = { QUEUE: 'sqlite', STORE: 'disk' } as const;
const SECRET = { WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}` };
const BARE = { policy: { maxAttempts: 3, ttlSeconds: 60 }, leaseSeconds: 30, maxWaiting: 100 };

export interface Populated {
  readonly folder: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Those that have ended, as they were told. */
  readonly done: readonly JobView[];
  /** Bytes of results by their paths. */
  readonly results: ReadonlyMap<string, Buffer>;
  /** A video job that nobody has begun. */
  readonly waiting: string;
  /** Unfinished: what there is of it, and what is to come. */
  readonly upload: { readonly path: string; readonly sent: number; readonly whole: Buffer };
  /** A complete upload. */
  readonly stored: { readonly id: string; readonly bytes: Buffer };
  readonly webhook: unknown;
  /** A call that can be repeated, and how it was answered. */
  readonly call: { readonly body: Buffer; readonly headers: Record<string, string>; readonly answer: Answer };
}

const RECIPE = {
  outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 40 }], format: 'webp' } },
};
const VIDEO = { outputs: { still: { type: 'thumbnail', at: 0, width: 32, format: 'png' } } };

export async function populate(folder: string): Promise<Populated> {
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  const wish = { tenant: 'acme', name: 'mover', scopes: SCOPES, expiresAt: null };
  const { text } = await createKeys({ records }).create(wish);
  await records.close();
  const headers = { authorization: `Bearer ${text}` };
  const photo = await imageFixture({ width: 120, height: 80 });
  const whole = await imageFixture({ width: 500, height: 400, quality: 95, grain: 40 });
  const clip = await readFile(await clipFixture({ seconds: 1, width: 64, height: 48 }));
  const populated = await fill(folder, headers, { photo, whole, clip });
  return { ...populated, waiting: await leaveWaiting(folder, populated.done, clip) };
}

async function fill(
  folder: string,
  headers: Readonly<Record<string, string>>,
  { photo, whole, clip }: { readonly photo: Buffer; readonly whole: Buffer; readonly clip: Buffer },
): Promise<Omit<Populated, 'waiting'>> {
  await using server = await startTestServer({ ...EMBEDDED, ...SECRET }, { dataDir: folder });
  const send = (path: string, init: RequestInit): Promise<Response> =>
    server.request(path, { ...init, headers: { ...headers, ...(init.headers as Record<string, string>) } });
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ url: 'https://example.com/hook' });
  const hook = await send('/v1/webhooks', { method: 'POST', headers: json, body });
  expect(hook.status).toBe(201);

  const stored = await send('/v1/uploads', {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: new Uint8Array(photo),
  });
  expect(stored.status).toBe(201);
  const { id } = (await stored.json()) as { id: string };
  const order = {
    body: Buffer.from(JSON.stringify({ source: { upload: id }, recipe: RECIPE })),
    headers: { ...headers, ...json, 'idempotency-key': '"once"' },
  };
  const answer = await call(server.url, '/v1/jobs', { method: 'POST', ...order });
  expect(answer.status).toBe(202);
  const video = await send('/v1/jobs', {
    method: 'POST',
    body: form(new Uint8Array(clip), { recipe: JSON.stringify(VIDEO) }, 'clip.mp4'),
  });
  expect(video.status).toBe(202);
  const begun = [answer.json() as JobView, (await video.json()) as JobView];
  const done = await Promise.all(begun.map((job) => finished(server, job.id, headers)));
  const results = new Map<string, Buffer>();
  for (const path of done.flatMap(pathsOf)) results.set(path, await bytesOf(server, path, headers));

  const path = await create(server.url, { ...headers, 'upload-length': String(whole.length) });
  const sent = 50_000;
  expect((await patch(server.url, path, 0, whole.subarray(0, sent), headers)).status).toBe(204);
  return {
    folder,
    headers,
    done,
    results,
    upload: { path, sent, whole },
    stored: { id, bytes: photo },
    webhook: await (await send('/v1/webhooks', {})).json(),
    call: { ...order, answer },
  };
}

/** A job as the video job was, which was accepted just before its server was stopped. */
async function leaveWaiting(folder: string, done: readonly JobView[], clip: Buffer): Promise<string> {
  const id = newId(Date.now());
  const store = await openDiskStore({ root: join(folder, 'store'), owner: 'populate' });
  const path = join(folder, 'mediamill.sqlite');
  const queue = await openSqliteQueue({ ...BARE, path, owner: 'populate', hints: localHints() });
  const like = await queue.get(done[1]?.id ?? '');
  if (like === undefined) throw new Error('the video job is gone');
  const file = await clipFixture({ seconds: 1, width: 64, height: 48 });
  const { key, bytes } = await store.put(`sources/${id}`, createReadStream(file), { maxBytes: clip.length });
  const { tenant, lane, recipe } = like;
  await queue.add({ id, tenant, lane, recipe, source: { ...like.source, key, bytes } });
  await queue.close();
  await store.close();
  return id;
}

async function finished(server: TestServer, id: string, headers: Populated['headers']): Promise<JobView> {
  for (;;) {
    const job = (await (await server.request(`/v1/jobs/${id}?wait=20`, { headers })).json()) as JobView;
    if (job.links.cancel === null) return job;
  }
}

const pathsOf = ({ outputs }: JobView): string[] =>
  Object.values(outputs).flatMap(({ url }) => (url === null ? [] : [new URL(url, 'http://x').pathname]));

async function bytesOf(server: TestServer, path: string, headers: Populated['headers']): Promise<Buffer> {
  const response = await server.request(path, { headers });
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/** A new server with these settings has all of it, and goes on with it. */
export async function expectServed(
  populated: Populated,
  env: Record<string, string>,
  dataDir: string,
): Promise<void> {
  const { headers, done, results, waiting, upload, stored, webhook, call: order } = populated;
  await using server = await startTestServer({ ...SECRET, ...env }, { dataDir });
  const get = async (path: string): Promise<unknown> => (await server.request(path, { headers })).json();
  // The key holds, and is asked for.
  expect((await server.request('/v1/jobs')).status).toBe(401);
  for (const job of done) expect(await get(`/v1/jobs/${job.id}`)).toEqual(job);
  for (const [path, bytes] of results) {
    expect((await bytesOf(server, path, headers)).equals(bytes)).toBe(true);
  }
  expect(await get('/v1/webhooks')).toEqual(webhook);
  const source = await finished(server, waiting, headers);
  expect(source).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(await bytesOf(server, pathsOf(source)[0] ?? '', headers)).toEqual([...results.values()][1]);

  const head = await tus(server.url, 'HEAD', upload.path, headers);
  expect(head.headers['upload-offset']).toBe(String(upload.sent));
  const rest = upload.whole.subarray(upload.sent);
  expect((await patch(server.url, upload.path, upload.sent, rest, headers)).status).toBe(204);
  for (const [id, bytes] of [
    [upload.path.split('/').at(-1), upload.whole],
    [stored.id, stored.bytes],
  ] as const) {
    const mine = await server.request('/v1/images/info', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'image/jpeg' },
      body: new Uint8Array(bytes),
    });
    expect(mine.status).toBe(200);
    expect(await get(`/v1/images/info?source=upload:${id}`)).toEqual(await mine.json());
  }

  const again = await call(server.url, '/v1/jobs', { method: 'POST', ...order });
  expect(again.headers['idempotency-replayed']).toBe('true');
  expect(again.body.equals(order.answer.body)).toBe(true);
  const { jobs } = (await get('/v1/jobs?limit=100')) as { jobs: JobView[] };
  expect(jobs.map(({ id }) => id).toSorted()).toEqual([...done.map(({ id }) => id), waiting].toSorted());
}
