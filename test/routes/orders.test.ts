// POST /v1/jobs as JSON: sources that were uploaded before, or are fetched by the job.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import type { JobView } from '../../src/jobs/job-view.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';

let folder: string;
let origin: HttpsServer;
let server: TestServer;
let photo: Buffer<ArrayBuffer>;
/** What the origin does at a path, beside the photo at /photo.jpg. */
const answers = new Map<string, (response: ServerResponse, time: number) => void>();

const small = { type: 'image', steps: [{ op: 'resize', width: 60 }], format: 'webp' };
const recipe = { outputs: { small } };
const markedBy = (source: string) => ({ steps: [{ op: 'composite', source }] });
const marked = (source: string) => ({ outputs: { small: { ...small, ...markedBy(source) } } });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-orders-'));
  photo = Buffer.from(await imageFixture({ width: 300, height: 200 }));
  origin = await startHttps((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'https://localhost');
    const time = origin.asked.filter((path) => path.startsWith(pathname)).length;
    const answer = answers.get(pathname);
    if (answer === undefined) response.end(photo);
    else answer(response, time);
  });
  await writeFile(join(folder, 'presets.json'), JSON.stringify({ web: recipe }));
  server = await start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function start(options: Parameters<typeof startTestServer>[1] = {}): Promise<TestServer> {
  return startTestServer(
    {
      PRESETS_FILE: join(folder, 'presets.json'),
      REMOTE_SOURCES: `localhost:${origin.port}`,
      IMAGE_MAX_BYTES: '200000',
      WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      FETCH_SLOTS: '2',
    },
    {
      dataDir: folder,
      remote: { isAddressAllowed: (address) => address === '127.0.0.1' || address === '::1', ca: origin.ca },
      ...options,
    },
  );
}

const order = (body: unknown, query = ''): Promise<Response> =>
  server.request(`/v1/jobs${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
async function accepted(response: Response): Promise<JobView> {
  expect(response.status).toBe(202);
  const job = (await response.json()) as JobView;
  expect(response.headers.get('location')).toBe(job.links.self);
  return job;
}
const fromUrl = (path: string, more: object = {}): Promise<Response> =>
  order({ source: { url: `${origin.origin}${path}` }, recipe, ...more });
async function upload(name = 'holiday.jpg'): Promise<string> {
  const response = await server.request('/v1/uploads', {
    method: 'POST',
    headers: { 'content-disposition': `attachment; filename="${name}"` },
    body: photo,
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}
const look = async (id: string): Promise<JobView> =>
  (await (await server.request(`/v1/jobs/${id}`)).json()) as JobView;
const sources = (): Promise<string[]> => blobsOf(folder, 'sources/');
/** What was kept since; sources of jobs that have ended go at any time, so a count would tell nothing. */
const sourcesSince = async (before: string[]): Promise<string[]> =>
  (await sources()).filter((name) => !before.includes(name));

describe('a job from an upload', () => {
  it('has bytes of its own: the upload may go', async () => {
    const id = await upload();
    const job = await accepted(
      await order({ source: { upload: id }, preset: 'web', priority: 3, metadata: { user: '42' } }),
    );
    expect(job).toMatchObject({
      priority: 3,
      metadata: { user: '42' },
      source: { name: 'holiday.jpg', mediaType: 'image/jpeg', bytes: photo.length, url: null },
    });
    expect((await server.request(`/v1/uploads/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await server.finished(job)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  it('can be made many times, by many jobs', async () => {
    const id = await upload();
    const jobs = await Promise.all(
      [id, `upload:${id}`, id].map(async (each) =>
        accepted(await order({ source: { upload: each }, recipe })),
      ),
    );
    expect(new Set(jobs.map((job) => job.id)).size).toBe(3);
    for (const job of jobs) expect((await server.finished(job)).status).toBe('succeeded');
    expect((await server.request(`/v1/uploads/${id}`)).status).toBe(200);
  });
});

