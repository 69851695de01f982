import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import { parseUrlKeys, signedPath } from '../../src/lib/signed-url.ts';
import { imageFixture } from '../support/fixtures.ts';
import { decodePicture } from '../support/inspect.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const KEYS = `new:${'a1'.repeat(32)},old:${'b2'.repeat(32)},shop/web:${'d4'.repeat(32)}`;
const [key, old, ofShop] = parseUrlKeys(KEYS);
const [other] = parseUrlKeys(`other:${'c3'.repeat(32)}`);

let server: TestServer;
let folder: string;
let picture: Buffer;
let source: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  picture = await imageFixture({ width: 320, height: 240 });
  await writeFile(join(folder, 'fallback.png'), await imageFixture({ width: 8, height: 8, format: 'png' }));
  await writeFile(
    join(folder, 'presets.json'),
    JSON.stringify({
      thumb: { outputs: { image: { type: 'image', steps: [{ op: 'resize', width: 50 }], format: 'webp' } } },
      pair: {
        outputs: {
          small: { type: 'image', steps: [{ op: 'resize', width: 20 }], format: 'png' },
          large: { type: 'image', steps: [{ op: 'resize', width: 40 }], format: 'png' },
        },
      },
      film: { outputs: { video: { type: 'transcode', format: 'mp4' } } },
    }),
  );
  server = await startTestServer({ URL_KEYS: KEYS, PRESETS_FILE: join(folder, 'presets.json') });
  source = await upload(server);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function upload(at: TestServer, bytes: Uint8Array = picture): Promise<string> {
  const response = await at.request('/v1/uploads', { method: 'POST', body: new Uint8Array(bytes) });
  return ((await response.json()) as { source: string }).source;
}
const options = (text: string): Map<string, string> => new Map(new URLSearchParams(text));
const pathOf = (text: string, of = source, signedBy = key): string =>
  signedPath({ options: options(text), source: of }, { key: signedBy });
const get = (path: string, headers: Record<string, string> = {}, method = 'GET', at = server) =>
  at.request(path, { method, headers });
const shown = async (response: Response) => {
  expect(response.status).toBe(200);
  return decodePicture(new Uint8Array(await response.arrayBuffer()));
};
const status = (response: Response): string | null => response.headers.get('cache-status');

