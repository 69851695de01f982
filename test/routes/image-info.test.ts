import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageFacts } from '../../src/operations/image-facts.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer({ IMAGE_MAX_BYTES: '2000000' });
  const image = sharp({ create: { width: 120, height: 80, channels: 3, background: '#3366aa' } });
  photo = new Uint8Array(
    await image
      .withExif({
        IFD0: { Make: 'M', Copyright: 'Ann' },
        IFD3: {
          GPSLatitudeRef: 'N',
          GPSLatitude: '52/1 30/1 0/1',
          GPSLongitudeRef: 'E',
          GPSLongitude: '13/1 24/1 0/1',
        },
      })
      .jpeg()
      .toBuffer(),
  );
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (query: string, body: NonNullable<RequestInit['body']>): Promise<Response> =>
  server.request(`/v1/images/info${query}`, { method: 'POST', body });
const facts = async (query: string, body: NonNullable<RequestInit['body']> = photo): Promise<ImageFacts> => {
  const response = await post(query, body);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return (await response.json()) as ImageFacts;
};

describe('POST /v1/images/info', () => {
  it('tells everything but the place', async () => {
    const told = await facts('');
    expect(told).toMatchObject({
      format: 'jpeg',
      mediaType: 'image/jpeg',
      bytes: photo.length,
      width: 120,
      height: 80,
      frames: 1,
      opaque: true,
      exif: { make: 'M', copyright: 'Ann' },
      palette: [{ share: 1 }],
    });
    expect(JSON.stringify(told)).not.toMatch(/gps|latitude/);
    expect(await facts('', form(photo))).toEqual(told);
  });

  it('tells the place when it is asked', async () => {
    expect(await facts('?fields=format&gps=true')).toEqual({
      format: 'jpeg',
      gps: { latitude: 52.5, longitude: 13.4 },
    });
  });

  it('tells only the fields asked for', async () => {
    expect(await facts('?fields=size')).toEqual({ width: 120, height: 80 });
    expect(await facts('?fields=width,height,format,frames')).toEqual({
      width: 120,
      height: 80,
      format: 'jpeg',
      frames: 1,
    });
    expect(Object.keys(await facts('?fields=dhash,%20blurhash')).toSorted()).toEqual(['blurhash', 'dhash']);
  });

  it.each([
    ['?fields=', 'fields'],
    ['?fields=gps', 'fields'],
    ['?fields=width,nonsense', 'fields'],
    ['?gps=perhaps', 'gps'],
    ['?field=width', 'field'],
  ])('refuses %s naming the field', async (query, field) => {
    const problem = await problemOf(await post(query, photo));
    expect(problem).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(problem.detail).toContain(field);
  });

  it.each<[string, () => NonNullable<RequestInit['body']>, string, number]>([
    ['text', () => 'hello, this is no image', 'media_type_unsupported', 415],
    ['an empty body', () => '', 'file_missing', 400],
    ['half an image', () => photo.slice(0, photo.length - 40), 'image_unreadable', 422],
    ['too many bytes', () => new Uint8Array(3_000_000), 'payload_too_large', 413],
  ])('refuses %s', async (_name, body, code, status) => {
    expect(await problemOf(await post('', body()))).toMatchObject({ code, status });
  });
});

describe('GET /v1/images/info', () => {
  it('tells the same of an upload', async () => {
    const stored = await server.request('/v1/uploads', { method: 'POST', body: photo });
    const { source } = (await stored.json()) as { source: string };
    const response = await server.request(`/v1/images/info?fields=size,exif&source=${source}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(await facts('?fields=size,exif'));
    expect((await server.request(`/v1/images/info?source=${source}`)).status).toBe(200);
  });

  it.each([
    ['?fields=size', 'invalid_request', 400],
    ['?source=https://example.org/a.jpg', 'invalid_request', 400],
    ['?source=upload:nothing', 'source_not_found', 404],
    ['?source=upload:x&width=5', 'invalid_request', 400],
  ])('refuses %s', async (query, code, status) => {
    expect(await problemOf(await server.request(`/v1/images/info${query}`))).toMatchObject({ code, status });
  });
});