describe('a job from a URL', () => {
  it('is fetched, and then is a job as any other', async () => {
    const job = await accepted(await fromUrl('/album/photo%201.jpg?token=secret', { preset: undefined }));
    expect(job).toMatchObject({
      status: 'queued',
      source: {
        url: `${origin.origin}/album/photo%201.jpg`,
        name: 'photo 1.jpg',
        mediaType: null,
        bytes: null,
      },
    });
    const done = await server.finished(job);
    expect(done).toMatchObject({
      status: 'succeeded',
      attempt: 1,
      source: { mediaType: 'image/jpeg', bytes: photo.length, width: 300, height: 200 },
      outputs: [{ name: 'small', width: 60 }],
    });
    expect(JSON.stringify(done)).not.toContain('secret');
    expect(origin.asked).toContain('/album/photo%201.jpg?token=secret');
    await eventually('its source goes', async () => !(await sources()).includes(job.id));
  });

  it('says that it is fetching, and how far it is; cancelled then, it closes the connection', async () => {
    const closed = Promise.withResolvers<void>();
    answers.set('/slow', (response) => {
      response.once('close', () => closed.resolve());
      response.writeHead(200, {
        'content-length': photo.length,
        'content-disposition': 'attachment; filename="named.jpg"',
      });
      response.write(photo.subarray(0, Math.ceil(photo.length / 2)));
    });
    const { id } = await accepted(await fromUrl('/slow'));
    const job = await eventually('half of it is here', async () => {
      const seen = await look(id);
      return seen.progress > 0.4 && seen;
    });
    expect(job).toMatchObject({ status: 'running', phase: 'fetching', source: { name: 'named.jpg' } });
    expect((await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })).status).toBe(202);
    await closed.promise;
    expect(await server.finished({ id })).toMatchObject({ status: 'cancelled', problem: null });
  });

  it('waits while as many are fetched as may', async () => {
    answers.set('/endless', (response) => response.writeHead(200, { 'content-length': 100_000 }).write('x'));
    const jobs: string[] = [];
    for (let i = 0; i < 3; i++) jobs.push((await accepted(await fromUrl('/endless'))).id);
    const phases = await eventually('two are fetched', async () => {
      const seen = (await Promise.all(jobs.map(look))).map(({ phase }) => phase);
      return seen.filter((phase) => phase === 'fetching').length === 2 ? seen : undefined;
    });
    expect(phases.toSorted()).toEqual(['fetching', 'fetching', 'waiting']);
    // Jobs with bytes of their own go past them.
    const other = await accepted(await order({ source: { upload: await upload() }, recipe }));
    expect(await server.finished(other)).toMatchObject({ status: 'succeeded' });
    for (const id of jobs) await server.request(`/v1/jobs/${id}`, { method: 'DELETE' });
  });

  it('tries again what may pass', async () => {
    answers.set('/shaky', (response, time) => {
      if (time === 1) response.writeHead(503).end();
      else response.end(photo);
    });
    const job = await accepted(await fromUrl('/shaky'));
    expect(await server.finished(job)).toMatchObject({ status: 'succeeded' });
    expect(origin.asked.filter((path) => path === '/shaky')).toHaveLength(2);
  });

  it.each([
    ['/missing', 'source_not_found', (response: ServerResponse) => void response.writeHead(404).end()],
    ['/private', 'source_forbidden', (response: ServerResponse) => void response.writeHead(403).end()],
    [
      '/elsewhere',
      'source_forbidden',
      (response: ServerResponse) => void response.writeHead(302, { location: 'https://example.com/' }).end(),
    ],
    [
      '/large',
      'payload_too_large',
      (response: ServerResponse) => void response.end(Buffer.alloc(300_000, 'x')),
    ],
    ['/page', 'media_type_unsupported', (response: ServerResponse) => void response.end('<html></html>')],
    ['/empty', 'file_missing', (response: ServerResponse) => void response.end()],
    [
      '/film',
      'media_type_unsupported',
      (response: ServerResponse) => void response.end(Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom')),
    ],
  ])('fails at once where %s is %s, and keeps nothing', async (path, code, answer) => {
    answers.set(path, answer);
    const job = await server.finished(await accepted(await fromUrl(path)));
    expect(job).toMatchObject({ status: 'failed', attempt: 1, problem: { code } });
    expect(origin.asked.filter((asked) => asked === path)).toHaveLength(1);
    expect(await sources()).not.toContain(job.id);
  });

  it('is fetched again by another process when the first one dies', async () => {
    const begun = Promise.withResolvers<void>();
    answers.set('/twice', (response, time) => {
      if (time > 1) {
        response.end(photo);
        return;
      }
      response.writeHead(200, { 'content-length': photo.length });
      response.write(photo.subarray(0, 100), () => begun.resolve());
    });
    const { id } = await accepted(await fromUrl('/twice'));
    await begun.promise;
    // What the primary tells everybody when a process is gone; this one only seems to be.
    const hints = localHints<Hint>();
    await using other = await start({ hints });
    hints.publish({ topic: 'abandoned', owner: server.owner });
    const done = await other.finished({ id });
    expect(done).toMatchObject({ status: 'succeeded' });
    expect(origin.asked.filter((path) => path === '/twice')).toHaveLength(2);
    await eventually('what both have fetched is gone', async () => !(await sources()).includes(id));
  });
});

