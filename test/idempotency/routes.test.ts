// Every call that makes something takes an Idempotency-Key; those that answer at once take no notice of it.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecords } from '../../src/registers/open.ts';
import { call } from '../support/client.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';
import { CALLS, dieBeforeAnswer } from './died.ts';

let server: TestServer;
let photo: Buffer<ArrayBuffer>;
let clip: Buffer<ArrayBuffer>;
let upload: string;
let film: string;

beforeAll(async () => {
  server = await startTestServer();
  photo = Buffer.from(await imageFixture({ width: 300, height: 200 }));
  clip = Buffer.from(await readFile(await clipFixture({ seconds: 1, width: 64, height: 48 })));
  const stored = async (body: Body): Promise<string> => {
    const response = await server.request('/v1/uploads', { method: 'POST', body });
    return ((await response.json()) as { id: string }).id;
  };
  upload = await stored(photo);
  film = await stored(clip);
});
afterAll(() => server[Symbol.asyncDispose]());

const recipe = {
  outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 60 }], format: 'webp' } },
};
const json = { 'content-type': 'application/json' };
const async = { prefer: 'respond-async' };

/** How many there are of what a path makes: of uploads, the files. */
async function countOf(path: string): Promise<number> {
  if (path === '/v1/uploads') return (await blobsOf(server.config.DATA_DIR, 'uploads/')).length;
  const [list = ''] = path.startsWith('/v1/webhooks') ? ['/v1/webhooks'] : ['/v1/jobs?limit=100'];
  const answer = (await (await server.request(list)).json()) as { jobs?: unknown[]; webhooks?: unknown[] };
  return (answer.jobs ?? answer.webhooks ?? []).length;
}

type Body = NonNullable<RequestInit['body']>;

/** Path, headers, a body made anew for each request, and another one. */
const MAKING: readonly (readonly [string, Record<string, string>, () => Body, () => Body])[] = [
  ['/v1/jobs', {}, () => form(photo, { recipe: JSON.stringify(recipe) }), () => form(clip)],
  [
    '/v1/jobs?priority=1',
    json,
    () => JSON.stringify({ source: { upload }, recipe }),
    () => JSON.stringify({ source: { upload }, recipe, metadata: { a: 'b' } }),
  ],
  ['/v1/videos?height=24', {}, () => clip, () => photo],
  ['/v1/images?width=20', async, () => photo, () => clip],
  ['/v1/images/set?widths=20', async, () => photo, () => clip],
  ['/v1/uploads', {}, () => photo, () => clip],
  [
    '/v1/webhooks',
    json,
    () => JSON.stringify({ url: 'https://example.com/a' }),
    () => JSON.stringify({ url: 'https://example.com/b' }),
  ],
];

describe.each(MAKING)('POST %s', (path, headers, body, other) => {
  const post = (key: string, content: Body): Promise<Response> =>
    server.request(path, { method: 'POST', headers: { ...headers, 'idempotency-key': key }, body: content });

  it('makes one thing of two equal requests', async () => {
    const key = `"${path}"`;
    const first = await post(key, body());
    expect([201, 202]).toContain(first.status);
    const text = await first.text();
    const second = await post(key, body());
    expect(second.status).toBe(first.status);
    expect(JSON.parse(await second.text())).toEqual({
      ...JSON.parse(text),
      ...(path === '/v1/webhooks' && { secret: undefined }),
    });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    for (const name of ['location', 'content-type', 'cache-control', 'preference-applied', 'vary'])
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    expect(await problemOf(await post(key, other()))).toMatchObject({ code: 'idempotency_key_reused' });
  });

  it('makes one thing, too, if the process died before it could answer', async () => {
    const key = `died ${path}`;
    const first = await post(`"${key}"`, body());
    const made = (await first.json()) as { id: string; secret?: string };
    const before = await countOf(path);
    await dieBeforeAnswer(server, key);
    const refused = await post(`"${key}"`, other());
    expect(await problemOf(refused)).toMatchObject({ code: 'idempotency_key_reused' });
    expect(await countOf(path)).toBe(before);
    const second = await post(`"${key}"`, body());
    expect(second.status).toBe(first.status);
    const again = (await second.json()) as { id: string; secret?: string };
    expect(again.id).toBe(made.id);
    // Nobody was told of it yet.
    expect(again.secret).toBe(made.secret);
    for (const name of ['location', 'content-type', 'cache-control', 'preference-applied'])
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    expect(await countOf(path)).toBe(before);
    expect((await post(`"${key}"`, body())).headers.get('idempotency-replayed')).toBe('true');
  });
});

it('does not keep the secret of a webhook', async () => {
  const url = 'https://example.com/kept';
  const post = (): Promise<Response> =>
    server.request('/v1/webhooks', {
      method: 'POST',
      headers: { ...json, 'idempotency-key': 'secret' },
      body: JSON.stringify({ url }),
    });
  const { secret } = (await (await post()).json()) as { secret: string };
  expect(secret).toMatch(/^whsec_/);
  const again = await (await post()).text();
  expect(again).toContain(url);
  expect(again).not.toContain('whsec_');
  const records = await openRecords(server.config);
  const kept = await records.list(CALLS, { group: 'default', limit: 1000 });
  await records.close();
  expect(JSON.stringify(kept)).toContain('example.com/kept');
  expect(JSON.stringify(kept)).not.toContain('whsec_');
});

describe('a body that is announced as empty', () => {
  it('is none, whatever it says to be: its key does not stay taken', async () => {
    // As `curl -d ''` sends it.
    const post = (
      headers: Record<string, string> = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': '0',
      },
    ) =>
      call(server.url, `/v1/videos?height=24&poster=false&source=upload:${film}`, {
        method: 'POST',
        headers: { ...headers, 'idempotency-key': 'empty' },
      });
    const first = await post();
    expect(first.status).toBe(202);
    for (const again of [await post(), await post({ 'content-length': '0' })]) {
      expect(again.status).toBe(202);
      expect(again.headers['idempotency-replayed']).toBe('true');
      expect(again.body.equals(first.body)).toBe(true);
    }
  });
});

it.each([
  ['/v1/images?width=20', () => photo, 200],
  ['/v1/images/set?widths=20', () => photo, 200],
  ['/v1/videos?delivery=stream&height=24', () => clip, 200],
])('%s, which answers at once, takes no notice of it', async (path, body, status) => {
  for (let time = 0; time < 2; time++) {
    const response = await server.request(path, {
      method: 'POST',
      headers: { 'idempotency-key': 'same' },
      body: body(),
    });
    expect(response.status).toBe(status);
    expect(response.headers.has('idempotency-replayed')).toBe(false);
    await response.arrayBuffer();
  }
});

it('is told how long answers are kept', async () => {
  const { limits } = (await (await server.request('/v1/operations')).json()) as {
    limits: Record<string, number>;
  };
  expect(limits['idempotencySeconds']).toBe(server.config.IDEMPOTENCY_SECONDS);
});
