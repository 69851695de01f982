// Responsive sets: as a job with srcset and HTML, and at once as multipart/mixed or ZIP.

import { unzipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { picture } from '../engines/pictures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

interface Manifest {
  source: { width: number; height: number };
  files: { file: string; mediaType: string; bytes: number; width: number; height: number }[];
  srcset: Record<string, string>;
  html: string;
  decisions: string[];
}

let server: TestServer;
let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer();
  photo = new Uint8Array(await picture(900, 600).jpeg({ quality: 90 }).toBuffer());
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (query: string, headers: Record<string, string> = {}): Promise<Response> =>
  server.request(`/v1/images/set${query}`, { method: 'POST', body: photo, headers });

async function runJob(set: object): Promise<JobView> {
  const recipe = JSON.stringify({ outputs: { hero: { type: 'imageSet', ...set } } });
  const response = await server.request('/v1/jobs', { method: 'POST', body: form(photo, { recipe }) });
  expect(response.status).toBe(202);
  return server.finished((await response.json()) as JobView);
}

describe('a job with an imageSet', () => {
  it('has every width in every format, with srcset and HTML, and its files can be fetched', async () => {
    const job = await runJob({
      widths: [600, 150, 300],
      formats: ['webp', 'jpeg'],
      alt: 'A "red" & <b>block</b>',
    });
    expect(job.status).toBe('succeeded');
    const [output] = job.outputs;
    const base = `/v1/jobs/${job.id}/outputs/hero`;
    expect(output).toMatchObject({
      type: 'imageSet',
      mediaType: 'application/json',
      width: 600,
      height: 400,
      url: base,
      srcset: {
        webp: `${base}/150.webp 150w, ${base}/300.webp 300w, ${base}/600.webp 600w`,
        jpeg: `${base}/150.jpg 150w, ${base}/300.jpg 300w, ${base}/600.jpg 600w`,
      },
      decisions: [],
    });
    expect(output?.html).toBe(
      [
        '<picture>',
        `  <source type="image/webp" srcset="${output?.srcset?.['webp']}" sizes="100vw">`,
        `  <img src="${base}/600.jpg" srcset="${output?.srcset?.['jpeg']}" sizes="100vw" width="600" height="400" alt="A &quot;red&quot; &amp; &lt;b&gt;block&lt;/b&gt;" loading="lazy" decoding="async">`,
        '</picture>',
      ].join('\n'),
    );
    expect(output?.files).toHaveLength(6);
    for (const { url, mediaType, bytes, width, height } of output?.files ?? []) {
      const response = await server.request(url);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(mediaType);
      const body = await response.arrayBuffer();
      expect(body.byteLength).toBe(bytes);
      const found = await sharp(body).metadata();
      expect([`image/${found.format}`, found.width, found.height]).toEqual([mediaType, width, height]);
    }
    const manifest = (await (await server.request(base)).json()) as Manifest;
    expect(manifest).toMatchObject({ files: output?.files, srcset: output?.srcset, html: output?.html });
  });

  it('has files with names, ranges and conditions of their own', async () => {
    const { outputs } = await runJob({ widths: [200], formats: ['webp', 'png'] });
    const [webp, png] = outputs[0]?.files ?? [];
    const first = await server.request(webp?.url ?? '', { headers: { range: 'bytes=0-3' } });
    expect(first.status).toBe(206);
    expect(await first.text()).toBe('RIFF');
    expect(first.headers.get('content-disposition')).toContain('photo-hero-200.webp');
    const same = await server.request(webp?.url ?? '', {
      headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    });
    expect(same.status).toBe(304);
    expect((await server.request(png?.url ?? '', { method: 'HEAD' })).headers.get('content-length')).toBe(
      String(png?.bytes),
    );
    for (const name of ['201.webp', '..%2f..%2fetc', 'constructor', '']) {
      const problem = await problemOf(await server.request(`${outputs[0]?.url}/${name || 'x'}`));
      expect(problem).toMatchObject({ code: 'output_not_found', status: 404 });
    }
  });

  it('makes nothing wider than the picture, and says so', async () => {
    const { outputs } = await runJob({ widths: [400, 1000, 2000], formats: ['jpeg'] });
    expect(outputs[0]?.files?.map(({ width }) => width)).toEqual([400, 900]);
    expect(outputs[0]?.decisions).toEqual([
      '900 instead of 1000 and 2000: the picture is 900 pixels wide, and is not enlarged',
    ]);
  });

  it('does the steps before it scales', async () => {
    const crop = { op: 'crop', left: 0, top: 0, width: 300, height: 300 };
    const { outputs } = await runJob({ widths: [100, 600], formats: ['png'], steps: [crop] });
    expect(outputs[0]?.files?.map(({ width, height }) => [width, height])).toEqual([
      [100, 100],
      [300, 300],
    ]);
  });

  it.each([
    [{ widths: [] }, 'widths'],
    [{ widths: [0] }, 'widths'],
    [{ widths: [100], formats: ['bmp'] }, 'formats'],
    [{ widths: [100], width: 5 }, 'width'],
    [{ widths: [100], alt: 'a\nb' }, 'alt'],
    [
      {
        widths: Array.from({ length: 20 }, (_, i) => i + 1),
        formats: ['webp', 'jpeg', 'png', 'gif', 'avif', 'tiff'],
      },
      'widths',
    ],
  ])('refuses %j', async (set, field) => {
    const recipe = JSON.stringify({ outputs: { hero: { type: 'imageSet', ...set } } });
    const response = await server.request('/v1/jobs', { method: 'POST', body: form(photo, { recipe }) });
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'recipe_invalid', status: 400 });
    expect(problem.detail).toContain(field);
  });
});

