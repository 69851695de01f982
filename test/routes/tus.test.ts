import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import { openRecords } from '../../src/registers/open.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobBytes, blobsOf } from '../support/stored.ts';
import { create, OFFSET_BYTES, offsetOf, openPatch, patch, tus } from '../support/tus.ts';

const MAX = 600_000;
let server: TestServer;
let url: string;
let picture: Buffer;
/** Begins as a picture, and may be as long as a film. */
let long: Buffer;
beforeAll(async () => {
  server = await startTestServer({
    IMAGE_MAX_BYTES: '200000',
    VIDEO_MAX_BYTES: String(MAX),
    ALLOW_ORIGIN: 'https://pages.example',
  });
  url = server.url;
  picture = await imageFixture({ width: 320, height: 240 });
  // An MKV by its first bytes.
  const head = Buffer.from('1a45dfa3a3428684', 'hex');
  long = Buffer.concat([head, Buffer.from('4282886d6174726f736b61', 'hex'), randomBytes(400_000)]);
});
afterAll(() => server[Symbol.asyncDispose]());

const code = (answer: Answer): unknown => (answer.json() as { code?: string }).code;
const length = (bytes: Uint8Array): Record<string, string> => ({ 'upload-length': String(bytes.length) });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const idOf = (path: string): string => path.split('/').at(-1) ?? '';
const blobOf = (path: string): Promise<Buffer> => blobBytes(server.config.DATA_DIR, `uploads/${idOf(path)}`);
const files = (): Promise<string[]> => blobsOf(server.config.DATA_DIR);
const view = async (path: string): Promise<Record<string, unknown>> =>
  (await (await server.request(path)).json()) as Record<string, unknown>;

