// An upload that is still coming is no source yet: whoever names it is told how far it is, and not that it never was.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseUrlKeys, signedPath } from '../../src/lib/signed-url.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { create, patch } from '../support/tus.ts';

const URL_KEYS = `k1:${'a1'.repeat(32)}`;
let server: TestServer;
let picture: Buffer;
let path: string;
let id: string;

beforeAll(async () => {
  server = await startTestServer({ URL_KEYS });
  picture = await imageFixture({ width: 320, height: 240 });
  path = await create(server.url, { 'upload-length': String(picture.length) });
  id = path.split('/').at(-1) ?? '';
  await patch(server.url, path, 0, picture.subarray(0, 100));
});
afterAll(() => server[Symbol.asyncDispose]());

const signed = (options: string): string => {
  const [key] = parseUrlKeys(URL_KEYS);
  return signedPath({ options: new Map([['width', options]]), source: `upload:${id}` }, { key: key! });
};
const ordered = (body: unknown): Promise<Response> =>
  server.request('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
async function withAsset(): Promise<Response> {
  const form = new FormData();
  const overlay = { video: { type: 'transcode', watermark: { image: `upload:${id}` } } };
  form.append('recipe', JSON.stringify({ outputs: overlay }));
  form.append(
    'file',
    new Blob([await readFile(await clipFixture({ seconds: 1, width: 160, height: 90, fps: 10 }))]),
    'clip.mp4',
  );
  return server.request('/v1/jobs', { method: 'POST', body: form });
}

const thumb = { outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 10 }] } } };
const uses: Readonly<Record<string, () => Promise<Response>>> = {
  'a job': () => ordered({ source: { upload: id }, recipe: thumb }),
  'the facts of an image': () => server.request(`/v1/images/info?source=upload:${id}`),
  'a signed address': () => server.request(signed('10')),
  'a watermark of a video': withAsset,
  'a watermark of an image': () =>
    server.request(`/v1/images?watermark=southeast,0.5,1,upload:${id}`, {
      method: 'POST',
      body: picture as Uint8Array<ArrayBuffer>,
    }),
};

it.each(Object.keys(uses))('%s says how far it is', async (name) => {
  const answer = await uses[name]!();
  const problem = (await answer.json()) as { code: string; detail: string };
  expect(problem).toMatchObject({ status: 409, code: 'upload_unfinished' });
  expect(problem.detail).toContain(`100 bytes of ${picture.length} are here`);
});

it('a part says that it is one', async () => {
  const part = await create(server.url, { 'upload-length': '10', 'upload-concat': 'partial' });
  const answer = await ordered({ source: { upload: part.split('/').at(-1) }, recipe: thumb });
  expect(await answer.json()).toMatchObject({
    code: 'upload_unfinished',
    detail: expect.stringContaining('is a part of another one') as string,
  });
});

it('once it is whole, the same addresses work', async () => {
  await patch(server.url, path, 100, picture.subarray(100));
  expect((await server.request(signed('10'))).status).toBe(200);
  expect((await server.request(`/v1/images/info?source=upload:${id}`)).status).toBe(200);
  const job = await ordered({ source: { upload: id }, recipe: thumb });
  expect(job.status).toBe(202);
});