describe('a signed image', () => {
  it('is made once and then taken from the cache', async () => {
    const path = pathOf('width=100&format=webp');
    const first = await get(path);
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'public, max-age=86400, stale-while-revalidate=86400',
      'cache-status': 'mediamill; fwd=miss; stored',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
      'mediamill-size': '100x75',
      'x-content-type-options': 'nosniff',
    });
    expect(first.headers.get('vary')).toBeNull();
    const bytes = Buffer.from(await first.arrayBuffer());
    expect(await decodePicture(bytes)).toEqual({ format: 'webp', width: 100, height: 75 });

    const second = await get(path);
    expect(status(second)).toBe('mediamill; hit');
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(Buffer.from(await second.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('is the picture that POST makes of the same options', async () => {
    const posted = await server.request('/v1/images?width=90&format=png', {
      method: 'POST',
      body: new Uint8Array(picture),
    });
    const bytes = Buffer.from(await posted.arrayBuffer());
    const fetched = await get(pathOf('width=90&format=png'));
    expect(Buffer.from(await fetched.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('has no options behind a dash', async () => {
    expect(await shown(await get(pathOf('')))).toEqual({ format: 'jpeg', width: 320, height: 240 });
  });

  it('is not sent again to whoever has it, nor made again', async () => {
    const path = pathOf('width=101');
    const first = await get(path);
    await first.arrayBuffer();
    const etag = first.headers.get('etag') ?? '';
    for (const tags of [etag, `"x", W/${etag}`, '*']) {
      const again = await get(path, { 'if-none-match': tags });
      expect([again.status, await again.text()]).toEqual([304, '']);
      expect(again.headers.get('etag')).toBe(etag);
      expect(again.headers.get('cache-control')).toBe(first.headers.get('cache-control'));
    }
    expect((await get(path, { 'if-none-match': '"x"' })).status).toBe(200);
    // Evicted: what the client has is right all the same, as an upload never changes.
    await rm(join(server.config.DATA_DIR, 'cache/entries'), { recursive: true });
    const cold = await startTestServer({ URL_KEYS: KEYS }, { dataDir: server.config.DATA_DIR });
    const forgotten = await get(path, { 'if-none-match': etag }, 'GET', cold);
    expect([forgotten.status, forgotten.headers.get('etag')]).toEqual([304, etag]);
    await cold[Symbol.asyncDispose]();
  });

  it.each(['cold', 'cached'])('answers HEAD as GET (%s)', async (state) => {
    const path = pathOf(`width=${state === 'cold' ? 102 : 103}`);
    if (state === 'cached') await (await get(path)).arrayBuffer();
    const head = await get(path, {}, 'HEAD');
    const full = await get(path);
    const length = (await full.arrayBuffer()).byteLength;
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(head.headers.get('content-length')).toBe(String(length));
    for (const name of ['etag', 'content-type', 'cache-control', 'mediamill-size'])
      expect(head.headers.get(name)).toBe(full.headers.get(name));
  });

  it('survives a restart in the cache', async () => {
    const path = pathOf('width=104');
    await (await get(path)).arrayBuffer();
    await using again = await startTestServer({ URL_KEYS: KEYS }, { dataDir: server.config.DATA_DIR });
    expect(status(await get(path, {}, 'GET', again))).toBe('mediamill; hit');
  });

  it('is in the format that the client takes best, and says on what that depends', async () => {
    const path = pathOf('width=105&format=auto');
    const webp = await get(path, { accept: 'image/webp,*/*;q=0.8' });
    const jpeg = await get(path, { accept: 'image/jpeg' });
    expect([webp, jpeg].map(({ headers }) => headers.get('content-type'))).toEqual([
      'image/webp',
      'image/jpeg',
    ]);
    expect([webp, jpeg].map(({ headers }) => headers.get('vary'))).toEqual(['accept', 'accept']);
    expect(webp.headers.get('etag')).not.toBe(jpeg.headers.get('etag'));
    // Another way to say the same is the same rendition.
    const same = await get(path, { accept: 'image/webp;q=0.9,*/*;q=0.1' });
    expect(status(same)).toBe('mediamill; hit');
    const etag = webp.headers.get('etag') ?? '';
    const known = await get(path, { accept: 'image/webp,*/*;q=0.8', 'if-none-match': etag });
    expect([known.status, known.headers.get('vary')]).toEqual([304, 'accept']);
  });
});

describe('a signature', () => {
  it('may be made by any of the keys', async () => {
    expect((await get(pathOf('width=106', source, old))).status).toBe(200);
  });

  it.each([
    ['another key', () => pathOf('width=107', source, other)],
    ['none at all', () => signedPath({ options: options('width=107'), source }, { key: undefined })],
    ['something else', () => pathOf('width=107').replace('width=107', 'width=108')],
    ['another source', () => pathOf('width=107').replace(encodeURIComponent(source), `upload%3A${newId()}`)],
  ])('by %s is refused, before anything is looked at', async (_what, path) => {
    expect(await problemOf(await get(path()))).toMatchObject({ code: 'signature_invalid', status: 403 });
  });

  it('expires, and nobody keeps the picture longer', async () => {
    const soon = Math.floor(Date.now() / 1000) + 60;
    const response = await get(pathOf(`width=109&expires=${soon}`));
    const [, maxAge = ''] =
      /^public, max-age=(\d+), must-revalidate$/.exec(response.headers.get('cache-control') ?? '') ?? [];
    expect(Number(maxAge)).toBeGreaterThan(0);
    expect(Number(maxAge)).toBeLessThanOrEqual(60);
    // The time is no part of the picture: both share one rendition.
    expect(status(await get(pathOf(`width=109&expires=${soon + 1}`)))).toBe('mediamill; hit');
    const late = await get(pathOf(`width=109&expires=${soon - 120}`));
    expect(await problemOf(late)).toMatchObject({ code: 'signature_expired', status: 410 });
  });

  it('covers what is refused then: unknown and doubled options, and what follows a question mark', async () => {
    for (const [path, detail] of [
      [pathOf('width=110&colour=red'), 'there is no "colour" here'],
      [pathOf('width=0'), 'width'],
      [pathOf('expires=soon'), 'expires: must be seconds since 1970'],
      [pathOf('output=small'), 'there is no preset'],
      [pathOf('width=110').replace('width=110', 'width=110&width=110'), 'twice'],
      [`${pathOf('width=110')}?height=5`, 'with nothing after it'],
      ['/v1/images/x/y', 'must be /v1/images/{signature}'],
    ] as const) {
      const problem = await problemOf(await get(path));
      expect(problem).toMatchObject({ code: 'invalid_request', status: 400 });
      expect(problem.detail).toContain(detail);
    }
  });

  it('is needed unless it is said not to be', async () => {
    await using open = await startTestServer({ URL_UNSIGNED: 'true' });
    const of = await upload(open);
    const path = signedPath({ options: options('width=50'), source: of }, { key: undefined });
    expect((await get(path, {}, 'GET', open)).status).toBe(200);
    await using closed = await startTestServer();
    const problem = await problemOf(await get(path, {}, 'GET', closed));
    expect(problem.code).toBe('signature_invalid');
    expect(problem.detail).toContain('URL_KEYS');
  });
});

describe('a preset', () => {
  it('stands for its options', async () => {
    expect(await shown(await get(pathOf('preset=thumb')))).toMatchObject({ format: 'webp', width: 50 });
    expect(await shown(await get(pathOf('preset=pair&output=large')))).toMatchObject({
      format: 'png',
      width: 40,
    });
  });

  it.each([
    ['preset=unknown', 'preset_unknown'],
    ['preset=pair', 'invalid_request'],
    ['preset=pair&output=medium', 'invalid_request'],
    ['preset=film', 'invalid_request'],
    ['preset=thumb&width=60', 'invalid_request'],
  ])('%s is %s', async (text, code) => {
    expect((await problemOf(await get(pathOf(text)))).code).toBe(code);
  });

  it('is all there is, where it is said so', async () => {
    await using only = await startTestServer({
      URL_KEYS: KEYS,
      URL_PRESETS_ONLY: 'true',
      PRESETS_FILE: join(folder, 'presets.json'),
    });
    const of = await upload(only);
    expect((await get(pathOf('preset=thumb', of), {}, 'GET', only)).status).toBe(200);
    const problem = await problemOf(await get(pathOf('width=50', of), {}, 'GET', only));
    expect(problem.detail).toContain('by presets only');
  });
});

describe('a source', () => {
  it('is that of the tenant whose key signed the address', async () => {
    const of = await upload(server);
    const paths = [pathOf('width=70', of), pathOf('width=70', of, ofShop)];
    const statuses = async () => Promise.all(paths.map(async (path) => (await get(path)).status));
    expect(await statuses()).toEqual([200, 404]);
    const steps = `watermark=southeast,0.5,1,${encodeURIComponent(of)}`;
    const marked = [pathOf(steps), pathOf(steps, of, ofShop)];
    expect((await get(marked[0]!)).status).toBe(200);
    expect((await get(marked[1]!)).status).toBe(404);
  });

  it('that is removed takes every rendition along', async () => {
    const of = await upload(server);
    const paths = [pathOf('width=60', of), pathOf('width=61', of)];
    const first = await Promise.all(paths.map((path) => get(path)));
    const entries = join(server.config.DATA_DIR, 'cache/entries');
    const before = await readdir(entries);
    await server.request(`/v1/uploads/${of.replace('upload:', '')}`, { method: 'DELETE' });
    expect((await readdir(entries)).length).toBe(before.length - 1);
    for (const [i, path] of paths.entries()) {
      const etag = first[i]?.headers.get('etag') ?? '';
      const gone = await get(path, { 'if-none-match': etag });
      expect(await problemOf(gone)).toMatchObject({ code: 'source_not_found', status: 404 });
    }
  });

  it.each([
    ['no upload', () => `upload:${newId()}`, 'source_not_found'],
    ['no id', () => 'upload:../../etc/passwd', 'source_not_found'],
    ['no source', () => 'whatever', 'source_not_found'],
    ['a file', () => 'file:///etc/passwd', 'source_forbidden'],
    ['a URL, where none are allowed', () => 'https://example.com/a.jpg', 'source_forbidden'],
  ])('that is %s is refused', async (_what, of, code) => {
    expect((await problemOf(await get(pathOf('width=10', of())))).code).toBe(code);
  });

  it('that cannot be read fails once and is remembered for a moment', async () => {
    const of = await upload(server, picture.subarray(0, 2000));
    const first = await problemOf(await get(pathOf('width=10', of)));
    expect(first.code).toBe('image_unreadable');
    expect(await problemOf(await get(pathOf('width=10', of)))).toEqual({
      ...first,
      instance: expect.any(String) as string,
    });
  });

  it('that is missing or broken is replaced by a picture, where there is one for that', async () => {
    await using kind = await startTestServer({
      URL_KEYS: KEYS,
      FALLBACK_IMAGE: join(folder, 'fallback.png'),
    });
    const missing = await get(pathOf('width=10', `upload:${newId()}`), {}, 'GET', kind);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('cache-control')).toBe('public, max-age=10');
    expect(missing.headers.get('content-type')).toBe('image/png');
    expect(await decodePicture(new Uint8Array(await missing.arrayBuffer()))).toMatchObject({ width: 8 });
    const unsigned = await get(pathOf('width=10', source, other), {}, 'GET', kind);
    expect(await problemOf(unsigned)).toMatchObject({ status: 403 });
  });

  it('needs a fallback image that is one', async () => {
    await writeFile(join(folder, 'words.png'), 'words');
    for (const name of ['words.png', 'missing.png'])
      await expect(startTestServer({ FALLBACK_IMAGE: join(folder, name) })).rejects.toThrow('FALLBACK_IMAGE');
  });
});