describe('tus', () => {
  it('tells what it can', async () => {
    const { status, headers } = await tus(url, 'OPTIONS', '/v1/uploads');
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-max-size': String(MAX),
      'tus-checksum-algorithm': 'sha1,sha256,md5',
      'tus-extension':
        'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation',
      'access-control-allow-origin': 'https://pages.example',
    });
    expect(headers['access-control-allow-headers']).toContain('upload-metadata');
    expect(headers['access-control-allow-methods']).toContain('PATCH');
  });

  it('takes a file in pieces, which then is a source', async () => {
    const answer = await tus(url, 'POST', '/v1/uploads', {
      ...length(picture),
      'upload-metadata': `filename ${base64('../a/photo.jpg')},filetype ${base64('text/html')},empty`,
    });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({ 'tus-resumable': '1.0.0', 'upload-offset': '0' });
    expect(answer.headers['access-control-expose-headers']).toContain('location');
    const path = String(answer.headers.location);
    const expires = Date.parse(String(answer.headers['upload-expires']));
    expect(expires - Date.now()).toBeGreaterThan(86_000_000);
    expect(await view(path)).toMatchObject({
      status: 'receiving',
      name: 'photo.jpg',
      bytes: picture.length,
      offset: 0,
      mediaType: null,
    });
    expect((await server.request(`/v1/images/info?source=upload:${idOf(path)}`)).status).toBe(409);

    for (let at = 0; at < picture.length; at += 1500) {
      const piece = await patch(url, path, at, picture.subarray(at, at + 1500));
      expect(piece.status).toBe(204);
      const now = Math.min(at + 1500, picture.length);
      expect(piece.headers).toMatchObject({ 'upload-offset': String(now), 'tus-resumable': '1.0.0' });
      const head = await tus(url, 'HEAD', path);
      expect(head.status).toBe(200);
      expect(head.headers).toMatchObject({
        'upload-offset': String(now),
        'upload-length': String(picture.length),
        'cache-control': 'no-store',
      });
      expect(head.headers['upload-metadata']).toContain(base64('../a/photo.jpg'));
    }
    expect((await blobOf(path)).equals(picture)).toBe(true);
    expect(await view(path)).toMatchObject({
      status: 'complete',
      mediaType: 'image/jpeg',
      bytes: picture.length,
      offset: picture.length,
    });
    const info = await server.request(`/v1/images/info?source=upload:${idOf(path)}`);
    expect(await info.json()).toMatchObject({ width: 320, height: 240 });
    expect(await blobsOf(server.config.DATA_DIR, `segments/${idOf(path)}`)).toEqual([]);
    // Again, as a client does that missed the answer.
    expect((await patch(url, path, picture.length, Buffer.alloc(0))).status).toBe(204);
    expect(code(await patch(url, path, picture.length, Buffer.from('more')))).toBe('payload_too_large');
  });

  it('takes the bytes with the creation, or some of them', async () => {
    for (const first of [picture.length, 5000]) {
      const answer = await tus(
        url,
        'POST',
        '/v1/uploads',
        { ...length(picture), 'content-type': OFFSET_BYTES },
        picture.subarray(0, first),
      );
      expect([answer.status, answer.headers['upload-offset']]).toEqual([201, String(first)]);
      const path = String(answer.headers.location);
      if (first < picture.length)
        expect((await patch(url, path, first, picture.subarray(first))).status).toBe(204);
      expect((await blobOf(path)).equals(picture)).toBe(true);
    }
  });

  it('learns the length later', async () => {
    const path = await create(url, { 'upload-defer-length': '1' });
    expect((await patch(url, path, 0, picture.subarray(0, 6000))).status).toBe(204);
    const head = await tus(url, 'HEAD', path);
    expect(head.headers).toMatchObject({ 'upload-defer-length': '1', 'upload-offset': '6000' });
    expect(head.headers['upload-length']).toBeUndefined();
    expect(code(await patch(url, path, 6000, Buffer.from('x'), { 'upload-length': '5' }))).toBe(
      'invalid_request',
    );
    const last = await patch(url, path, 6000, picture.subarray(6000), length(picture));
    expect(last.status).toBe(204);
    expect((await blobOf(path)).equals(picture)).toBe(true);
  });

  it('checks what a checksum is sent for, and counts none of it if it differs', async () => {
    const path = await create(url, length(picture));
    const digest = (name: string, bytes: Uint8Array): Record<string, string> => ({
      'upload-checksum': `${name} ${createHash(name).update(bytes).digest('base64')}`,
    });
    let at = 0;
    for (const name of ['sha1', 'sha256', 'md5']) {
      const piece = picture.subarray(at, at + 2000);
      const damaged = Buffer.from(piece);
      damaged[7] = (damaged[7] ?? 0) ^ 1;
      const refused = await patch(url, path, at, damaged, digest(name, piece));
      expect([refused.status, code(refused)]).toEqual([460, 'checksum_mismatch']);
      expect(await offsetOf(url, path)).toBe(at);
      expect((await patch(url, path, at, piece, digest(name, piece))).status).toBe(204);
      at += piece.length;
    }
    for (const bad of ['crc32 AAAAAA==', 'sha1 AAAA', 'sha1', 'sha256 !']) {
      const answer = await patch(url, path, at, Buffer.from('x'), { 'upload-checksum': bad });
      expect([answer.status, code(answer)]).toEqual([400, 'invalid_request']);
    }
    expect((await patch(url, path, at, picture.subarray(at))).status).toBe(204);
    expect((await blobOf(path)).equals(picture)).toBe(true);
  });

  it('counts nothing of what breaks off under a checksum', async () => {
    const path = await create(url, length(picture));
    const checksum = `sha1 ${createHash('sha1').update(picture).digest('base64')}`;
    const { outgoing } = openPatch(url, path, 0, picture.length);
    outgoing.setHeader('upload-checksum', checksum);
    outgoing.write(picture.subarray(0, 5000));
    await eventually(
      'the first bytes',
      async () => (await files()).length > 0 && outgoing.writableLength === 0,
    );
    outgoing.destroy();
    expect(await offsetOf(url, path)).toBe(0);
    expect((await patch(url, path, 0, picture, { 'upload-checksum': checksum })).status).toBe(204);
    expect((await blobOf(path)).equals(picture)).toBe(true);
  });

  it('goes on after a break with what has come', async () => {
    const path = await create(url, length(long));
    let at = 0;
    while (at < long.length) {
      const { outgoing, answer } = openPatch(url, path, at, long.length - at);
      outgoing.write(long.subarray(at, at + 150_000));
      if (at + 150_000 < long.length) {
        await new Promise((resolve) => outgoing.write(Buffer.alloc(0), resolve));
        outgoing.destroy();
      } else {
        outgoing.end();
        expect((await answer).status).toBe(204);
      }
      at = await offsetOf(url, path);
    }
    expect((await blobOf(path)).equals(long)).toBe(true);
  });

  it('is removed with all it has', async () => {
    const before = await files();
    const path = await create(url, length(picture));
    await patch(url, path, 0, picture.subarray(0, 5000));
    expect((await files()).length).toBe(before.length + 1);
    expect((await tus(url, 'DELETE', path)).status).toBe(204);
    expect(await files()).toEqual(before);
    for (const method of ['HEAD', 'DELETE']) expect((await tus(url, method, path)).status).toBe(404);
    expect((await patch(url, path, 5000, picture.subarray(5000))).status).toBe(404);
  });

  it('is removed while it comes', async () => {
    const before = await files();
    const path = await create(url, length(long));
    const { outgoing, answer } = openPatch(url, path, 0, long.length);
    outgoing.write(long.subarray(0, 5000));
    const records = await openRecords(server.config);
    await eventually('a writer', async () => (await records.get(UPLOADS, idOf(path)))?.value.writer != null);
    await records.close();
    expect((await tus(url, 'DELETE', path)).status).toBe(204);
    // Not asked to send the rest first.
    expect((await answer).status).toBe(404);
    outgoing.destroy();
    expect(await files()).toEqual(before);
  });

  it('takes PATCH and DELETE by POST', async () => {
    const path = await create(url, length(picture));
    const override = (method: string) => ({ 'x-http-method-override': method });
    const headers = { 'content-type': OFFSET_BYTES, 'upload-offset': '0', ...override('PATCH') };
    expect((await tus(url, 'POST', path, headers, picture)).status).toBe(204);
    expect((await blobOf(path)).equals(picture)).toBe(true);
    expect((await tus(url, 'POST', path)).status).toBe(405);
    expect((await tus(url, 'POST', path, override('DELETE'))).status).toBe(204);
    expect((await tus(url, 'HEAD', path)).status).toBe(404);
  });
});