describe('POST /v1/images/set', () => {
  it('answers multipart/mixed with a manifest and the files', async () => {
    const response = await post('?widths=320,160&formats=webp,jpeg&quality=60&sizes=50vw&alt=x');
    expect(response.status).toBe(200);
    expect(response.headers.get('vary')).toBe('Accept');
    const type = response.headers.get('content-type') ?? '';
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    const parts = partsOf(type, bytes);
    expect(parts.map(({ name }) => name)).toEqual([
      'manifest.json',
      '160.webp',
      '160.jpg',
      '320.webp',
      '320.jpg',
    ]);
    const manifest = JSON.parse(parts[0]?.body.toString() ?? '') as Manifest;
    expect(manifest).toMatchObject({
      source: { width: 900, height: 600 },
      srcset: { webp: '160.webp 160w, 320.webp 320w', jpeg: '160.jpg 160w, 320.jpg 320w' },
    });
    expect(manifest.html).toContain('sizes="50vw" width="320" height="213" alt="x"');
    for (const { file, width, height, bytes: length } of manifest.files) {
      const body = parts.find(({ name }) => name === file)?.body ?? Buffer.alloc(0);
      expect(body.length).toBe(length);
      expect(await sharp(body).metadata()).toMatchObject({ width, height });
    }
  });

  it('answers a ZIP when that is accepted', async () => {
    const response = await post('?widths=160&formats=png', { accept: 'application/zip' });
    expect(response.headers.get('content-type')).toBe('application/zip');
    const files = unzipSync(new Uint8Array(await response.arrayBuffer()));
    expect(Object.keys(files)).toEqual(['manifest.json', '160.png']);
    expect(await sharp(files['160.png']).metadata()).toMatchObject({ format: 'png', width: 160 });
  });

  it('takes the operations of a URL, and has webp and jpeg where no formats are named', async () => {
    const response = await post('?widths=100&rotate=90', { accept: 'application/zip, */*;q=0.5' });
    const files = unzipSync(new Uint8Array(await response.arrayBuffer()));
    expect(Object.keys(files)).toEqual(['manifest.json', '100.webp', '100.jpg']);
    expect(await sharp(files['100.jpg']).metadata()).toMatchObject({ width: 100, height: 150 });
  });

  it('becomes a job when the client prefers that', async () => {
    const response = await post('?widths=100,200&formats=webp', { prefer: 'respond-async' });
    expect(response.status).toBe(202);
    const job = await server.finished((await response.json()) as JobView);
    expect(job.outputs[0]).toMatchObject({ name: 'set', type: 'imageSet', status: 'succeeded' });
    expect(job.outputs[0]?.files?.map(({ file }) => file)).toEqual(['100.webp', '200.webp']);
  });

  it.each([
    ['', 'widths'],
    ['?widths=', 'widths'],
    ['?widths=100,abc', 'widths'],
    ['?widths=100&formats=bmp', 'formats'],
    ['?widths=100&width=100', 'width'],
    ['?widths=100&quality=0', 'quality'],
    [
      '?widths=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20&formats=webp,jpeg,png,gif,avif,tiff',
      'widths',
    ],
  ])('refuses %s naming the field', async (query, field) => {
    const problem = await problemOf(await post(query));
    expect(problem).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(problem.detail).toContain(field);
  });
});

function partsOf(type: string, bytes: Buffer): { name: string; body: Buffer }[] {
  const boundary = /boundary="([^"]+)"/.exec(type)?.[1] ?? '';
  return bytes
    .toString('latin1')
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n');
      return {
        name: /filename="([^"]+)"/.exec(part.slice(0, end))?.[1] ?? '',
        body: Buffer.from(part.slice(end + 4, -2), 'latin1'),
      };
    });
}