describe('an order', () => {
  const url = { url: 'https://localhost/x' };
  const id = '0'.repeat(36);
  it.each([
    ['{', 'malformed_json', /JSON/],
    ['', 'malformed_json', /empty/],
    ['[]', 'invalid_request', /object/],
    ['{"__proto__":{}}', 'malformed_json', /JSON/],
    [{ recipe }, 'invalid_request', /source/],
    [{ source: {}, recipe }, 'invalid_request', /one of them/],
    [{ source: { ...url, upload: id }, recipe }, 'invalid_request', /one of them/],
    [{ source: url }, 'invalid_request', /recipe/],
    [{ source: url, recipe, preset: 'web' }, 'recipe_invalid', /not both/],
    [{ source: url, preset: 'none' }, 'preset_unknown', /web/],
    [{ source: url, recipe: { outputs: {} } }, 'recipe_invalid', /at least one/],
    [{ source: url, recipe, colour: 'red' }, 'invalid_request', /colour/],
    [{ source: url, recipe, priority: '5' }, 'invalid_request', /priority/],
    [{ source: url, recipe, priority: 500 }, 'invalid_request', /priority/],
    [{ source: url, recipe, metadata: { a: 1 } }, 'invalid_request', /metadata/],
    [{ source: url, recipe, webhook: 'http://example.com/' }, 'invalid_request', /webhook/],
    [{ source: url, recipe, webhook: 'https://10.0.0.1/' }, 'invalid_request', /webhook/],
    [{ source: { url: 'https://example.com/a.jpg' }, recipe }, 'source_forbidden', /list/],
    [{ source: { url: 'http://localhost/a.jpg' }, recipe }, 'source_forbidden', /https/],
    [{ source: { url: 'a.jpg' }, recipe }, 'source_forbidden', /URL/],
    [{ source: { upload: id }, recipe }, 'source_not_found', /upload/],
    [{ source: { upload: '../../etc' }, recipe }, 'source_not_found', /upload/],
    [{ source: url, recipe: marked(`upload:${id}`) }, 'source_not_found', /upload/],
    [{ source: url, recipe: marked('https://example.com/logo.png') }, 'source_forbidden', /list/],
    [
      {
        source: url,
        recipe: { outputs: { set: { ...markedBy(`upload:${id}`), type: 'imageSet', widths: [20] } } },
      },
      'source_not_found',
      /upload/,
    ],
    [
      { source: url, recipe: { outputs: { small, clip: { type: 'transcode' } } } },
      'source_forbidden',
      /list/,
    ],
  ])('of %j is refused with %s', async (body, code, detail) => {
    const before = await sources();
    const problem = await problemOf(await order(body));
    expect(problem).toMatchObject({ code });
    expect(problem.detail).toMatch(detail);
    expect(await sourcesSince(before)).toEqual([]);
  });

  it('with a picture to put on it that is not there is refused as a form, too, and keeps nothing', async () => {
    const before = await sources();
    const data = new FormData();
    data.append('recipe', JSON.stringify(marked(`upload:${id}`)));
    data.append('file', new Blob([photo]), 'a.jpg');
    const response = await server.request('/v1/jobs', { method: 'POST', body: data });
    expect(await problemOf(response)).toMatchObject({ code: 'source_not_found' });
    expect(await sourcesSince(before)).toEqual([]);
    const there = await accepted(
      await order({ source: { upload: await upload() }, recipe: marked(`upload:${await upload()}`) }),
    );
    expect(await server.finished(there)).toMatchObject({ status: 'succeeded' });
  });

  it('is refused where the upload does not fit the recipe', async () => {
    const problem = await problemOf(
      await order({ source: { upload: await upload() }, recipe: { outputs: { a: { type: 'transcode' } } } }),
    );
    expect(problem.code).toBe('media_type_unsupported');
  });

  it('is refused where recipe mixes images and videos, before anything is fetched', async () => {
    const mixed = { outputs: { small, clip: { type: 'transcode' } } };
    expect(await problemOf(await fromUrl('/never', { recipe: mixed }))).toMatchObject({
      code: 'recipe_invalid',
    });
    expect(origin.asked).not.toContain('/never');
  });

  it('is told once: in the body or in the query', async () => {
    const problem = await problemOf(await order({ source: url, preset: 'web' }, '?preset=web'));
    expect(problem).toMatchObject({ code: 'invalid_request', errors: [{ field: 'preset' }] });
    await accepted(await order({ source: { upload: await upload() } }, '?preset=web'));
  });
});