describe('parts', () => {
  const part = async (bytes: Buffer): Promise<string> => {
    const path = await create(url, { ...length(bytes), 'upload-concat': 'partial' });
    expect((await patch(url, path, 0, bytes.subarray(0, 100))).status).toBe(204);
    expect((await patch(url, path, 100, bytes.subarray(100))).status).toBe(204);
    return path;
  };

  it('are put together in their order, and are no sources themselves', async () => {
    const cuts = [0, 70_000, 130_000, long.length];
    const parts = await Promise.all(
      cuts.slice(0, -1).map((from, index) => part(long.subarray(from, cuts[index + 1]))),
    );
    const concat = `final;${url}${parts[0]} ${parts[1]} ${parts[2]}`;
    const made = new Set<string>();
    for (let twice = 0; twice < 2; twice++) {
      const final = await tus(url, 'POST', '/v1/uploads', { 'upload-concat': concat });
      expect([final.status, final.headers['upload-offset']]).toEqual([201, String(long.length)]);
      const path = String(final.headers.location);
      made.add(path);
      expect((await blobOf(path)).equals(long)).toBe(true);
      const head = await tus(url, 'HEAD', path);
      expect(head.headers).toMatchObject({
        'upload-concat': `final;${parts.join(' ')}`,
        'upload-length': String(long.length),
      });
      expect(code(await patch(url, path, long.length, Buffer.from('x')))).toBe('upload_final');
    }
    // Whoever missed the answer asks again, and is given no second one.
    expect(made.size).toBe(1);
    expect((await tus(url, 'HEAD', parts[0] ?? '')).headers['upload-concat']).toBe('partial');
    expect(await view(parts[0] ?? '')).toMatchObject({ status: 'part', source: null });
    const asked = (await (await server.request('/v1/uploads?status=part&limit=100')).json()) as {
      uploads: { links: { self: string } }[];
    };
    expect(asked.uploads.map(({ links }) => links.self)).toEqual(expect.arrayContaining(parts));
    expect((await server.request('/v1/uploads?status=other')).status).toBe(400);
    const listed = (await (await server.request('/v1/uploads?limit=100')).json()) as {
      uploads: { links: { self: string } }[];
    };
    const paths = listed.uploads.map(({ links }) => links.self);
    expect(paths.filter((path) => parts.includes(path))).toEqual([]);
    const asSource = await server.request(`/v1/images/info?source=upload:${idOf(parts[0] ?? '')}`);
    expect(asSource.status).toBe(409);
  });

  it('must be finished, there, and parts', async () => {
    const whole = await part(long.subarray(0, 1000));
    const open = await create(url, { 'upload-length': '2000', 'upload-concat': 'partial' });
    const ordinary = await create(url, length(picture));
    const before = await files();
    for (const [others, status, problem] of [
      [[whole, open], 409, 'upload_unfinished'],
      [[whole, ordinary], 400, 'invalid_request'],
      [[whole, `/v1/uploads/${newId()}`], 404, 'source_not_found'],
      [[whole, '/v1/uploads/../../etc/passwd'], 400, 'invalid_request'],
      [['file:///etc/passwd'], 400, 'invalid_request'],
      [[whole, url + whole], 400, 'invalid_request'],
      [Array.from({ length: 260 }, () => '/v1/uploads/1'), 400, 'invalid_request'],
      [Array.from({ length: 10_000 }, () => whole), 431, 'headers_too_large'],
    ] as const) {
      const answer = await tus(url, 'POST', '/v1/uploads', { 'upload-concat': `final;${others.join(' ')}` });
      expect([answer.status, code(answer)]).toEqual([status, problem]);
    }
    expect(await files()).toEqual(before);
  });

  it('that are no media together leave nothing but themselves', async () => {
    const text = await part(Buffer.from('only words '.repeat(1000)));
    const before = await files();
    const answer = await tus(url, 'POST', '/v1/uploads', { 'upload-concat': `final;${text}` });
    expect([answer.status, code(answer)]).toEqual([415, 'media_type_unsupported']);
    expect(await files()).toEqual(before);
  });
});

