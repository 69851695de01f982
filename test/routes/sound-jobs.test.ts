import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { ffmpegFixture } from '../support/fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let song: Uint8Array<ArrayBuffer>;
let film: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer();
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100:duration=2'];
  song = new Uint8Array(await readFile(await ffmpegFixture('mp3', [...tone, '-c:a', 'libmp3lame'])));
  const picture = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=64x36:rate=10:duration=2',
    '-c:v',
    'libx264',
    '-g',
    '5',
  ];
  film = new Uint8Array(await readFile(await ffmpegFixture('mp4', picture)));
});
afterAll(() => server[Symbol.asyncDispose]());

const submit = (file: Uint8Array<ArrayBuffer>, outputs: object, name: string): Promise<Response> =>
  server.request('/v1/jobs', {
    method: 'POST',
    body: form(file, { recipe: JSON.stringify({ outputs }) }, name),
  });
const finished = async (response: Response): Promise<JobView> => {
  expect(response.status).toBe(202);
  return server.finished((await response.json()) as JobView);
};

describe('a job of a song', () => {
  it('gives sound, peaks and facts, each at its address', async () => {
    const outputs = {
      sound: { type: 'audio', format: 'opus' },
      wave: { type: 'waveform', width: 64, height: 32, peaks: 50 },
      about: { type: 'probe' },
    };
    const job = await finished(await submit(song, outputs, 'song.mp3'));
    expect(job).toMatchObject({ status: 'succeeded', problem: null, source: { mediaType: 'audio/mpeg' } });
    expect(job.outputs.map(({ name, mediaType }) => [name, mediaType])).toEqual([
      ['sound', 'audio/ogg'],
      ['wave', 'image/png'],
      ['about', 'application/json'],
    ]);
    const get = (path: string): Promise<Response> => server.request(path);
    const self = job.links.self;
    expect((await get(`${self}/outputs/sound`)).headers.get('content-type')).toBe('audio/ogg');
    const about = await get(`${self}/outputs/about`);
    expect(await about.json()).toMatchObject({
      container: 'MP3',
      video: [],
      audio: [{ track: 1, codec: 'mp3' }],
    });
    // Of several files the first is the one that the address leads to.
    const wave = await get(`${self}/outputs/wave`);
    expect([wave.headers.get('content-type'), wave.url.endsWith('waveform.png')]).toEqual([
      'image/png',
      true,
    ]);
    const peaks = await get(new URL('peaks.json', wave.url).pathname);
    expect(await peaks.json()).toMatchObject({ version: 2, sample_rate: 16_000, bits: 8 });
    expect((await get(new URL('samples.raw', wave.url).pathname)).status).toBe(404);
  });

  it('that wants pictures fails with the reason', async () => {
    const job = await finished(await submit(song, { thumb: { type: 'thumbnail' } }, 'song.mp3'));
    expect(job).toMatchObject({ status: 'failed', problem: { code: 'stream_missing' } });
  });

  it('is no job for images', async () => {
    const problem = await problemOf(await submit(song, { small: { type: 'image' } }, 'song.mp3'));
    expect(problem).toMatchObject({
      code: 'media_type_unsupported',
      detail: expect.stringContaining('audio/mpeg'),
    });
  });
});

describe('a job of many pictures', () => {
  it('gives a list and a map, beside which the pictures lie', async () => {
    const outputs = {
      thumbs: { type: 'thumbnail', count: 2, width: 32 },
      board: { type: 'storyboard', width: 32 },
    };
    const job = await finished(await submit(film, outputs, 'film.mp4'));
    expect(job).toMatchObject({ status: 'succeeded' });
    const list = await server.request(`${job.links.self}/outputs/thumbs`);
    const { files } = (await list.json()) as { files: { file: string; seconds: number }[] };
    expect(files.map(({ file, seconds }) => [file, seconds])).toEqual([
      ['thumbnail-001.jpg', 0.5],
      ['thumbnail-002.jpg', 1.5],
    ]);
    for (const { file } of files) {
      const picture = await server.request(new URL(file, list.url).pathname);
      expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    }
    const map = await server.request(`${job.links.self}/outputs/board`);
    expect(map.headers.get('content-type')).toMatch(/^text\/vtt/);
    const [sprite = ''] = /sprite-\d+\.jpg/.exec(await map.text()) ?? [];
    expect((await server.request(new URL(sprite, map.url).pathname)).status).toBe(200);
  });
});
