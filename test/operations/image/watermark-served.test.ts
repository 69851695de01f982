// A watermark over HTTP: a stored upload, put on a posted image at once, and by a job.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { form, problemOf, startTestServer } from '../../support/server.ts';
import type { TestServer } from '../../support/server.ts';
import { own, picture } from '../../engines/pictures.ts';
import { patches } from './patches.ts';

let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;
let mark: string;

beforeAll(async () => {
  server = await startTestServer();
  photo = own(await picture(120, 80).png().toBuffer());
  const stored = await server.request('/v1/uploads', {
    method: 'POST',
    body: form(own(await patches(20, 10, 'red')), {}, 'mark.png'),
  });
  mark = ((await stored.json()) as { source: string }).source;
});
afterAll(() => server[Symbol.asyncDispose]());

const lastPixel = async (response: Response): Promise<number[]> => [
  ...(
    await sharp(await response.arrayBuffer())
      .removeAlpha()
      .raw()
      .toBuffer()
  ).subarray(-3),
];
const posted = (source: string): Promise<Response> =>
  server.request(`/v1/images?watermark=southeast,0.5,1,${encodeURIComponent(source)}`, {
    method: 'POST',
    body: photo,
  });

describe('a watermark', () => {
  it('is put on a posted image', async () => {
    const response = await posted(mark);
    expect(response.status).toBe(200);
    expect(await lastPixel(response)).toEqual([255, 0, 0]);
  });

  it('is put on by a job', async () => {
    const steps = [{ op: 'composite', source: mark }];
    const recipe = JSON.stringify({ outputs: { marked: { type: 'image', steps, format: 'png' } } });
    const accepted = await server.request('/v1/jobs', { method: 'POST', body: form(photo, { recipe }) });
    expect(accepted.status).toBe(202);
    const job = await server.finished((await accepted.json()) as { id: string });
    expect(job.status).toBe('succeeded');
    expect(await lastPixel(await server.request(job.outputs[0]!.url!))).toEqual([255, 0, 0]);
  });

  it.each([
    ['upload:AAAAAAAAAAAAAAAAAAAAAA', 404, 'source_not_found'],
    ['https://example.com/mark.png', 403, 'source_forbidden'],
    ['http://example.com/mark.png', 400, 'invalid_request'],
  ])('that is %s is answered %d', async (source, status, code) => {
    const response = await posted(source);
    expect(response.status).toBe(status);
    expect((await problemOf(response)).code).toBe(code);
  });
});