describe('what is refused', () => {
  it.each([
    [{}, 400, 'invalid_request'],
    [{ 'upload-length': '-1' }, 400, 'invalid_request'],
    [{ 'upload-length': '1e5' }, 400, 'invalid_request'],
    [{ 'upload-length': '99999999999999999999' }, 400, 'invalid_request'],
    [{ 'upload-length': '0' }, 400, 'file_missing'],
    [{ 'upload-length': '600001' }, 413, 'payload_too_large'],
    [{ 'upload-length': '999999999999999' }, 413, 'payload_too_large'],
    [{ 'upload-length': '5', 'upload-defer-length': '1' }, 400, 'invalid_request'],
    [{ 'upload-defer-length': '2' }, 400, 'invalid_request'],
    [{ 'upload-length': '5', 'upload-metadata': 'a b c' }, 400, 'invalid_request'],
    [{ 'upload-length': '5', 'upload-metadata': 'a YQ==,a YQ==' }, 400, 'invalid_request'],
    [{ 'upload-length': '5', 'upload-metadata': `a ${'A'.repeat(8000)}` }, 400, 'invalid_request'],
    [
      { 'upload-length': '5', 'upload-metadata': Array.from({ length: 500 }, (_, i) => `k${i}`).join(',') },
      400,
      'invalid_request',
    ],
    [{ 'upload-length': '5', 'upload-concat': 'both' }, 400, 'invalid_request'],
    [{ 'upload-length': '5', 'upload-concat': 'final;' }, 400, 'invalid_request'],
    [{ 'upload-length': '5', 'tus-resumable': '0.2.2' }, 412, 'upload_version'],
  ])('of a creation: %j', async (headers, status, problem) => {
    const answer = await tus(url, 'POST', '/v1/uploads', headers);
    expect([answer.status, code(answer)]).toEqual([status, problem]);
    if (status === 412) expect(answer.headers['tus-version']).toBe('1.0.0');
  });

  it('of a PATCH: a wrong offset, type or version, and too many bytes', async () => {
    const path = await create(url, length(picture));
    await patch(url, path, 0, picture.subarray(0, 5000));
    for (const [offset, headers, status, problem] of [
      ['4999', {}, 409, 'upload_offset'],
      ['5001', {}, 409, 'upload_offset'],
      ['-5', {}, 400, 'invalid_request'],
      ['NaN', {}, 400, 'invalid_request'],
      ['5000', { 'content-type': 'application/octet-stream' }, 415, 'media_type_unsupported'],
      ['5000', { 'content-type': 'multipart/form-data; boundary=x' }, 415, 'media_type_unsupported'],
      ['5000', { 'tus-resumable': '2.0.0' }, 412, 'upload_version'],
      ['5000', { 'upload-length': String(picture.length + 1) }, 400, 'invalid_request'],
      ['5000', { 'content-encoding': 'gzip' }, 415, 'content_encoding_unsupported'],
    ] as const) {
      const answer = await patch(url, path, 0, picture.subarray(5000, 6000), {
        'upload-offset': offset,
        ...headers,
      });
      expect([answer.status, code(answer)]).toEqual([status, problem]);
      if (status === 409) expect(answer.headers['upload-offset']).toBe('5000');
    }
    const tooMany = Buffer.concat([picture.subarray(5000), Buffer.alloc(100)]);
    expect(code(await patch(url, path, 5000, tooMany))).toBe('payload_too_large');
    const endless = async function* () {
      for (let i = 0; i < 20; i++) yield Buffer.alloc(40_000);
    };
    expect(code(await patch(url, path, 5000, endless()))).toBe('payload_too_large');
    const at = await offsetOf(url, path);
    expect(at).toBeGreaterThanOrEqual(5000);
    expect(at).toBeLessThanOrEqual(picture.length);
  });

  it.each(['/v1/uploads/x', `/v1/uploads/${newId()}`, '/v1/uploads/..%2f..%2fetc%2fpasswd'])(
    'of addresses: %s',
    async (path) => {
      expect((await tus(url, 'HEAD', path)).status).toBe(404);
      expect((await patch(url, path, 0, Buffer.from('x'))).status).toBe(404);
      expect((await tus(url, 'DELETE', path)).status).toBe(404);
    },
  );

  it('of files: what is no media, as soon as that can be seen', async () => {
    const before = await files();
    const text = Buffer.from('<!doctype html><script>alert(1)</script>'.repeat(5000));
    const path = await create(url, length(text));
    const { outgoing, answer } = openPatch(url, path, 0, text.length);
    // The rest is never sent: the answer cannot have waited for it.
    outgoing.write(text.subarray(0, 5000));
    const refused = await answer;
    outgoing.destroy();
    expect(refused.status).toBe(415);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'media_type_unsupported' });
    expect((await tus(url, 'HEAD', path)).status).toBe(404);

    const short = await create(url, { 'upload-length': '11' });
    expect((await patch(url, short, 0, text.subarray(0, 5))).status).toBe(204);
    expect((await patch(url, short, 5, text.subarray(5, 11))).status).toBe(415);
    expect(await files()).toEqual(before);
  });

  it('of pictures: more than one may have, also if the length was left open', async () => {
    const before = await files();
    const big = Buffer.concat([picture, Buffer.alloc(300_000)]);
    const path = await create(url, length(big));
    expect(code(await patch(url, path, 0, big))).toBe('payload_too_large');
    expect((await tus(url, 'HEAD', path)).status).toBe(404);
    const open = await create(url, { 'upload-defer-length': '1' });
    expect(code(await patch(url, open, 0, big))).toBe('payload_too_large');
    expect((await tus(url, 'HEAD', open)).status).toBe(404);
    expect(await files()).toEqual(before);
  });
});

