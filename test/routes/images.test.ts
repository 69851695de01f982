import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer({ IMAGE_MAX_BYTES: '2000000', IMAGE_MAX_PIXELS: '2000000' });
  photo = new Uint8Array(
    await sharp({ create: { width: 1200, height: 800, channels: 3, background: '#3366aa' } })
      .composite([
        {
          input: { create: { width: 600, height: 400, channels: 3, background: '#ffcc00' } },
          gravity: 'southeast',
        },
      ])
      .jpeg()
      .toBuffer(),
  );
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (
  query: string,
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
): Promise<Response> => server.request(`/v1/images${query}`, { method: 'POST', body, headers });

describe('POST /v1/images', () => {
  it('answers a raw body with the rendition', async () => {
    const response = await post('?width=300&format=webp', photo, { 'content-type': 'image/jpeg' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/webp');
    expect(response.headers.get('mediamill-size')).toBe('300x200');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('server-timing')).toMatch(
      /^upload;dur=[\d.]+, queue;dur=[\d.]+, process;dur=[\d.]+$/,
    );
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 300, height: 200 });
  });

  it('answers a form with the same bytes, named after the source', async () => {
    const [raw, multipart] = await Promise.all([
      post('?width=300', photo),
      post('?width=300', form(photo, {}, '../Höhe.jpeg')),
    ]);
    expect(multipart.status).toBe(200);
    expect(multipart.headers.get('etag')).toBe(raw.headers.get('etag'));
    expect(multipart.headers.get('content-disposition')).toBe(
      `inline; filename="H_he.jpg"; filename*=UTF-8''H%C3%B6he.jpg`,
    );
    expect(raw.headers.get('content-disposition')).toBeNull();
  });

  it('takes a body of unknown length and of any Content-Type: the bytes say what it is', async () => {
    const body = new Blob([photo]).stream();
    const response = await server.request('/v1/images?width=100', {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
  });

  it('becomes a job when the client prefers that', async () => {
    const response = await post('?width=300&format=png', photo, { prefer: 'respond-async' });
    expect(response.status).toBe(202);
    expect(response.headers.get('preference-applied')).toBe('respond-async');
    const job = await server.finished((await response.json()) as { id: string });
    expect(job).toMatchObject({
      status: 'succeeded',
      progress: 1,
      source: { mediaType: 'image/jpeg', width: 1200, height: 800 },
      outputs: [
        {
          name: 'image',
          type: 'image',
          status: 'succeeded',
          mediaType: 'image/png',
          width: 300,
          height: 200,
        },
      ],
    });
    const result = await server.request(job.outputs[0]?.url ?? '');
    expect(await sharp(await result.arrayBuffer()).metadata()).toMatchObject({ format: 'png', width: 300 });
  });

  it.each([
    ['?width=0', 'width'],
    ['?width=99999', 'width'],
    ['?width=', 'width'],
    ['?width=1e9', 'width'],
    ['?width=10&width=20', 'width'],
    ['?format=bmp', 'format'],
    ['?quality=101', 'quality'],
    ['?flip=perhaps', 'flip'],
  ])('refuses %s naming the field', async (query, field) => {
    const response = await post(query, photo);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(problem.errors?.map((error) => error.field)).toContain(field);
    expect(problem.detail).toContain(field);
  });

  it('refuses unknown parameters instead of ignoring a typing error', async () => {
    const problem = await problemOf(await post('?widht=300', photo));
    expect(problem).toMatchObject({ code: 'invalid_request' });
    expect(problem.detail).toContain('widht');
  });

  it.each<[string, () => NonNullable<RequestInit['body']>, string, number]>([
    ['text', () => 'hello, this is no image', 'media_type_unsupported', 415],
    ['a playlist', () => '#EXTM3U\n#EXT-X-VERSION:3\nhttp://127.0.0.1/x.ts', 'media_type_unsupported', 415],
    ['half an image', () => photo.slice(0, 300), 'image_unreadable', 422],
    ['an empty body', () => '', 'file_missing', 400],
    [
      'a form without a file',
      () => {
        const data = new FormData();
        data.append('x', '1');
        return data;
      },
      'invalid_request',
      400,
    ],
    [
      'a file in another part',
      () => {
        const data = new FormData();
        data.append('image', new Blob([photo]), 'a.jpg');
        return data;
      },
      'invalid_request',
      400,
    ],
    [
      'two files',
      () => {
        const data = form(photo);
        data.append('file', new Blob([photo]), 'b.jpg');
        return data;
      },
      'invalid_request',
      400,
    ],
  ])('refuses %s', async (_name, body, code, status) => {
    expect(await problemOf(await post('?width=100', body()))).toMatchObject({ code, status });
  });

  it('refuses more pixels than allowed, from the header alone', async () => {
    const huge = await sharp({ create: { width: 2000, height: 1100, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(await problemOf(await post('?width=10', new Uint8Array(huge)))).toMatchObject({
      code: 'image_too_large',
    });
  });

  it.each([['announced'], ['found while streaming']])(
    'refuses more bytes than allowed, %s, and the client reads why',
    async (how) => {
      const body = new Uint8Array(3_000_000);
      const response =
        how === 'announced'
          ? await post('', body)
          : await server.request('/v1/images', {
              method: 'POST',
              body: new Blob([body]).stream(),
              duplex: 'half',
            });
      expect(await problemOf(response)).toMatchObject({ code: 'payload_too_large', status: 413 });
    },
  );

  it('refuses a compressed upload', async () => {
    expect(await problemOf(await post('', photo, { 'content-encoding': 'gzip' }))).toMatchObject({
      code: 'content_encoding_unsupported',
      status: 415,
    });
  });

  it('refuses a form without its last boundary', async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nabc';
    const problem = await problemOf(
      await post('', body, { 'content-type': 'multipart/form-data; boundary=b' }),
    );
    expect(problem).toMatchObject({ code: 'malformed_multipart', status: 400 });
  });
});

it('takes images but no videos where there is no FFmpeg, and says so', async () => {
  await using bare = await startTestServer({
    FFMPEG_PATH: '/nowhere/ffmpeg',
    FFPROBE_PATH: '/nowhere/ffprobe',
  });
  expect((await bare.request('/v1/images?width=10', { method: 'POST', body: photo })).status).toBe(200);
  const refused = await bare.request('/v1/videos', { method: 'POST', body: photo });
  expect(await problemOf(refused)).toMatchObject({ code: 'encoder_missing', status: 503 });
  expect(refused.headers.get('retry-after')).toBe('60');
  const ready = await bare.request('/readyz');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ status: 'not_ready', checks: { ffmpeg: { ok: false } } });
});

it('refuses a form whose part has no name', async () => {
  const body = '--b\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--b--\r\n';
  const response = await post('', body, { 'content-type': 'multipart/form-data; boundary=b' });
  expect(await problemOf(response)).toMatchObject({ code: 'malformed_multipart', status: 400 });
});

describe('other addresses', () => {
  it('names the methods that are possible', async () => {
    const response = await server.request('/v1/images');
    expect(response.headers.get('allow')).toBe('POST');
    expect(await problemOf(response)).toMatchObject({ code: 'method_not_allowed', status: 405 });
  });
  it('knows what is not there', async () => {
    expect(await problemOf(await server.request('/v1/nothing'))).toMatchObject({
      code: 'route_not_found',
      status: 404,
    });
    expect(await problemOf(await server.request('/%'))).toMatchObject({ status: 400 });
  });
  it('tells what there is', async () => {
    const operations = (await (await server.request('/v1/operations')).json()) as {
      image: { name: string; params: object }[];
    };
    expect(operations.image.map(({ name }) => name)).toContain('resize');
    const openapi = (await (await server.request('/openapi.json')).json()) as {
      openapi: string;
      paths: object;
    };
    expect(openapi.openapi).toBe('3.1.0');
    expect(Object.keys(openapi.paths)).toContain('/v1/jobs/{id}');
    expect(await (await server.request('/')).json()).toMatchObject({ name: 'mediamill' });
  });
  it('is alive and ready', async () => {
    expect(await (await server.request('/livez')).json()).toEqual({ status: 'ok' });
    const ready = await server.request('/readyz');
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { ffmpeg: { ok: true } } });
  });
});
