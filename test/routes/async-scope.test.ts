// An image that becomes a job takes the scope of jobs: who may only have images rendered cannot make what it cannot read.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { call } from '../support/client.ts';
import { imageFixture } from '../support/fixtures.ts';
import { makeKey } from '../support/keys.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let photo: Buffer<ArrayBuffer>;
let onlyImages: Record<string, string>;
let both: Record<string, string>;

beforeAll(async () => {
  server = await startTestServer();
  photo = Buffer.from(await imageFixture({ width: 60, height: 40 }));
  const { DATA_DIR } = server.config;
  onlyImages = (await makeKey(DATA_DIR, { scopes: ['images'] })).headers;
  both = (await makeKey(DATA_DIR, { scopes: ['images', 'jobs:write'] })).headers;
});
afterAll(() => server[Symbol.asyncDispose]());

const PATHS = ['/v1/images?width=20', '/v1/images/set?widths=20'];
const async = { prefer: 'respond-async' };

it.each(PATHS)('POST %s is refused before the body, naming the scope', async (path) => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield photo.subarray(0, 10);
    await new Promise<never>(() => undefined);
  }
  const answer = await call(server.url, path, {
    method: 'POST',
    headers: { ...onlyImages, ...async },
    body: endless(),
  });
  expect(answer.status).toBe(403);
  expect(answer.json()).toMatchObject({
    code: 'forbidden',
    detail: expect.stringContaining('jobs:write') as string,
  });
  expect(answer.headers['www-authenticate']).toContain('scope="jobs:write"');
});

it.each(PATHS)('POST %s is taken with both scopes, and at once with one', async (path) => {
  const post = (headers: Record<string, string>): Promise<Response> =>
    server.request(path, { method: 'POST', headers, body: photo });
  expect((await post({ ...both, ...async })).status).toBe(202);
  const rendered = await post(onlyImages);
  expect(rendered.status).toBe(200);
  await rendered.arrayBuffer();
});

it.each(PATHS)('the answer of POST %s is not told again to a key without the scope', async (path) => {
  const post = (headers: Record<string, string>): Promise<Response> =>
    server.request(path, {
      method: 'POST',
      headers: { ...headers, ...async, 'idempotency-key': 'k' + path.length },
      body: photo,
    });
  expect((await post(both)).status).toBe(202);
  expect((await post(both)).headers.get('idempotency-replayed')).toBe('true');
  expect(await problemOf(await post(onlyImages))).toMatchObject({ code: 'forbidden' });
});