describe('a body that stalls', () => {
  it('is given up, and what came of it is kept', async () => {
    await using slow = await startTestServer({ REQUEST_TIMEOUT_SECONDS: '1', MIN_UPLOAD_RATE: '100000' });
    const path = await create(slow.url, length(long));
    const { outgoing, answer } = openPatch(slow.url, path, 0, long.length);
    outgoing.write(long.subarray(0, 5000));
    const given = await answer;
    outgoing.destroy();
    expect(given.status).toBe(408);
    expect(await offsetOf(slow.url, path)).toBe(5000);
    expect((await patch(slow.url, path, 5000, long.subarray(5000))).status).toBe(204);
  });
});

describe('the list', () => {
  it('has the newest first, page by page', async () => {
    const one = await create(url, length(picture));
    const two = await create(url, length(picture));
    const page = async (query: string) =>
      (await (await server.request(`/v1/uploads?${query}`)).json()) as {
        uploads: { links: { self: string } }[];
        next: string | null;
      };
    const first = await page('limit=1');
    expect(first.uploads.map(({ links }) => links.self)).toEqual([two]);
    const second = await page(`limit=1&after=${first.next}`);
    expect(second.uploads.map(({ links }) => links.self)).toEqual([one]);
    expect((await server.request('/v1/uploads?limit=0')).status).toBe(400);
  });
});
