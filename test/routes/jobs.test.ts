import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';

let folder: string;
let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;

const small = { type: 'image', steps: [{ op: 'resize', width: 60 }], format: 'webp' };
const recipe = {
  outputs: { small, tiny: { type: 'image', steps: [{ op: 'resize', width: 30 }], format: 'png' } },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-jobs-'));
  await writeFile(join(folder, 'presets.json'), JSON.stringify({ web: { outputs: { small } } }));
  server = await startTestServer({ PRESETS_FILE: join(folder, 'presets.json') }, { dataDir: folder });
  photo = new Uint8Array(
    await sharp({ create: { width: 600, height: 400, channels: 3, background: '#3366aa' } })
      .jpeg()
      .toBuffer(),
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const submit = (fields: Record<string, string>, query = ''): Promise<Response> =>
  server.request(`/v1/jobs${query}`, { method: 'POST', body: form(photo, fields) });
const accepted = async (response: Response): Promise<JobView> => {
  expect(response.status).toBe(202);
  const job = (await response.json()) as JobView;
  expect(response.headers.get('location')).toBe(job.links.self);
  return job;
};

describe('POST /v1/jobs', () => {
  it('makes all outputs of a recipe', async () => {
    const job = await accepted(
      await submit({ recipe: JSON.stringify(recipe), metadata: '{"user":"42"}' }, '?priority=5'),
    );
    expect(job).toMatchObject({
      priority: 5,
      metadata: { user: '42' },
      source: { name: 'photo.jpg', bytes: photo.length },
    });
    const done = await server.finished(job);
    expect(done).toMatchObject({
      status: 'succeeded',
      attempt: 1,
      problem: null,
      outputs: [
        { name: 'small', mediaType: 'image/webp', width: 60, height: 40 },
        { name: 'tiny', mediaType: 'image/png', width: 30, height: 20 },
      ],
    });
    expect(Date.parse(done.expiresAt ?? '')).toBeGreaterThan(Date.now());
  });

  it('takes fields after the file too', async () => {
    const data = form(photo);
    data.append('preset', 'web');
    const job = await accepted(await server.request('/v1/jobs', { method: 'POST', body: data }));
    expect(job.outputs.map(({ name }) => name)).toEqual(['small']);
  });

  it('takes the raw body with a preset', async () => {
    const job = await accepted(await server.request('/v1/jobs?preset=web', { method: 'POST', body: photo }));
    expect(await server.finished(job)).toMatchObject({ status: 'succeeded' });
  });

  it.each([
    [{}, 'invalid_request', /recipe/],
    [{ recipe: '{' }, 'malformed_json', /recipe/],
    [{ recipe: '{}' }, 'recipe_invalid', /outputs/],
    [{ recipe: '{"outputs":{}}' }, 'recipe_invalid', /at least one/],
    [{ recipe: '{"outputs":{"../x":{"type":"image"}}}' }, 'recipe_invalid', /name/],
    [{ recipe: '{"outputs":{"__proto__":{"type":"image"}}}' }, 'recipe_invalid', /./],
    [
      { recipe: JSON.stringify({ outputs: { a: { type: 'image', steps: [{ op: 'resize', width: -1 }] } } }) },
      'recipe_invalid',
      /outputs\.a\.steps\.0\.width/,
    ],
    [
      { recipe: JSON.stringify({ outputs: { a: { type: 'transcode' } } }) },
      'media_type_unsupported',
      /image\/jpeg/,
    ],
    [
      { recipe: JSON.stringify({ outputs: { a: { type: 'transcode' }, b: { type: 'image' } } }) },
      'recipe_invalid',
      /b/,
    ],
    [{ preset: 'none' }, 'preset_unknown', /web/],
    [{ preset: 'web', recipe: '{}' }, 'recipe_invalid', /not both/],
    [{ preset: 'web', metadata: '[1]' }, 'invalid_request', /metadata/],
    [{ preset: 'web', colour: 'red' }, 'invalid_request', /colour/],
  ])('refuses %j with %s and leaves nothing behind', async (fields, code, detail) => {
    const before = await blobsOf(folder, 'sources/');
    const problem = await problemOf(await submit(fields));
    expect(problem.code).toBe(code);
    expect(problem.detail).toMatch(detail);
    expect((await blobsOf(folder, 'sources/')).length).toBeLessThanOrEqual(before.length);
  });

  it('fails a job whose source turns out to be broken, with the reason', async () => {
    const response = await server.request('/v1/jobs?preset=web', {
      method: 'POST',
      body: photo.slice(0, 400),
    });
    const job = await server.finished(await accepted(response));
    expect(job).toMatchObject({ status: 'failed', problem: { code: 'image_unreadable', status: 422 } });
    const result = await server.request(`${job.links.self}/outputs/small`);
    expect(await problemOf(result)).toMatchObject({ code: 'output_not_found' });
  });
});

describe('following', () => {
  it('lists newest first, page by page', async () => {
    const made: string[] = [];
    for (let i = 0; i < 3; i++) made.unshift((await accepted(await submit({ preset: 'web' }))).id);
    const first = (await (await server.request('/v1/jobs?limit=2')).json()) as {
      jobs: JobView[];
      next: string;
    };
    const second = (await (await server.request(`/v1/jobs?limit=2&after=${first.next}`)).json()) as {
      jobs: JobView[];
    };
    expect([...first.jobs, ...second.jobs].slice(0, 3).map(({ id }) => id)).toEqual(made);
  });

  it('waits by the query or by preference', async () => {
    const one = await accepted(await submit({ preset: 'web' }));
    const waited = await server.request(`/v1/jobs/${one.id}?wait=20`);
    expect(await waited.json()).toMatchObject({ status: 'succeeded' });
    const two = await accepted(await submit({ preset: 'web' }));
    const preferred = await server.request(`/v1/jobs/${two.id}`, { headers: { prefer: 'wait=20' } });
    expect(preferred.headers.get('preference-applied')).toBe('wait=20');
    expect(await preferred.json()).toMatchObject({ status: 'succeeded' });
  });

  it('does not know other jobs', async () => {
    for (const path of [
      '/v1/jobs/none',
      `/v1/jobs/${'0'.repeat(36)}`,
      '/v1/jobs/..%2f..%2fx',
      `/v1/jobs/${'0'.repeat(36)}/outputs/x`,
    ]) {
      expect(await problemOf(await server.request(path))).toMatchObject({
        code: 'job_not_found',
        status: 404,
      });
    }
    expect(
      await problemOf(await server.request(`/v1/jobs/${'0'.repeat(36)}/cancel`, { method: 'POST' })),
    ).toMatchObject({ code: 'job_not_found' });
    expect(
      await problemOf(await server.request(`/v1/jobs/${'0'.repeat(36)}`, { method: 'DELETE' })),
    ).toMatchObject({ code: 'job_not_found' });
    expect(await problemOf(await server.request('/v1/jobs?after=%%%'.replaceAll('%', '~')))).toMatchObject({
      code: 'invalid_request',
    });
  });

  it('cannot cancel what is finished', async () => {
    const job = await server.finished(await accepted(await submit({ preset: 'web' })));
    const response = await server.request(`/v1/jobs/${job.id}/cancel`, { method: 'POST' });
    expect(await problemOf(response)).toMatchObject({ code: 'job_finished', status: 409 });
  });

  it('removes a job with its files', async () => {
    const job = await server.finished(await accepted(await submit({ preset: 'web' })));
    expect(await blobsOf(folder, `results/${job.id}/`)).not.toEqual([]);
    expect((await server.request(job.links.self, { method: 'DELETE' })).status).toBe(204);
    expect(await blobsOf(folder, `results/${job.id}/`)).toEqual([]);
    expect((await server.request(job.links.self)).status).toBe(404);
  });
});

describe('GET /v1/jobs/{id}/outputs/{name}', () => {
  let url: string;
  let whole: Uint8Array;
  let etag: string;
  beforeAll(async () => {
    const job = await server.finished(await accepted(await submit({ preset: 'web' })));
    url = job.outputs[0]?.url ?? '';
    const response = await server.request(url);
    whole = new Uint8Array(await response.arrayBuffer());
    etag = response.headers.get('etag') ?? '';
    expect(whole.length).toBe(job.outputs[0]?.bytes);
  });

  it('is an immutable file that no browser runs', async () => {
    const { headers } = await server.request(url);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'image/webp',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'content-disposition': 'inline; filename="photo-small.webp"',
    });
    const download = await server.request(`${url}?download=true`);
    expect(download.headers.get('content-disposition')).toMatch(/^attachment;/);
  });

  it('answers HEAD with the headers of GET', async () => {
    const [head, get] = await Promise.all([server.request(url, { method: 'HEAD' }), server.request(url)]);
    const comparable = ({ headers }: Response): object => {
      const of = Object.fromEntries(headers);
      for (const hop of ['date', 'x-request-id', 'connection', 'keep-alive']) delete of[hop];
      return of;
    };
    expect(comparable(head)).toEqual(comparable(get));
    expect((await head.arrayBuffer()).byteLength).toBe(0);
  });

  it('ignores a range in HEAD, as the RFC wants', async () => {
    const head = await server.request(url, { method: 'HEAD', headers: { range: 'bytes=0-3' } });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(whole.length));
  });

  it('answers a range', async () => {
    const response = await server.request(url, { headers: { range: 'bytes=4-7' } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes 4-7/${whole.length}`);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(whole.slice(4, 8));
  });

  it('ignores the range when If-Range is about other bytes', async () => {
    const other = await server.request(url, { headers: { range: 'bytes=4-7', 'if-range': '"other"' } });
    expect(other.status).toBe(200);
    const same = await server.request(url, { headers: { range: 'bytes=4-7', 'if-range': etag } });
    expect(same.status).toBe(206);
  });

  it('answers 416 with the size, and 304 for what the client has', async () => {
    const outside = await server.request(url, { headers: { range: 'bytes=999999-' } });
    expect(outside.headers.get('content-range')).toBe(`bytes */${whole.length}`);
    expect(await problemOf(outside)).toMatchObject({ code: 'range_not_satisfiable', status: 416 });
    expect((await server.request(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  it('knows its names', async () => {
    for (const name of ['none', '__proto__', 'constructor', '..%2fx']) {
      expect(await problemOf(await server.request(url.replace('small', name)))).toMatchObject({
        code: 'output_not_found',
      });
    }
  });
});