describe('a webhook', () => {
  const webhook = 'https://hooks.example.com/done';
  it('is kept with the job, whatever made it', async () => {
    const query = `webhook=${encodeURIComponent(webhook)}`;
    const data = new FormData();
    data.append('preset', 'web');
    data.append('webhook', webhook);
    data.append('file', new Blob([photo]), 'a.jpg');
    const async = { prefer: 'respond-async' };
    const answered = await Promise.all([
      order({ source: { upload: await upload() }, recipe, webhook }),
      server.request('/v1/jobs', { method: 'POST', body: data }),
      server.request(`/v1/jobs?preset=web&${query}`, { method: 'POST', body: photo }),
      server.request(`/v1/images?width=10&${query}`, { method: 'POST', body: photo, headers: async }),
      server.request(`/v1/images/set?widths=10&${query}`, { method: 'POST', body: photo, headers: async }),
    ]);
    for (const response of answered)
      expect(await accepted(response)).toMatchObject({ webhook: { url: webhook } });
  });

  it.each(['/v1/images?width=10', '/v1/images/set?widths=10', '/v1/videos?delivery=stream'])(
    'is refused where %s answers at once',
    async (path) => {
      const response = await server.request(`${path}&webhook=${encodeURIComponent(webhook)}`, {
        method: 'POST',
        body: photo,
      });
      expect(await problemOf(response)).toMatchObject({
        code: 'invalid_request',
        errors: [{ field: 'webhook' }],
      });
    },
  );
});

describe('POST /v1/videos with a source', () => {
  it('needs no body', async () => {
    const clip = await clipFixture({ seconds: 1, width: 64, height: 48 });
    const response = await server.request('/v1/uploads', { method: 'POST', body: await readFile(clip) });
    const { source } = (await response.json()) as { source: string };
    answers.set('/clip.mp4', (answer) => void readFile(clip).then((bytes) => answer.end(bytes)));
    for (const from of [source, `${origin.origin}/clip.mp4`]) {
      const query = `height=24&poster=false&source=${encodeURIComponent(from)}`;
      const job = await accepted(await server.request(`/v1/videos?${query}`, { method: 'POST' }));
      expect(await server.finished(job)).toMatchObject({
        status: 'succeeded',
        source: { mediaType: 'video/mp4', height: 48 },
      });
    }
  });

  it.each([
    ['height=24&source=upload:x', Buffer.from('bytes'), 'invalid_request'],
    ['delivery=stream&source=upload:x', undefined, 'invalid_request'],
    ['source=upload:x', undefined, 'source_not_found'],
    ['source=photo.jpg', undefined, 'source_forbidden'],
  ])('of %j is refused', async (query, body, code) => {
    const response = await server.request(`/v1/videos?${query}`, { method: 'POST', ...(body && { body }) });
    expect(await problemOf(response)).toMatchObject({ code });
  });
});
