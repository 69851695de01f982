// Formats by Accept, over HTTP: the answer varies by it, whatever the answer is.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer({ IMAGE_MAX_BYTES: '2000000' });
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  photo = new Uint8Array(
    await sharp({ create: { width: 200, height: 150, channels: 3, background: 'gray', noise } })
      .jpeg()
      .toBuffer(),
  );
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (query: string, accept: string, body: Uint8Array<ArrayBuffer> = photo): Promise<Response> =>
  server.request(`/v1/images${query}`, { method: 'POST', body, headers: { accept } });
const variesBy = (response: Response): boolean =>
  (response.headers.get('vary') ?? '')
    .toLowerCase()
    .split(/\s*,\s*/)
    .includes('accept');

describe('format=auto', () => {
  it.each([
    ['image/avif,image/webp,*/*;q=0.8', 'image/avif'],
    ['image/webp,*/*;q=0.8', 'image/webp'],
    ['image/avif;q=0.5,image/webp;q=0.9', 'image/webp'],
    ['*/*', 'image/jpeg'],
    ['image/png', 'image/png'],
  ])('for %s is %s, and varies', async (accept, mediaType) => {
    const response = await post('?width=100&format=auto', accept);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(mediaType);
    expect(variesBy(response)).toBe(true);
    await response.arrayBuffer();
  });

  it('varies where it is refused, too', async () => {
    const none = await post('?format=auto', 'text/html');
    expect(variesBy(none)).toBe(true);
    expect((await problemOf(none)).code).toBe('not_acceptable');
    const wrong = await post('?format=auto&width=0', 'image/webp');
    expect(variesBy(wrong)).toBe(true);
    expect((await problemOf(wrong)).code).toBe('invalid_request');
    const broken = await post('?format=auto', 'image/webp', photo.slice(0, 300));
    expect(variesBy(broken)).toBe(true);
    expect((await problemOf(broken)).code).toBe('image_unreadable');
  });
});

it('format=best varies, and tells what it compared', async () => {
  const response = await post('?width=80&format=best', 'image/webp,image/jpeg');
  expect(response.headers.get('content-type')).toBe('image/webp');
  expect(variesBy(response)).toBe(true);
  expect(decodeURI(response.headers.get('mediamill-decisions') ?? '')).toMatch(
    /format=best: WebP of webp \d+ B and jpeg \d+ B/,
  );
});

it('a format by name does not vary', async () => {
  for (const query of ['?format=webp', '']) {
    const response = await post(query, 'image/avif');
    expect(response.status).toBe(200);
    expect(variesBy(response)).toBe(false);
  }
});

it('maxBytes is told in a header', async () => {
  const held = await post('?format=jpeg&maxBytes=4000', '*/*');
  expect(held.headers.get('mediamill-max-bytes')).toBe('reached');
  expect((await held.arrayBuffer()).byteLength).toBeLessThanOrEqual(4000);
  const missed = await post('?format=jpeg&maxBytes=200', '*/*');
  expect(missed.status).toBe(200);
  expect(missed.headers.get('mediamill-max-bytes')).toBe('unreachable');
  expect((await post('?format=jpeg', '*/*')).headers.get('mediamill-max-bytes')).toBeNull();
});
