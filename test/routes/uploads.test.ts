import { readdir } from 'node:fs/promises';
import { request as rawRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import { openRecords } from '../../src/registers/open.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import { embeddedIt } from '../support/embedded.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';

interface Upload {
  readonly id: string;
  readonly status: string;
  readonly source: string;
  readonly mediaType: string;
  readonly bytes: number;
  readonly expiresAt: string;
  readonly links: { readonly self: string };
}

let server: TestServer;
let picture: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  server = await startTestServer({
    IMAGE_MAX_BYTES: '200000',
    VIDEO_MAX_BYTES: '400000',
    UPLOAD_TTL_SECONDS: '100',
  });
  picture = new Uint8Array(await imageFixture({ width: 64, height: 48 }));
});
afterAll(() => server[Symbol.asyncDispose]());

/** Everything in the store. */
const files = (): Promise<string[]> => blobsOf(server.config.DATA_DIR);

const stored = async (body: Uint8Array<ArrayBuffer> | FormData): Promise<Upload> => {
  const response = await server.request('/v1/uploads', { method: 'POST', body });
  expect(response.status).toBe(201);
  const upload = (await response.json()) as Upload;
  expect(response.headers.get('location')).toBe(`/v1/uploads/${upload.id}`);
  return upload;
};

describe('an upload', () => {
  it.each(['raw', 'form'])('is stored (%s), looked at and removed', async (how) => {
    const upload = await stored(how === 'raw' ? picture : form(picture));
    const { id } = upload;
    expect(upload).toEqual({
      id,
      status: 'complete',
      source: `upload:${id}`,
      name: how === 'raw' ? null : 'photo.jpg',
      mediaType: 'image/jpeg',
      bytes: picture.length,
      offset: picture.length,
      createdAt: expect.stringMatching(/^\d{4}-/) as string,
      expiresAt: expect.stringMatching(/^\d{4}-/) as string,
      links: { self: `/v1/uploads/${id}` },
    });
    const left = Date.parse(upload.expiresAt) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(100_000);

    const seen = await server.request(upload.links.self);
    expect(await seen.json()).toEqual(upload);
    const head = await server.request(upload.links.self, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);

    expect((await server.request(upload.links.self, { method: 'DELETE' })).status).toBe(204);
    for (const method of ['GET', 'DELETE']) {
      const gone = await server.request(upload.links.self, { method });
      expect(await problemOf(gone)).toMatchObject({ code: 'source_not_found', status: 404 });
    }
  });

  it('is gone when its time has come', async () => {
    const { id, links } = await stored(picture);
    const records = await openRecords(server.config);
    const found = await records.get(UPLOADS, id);
    const expired = { ...found!.value, expiresAt: Date.now() };
    await records.put(UPLOADS, id, expired, { group: 'default' }, found!.version);
    await records.close();
    expect((await server.request(links.self)).status).toBe(404);
    expect((await server.request(`/v1/images/info?source=upload:${id}`)).status).toBe(404);
  });

  it.each([
    ['no media', 415, 'media_type_unsupported', () => Buffer.from('just some words')],
    ['nothing', 400, 'file_missing', () => ''],
    [
      'a picture that is too large',
      413,
      'payload_too_large',
      () => Buffer.concat([picture, Buffer.alloc(200_000)]),
    ],
    [
      'anything that is too large',
      413,
      'payload_too_large',
      () => Buffer.concat([picture, Buffer.alloc(400_000)]),
    ],
  ])('of %s is refused and leaves nothing', async (_what, status, code, body) => {
    const before = await files();
    const response = await server.request('/v1/uploads', { method: 'POST', body: body() });
    expect(await problemOf(response)).toMatchObject({ status, code });
    expect(await files()).toEqual(before);
  });

  embeddedIt('an unfinished file lies on the disk')('that breaks off leaves nothing', async () => {
    const folder = join(server.config.DATA_DIR, 'store');
    const all = async (): Promise<string[]> =>
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .toSorted();
    await stored(picture);
    const before = await all();
    const broken = rawRequest(new URL('/v1/uploads', server.url), {
      method: 'POST',
      headers: { 'content-length': '100000' },
    });
    broken.on('error', () => undefined);
    broken.write(picture);
    await eventually('the unfinished file', async () => (await all()).length > before.length);
    broken.destroy();
    await eventually('that it is gone', async () => (await all()).length === before.length);
    expect(await all()).toEqual(before);
  });

  it.each([newId(), 'x', '..%2f..%2fetc%2fpasswd'])('%s is not known', async (id) => {
    const response = await server.request(`/v1/uploads/${id}`);
    expect(await problemOf(response)).toMatchObject({ code: 'source_not_found', status: 404 });
  });
});
