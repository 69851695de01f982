// The whole program as its users meet it: two processes, real images and films over real connections.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, form } from './support/client.ts';
import type { Answer } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { clipFixture, imageFixture } from './support/fixtures.ts';
import { complaintsAbout, decodePicture, probeFilm, topLevelBoxes } from './support/inspect.ts';
import { finishedJob, fromEveryProcess, getJob, jobIn, listJobs } from './support/jobs.ts';
import type { JobView } from './support/jobs.ts';
import { encodersOf, forksOf, HAS_PROC, isAlive } from './support/processes.ts';
import { startProgram } from './support/program.ts';
import { blobsOf } from './support/stored.ts';
import type { Program } from './support/program.ts';

const samples = resolve(process.env['MEDIA_SAMPLES'] ?? join(import.meta.dirname, '../../shared/media'));
const photo = join(samples, 'photos/mountain-13mp.jpg');

/** Takes VP9 several times longer than any test waits. */
const LONG_CLIP = { seconds: 60, width: 854, height: 480, container: 'mkv' } as const;

const presets = {
  card: {
    outputs: {
      wide: { type: 'image', steps: [{ op: 'resize', width: 300 }], format: 'webp' },
      tiny: { type: 'image', steps: [{ op: 'resize', width: 40 }], format: 'png' },
    },
  },
};

describe('the program with two processes', () => {
  let folder: string;
  let program: Program;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-program-'));
    await writeFile(join(folder, 'presets.json'), JSON.stringify(presets));
    program = await startProgram({
      PROCESSES: '2',
      LOG_LEVEL: 'debug',
      PRESETS_FILE: join(folder, 'presets.json'),
    });
  });
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const post = (
    path: string,
    body: Uint8Array | string,
    headers: Record<string, string> = {},
  ): Promise<Answer> => call(program.address, path, { method: 'POST', body, headers });
  const accepted = (answer: Answer): JobView => {
    expect(answer.status, answer.body.toString()).toBe(202);
    const job = jobIn(answer);
    expect(answer.headers.location).toBe(`/v1/jobs/${job.id}`);
    expect(job.links.self).toBe(answer.headers.location);
    return job;
  };
  /** Writes bytes where FFmpeg can look at them. */
  const asFile = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  };

  it('makes a right WebP of a 13 MP photograph at once', async () => {
    const jpeg = await imageFixture({ width: 4160, height: 3120, grain: 4 });
    const answer = await post('/v1/images?width=800&format=webp', jpeg);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('image/webp');
    expect(Number(answer.headers['content-length'])).toBe(answer.body.length);
    expect(await decodePicture(answer.body)).toEqual({ format: 'webp', width: 800, height: 600 });
  });

  it.skipIf(!existsSync(photo))('makes a right WebP of a real photograph', async () => {
    const answer = await post('/v1/images?width=800&format=webp', await readFile(photo));
    expect(answer.status).toBe(200);
    expect(await decodePicture(answer.body)).toMatchObject({ format: 'webp', width: 800 });
  });

  it('takes the image as a part of a form, and gives it a name', async () => {
    const picture = await imageFixture({ width: 300, height: 200, format: 'png' });
    const { body, headers } = form([{ name: 'file', filename: 'cat.png', content: picture }]);
    const answer = await post('/v1/images?width=30&format=jpeg', body, headers);
    expect(answer.headers['content-type']).toBe('image/jpeg');
    expect(answer.headers['content-disposition']).toContain('cat.jpg');
    expect(await decodePicture(answer.body)).toMatchObject({ width: 30, height: 20 });
  });

  it('makes an MP4 that plays while it loads, and a poster, of a 1080p MKV; all processes tell the same', async () => {
    const source = await readFile(
      await clipFixture({ seconds: 2, width: 1920, height: 1080, codecs: 'old', container: 'mkv' }),
    );
    const { body, headers } = form([{ name: 'file', filename: 'holiday.mkv', content: source }]);
    const { id } = accepted(await post('/v1/videos?format=mp4&height=360', body, headers));

    const seen = await fromEveryProcess(program, `/v1/jobs/${id}`);
    for (const answer of seen.values())
      expect(answer.json()).toMatchObject({ id, outputs: [{ name: 'video' }, { name: 'poster' }] });

    const job = await finishedJob(program.address, id);
    expect(job).toMatchObject({
      status: 'succeeded',
      progress: 1,
      problem: null,
      source: { name: 'holiday.mkv', bytes: source.length, width: 1920, height: 1080 },
      outputs: [
        { name: 'video', type: 'transcode', mediaType: 'video/mp4', width: 640, height: 360 },
        { name: 'poster', type: 'thumbnail' },
      ],
    });
    expect(job.source.durationSeconds).toBeCloseTo(2, 0);
    for (const answer of (await fromEveryProcess(program, `/v1/jobs/${id}`)).values())
      expect(answer.json()).toEqual(job);

    const files = [...(await fromEveryProcess(program, `/v1/jobs/${id}/outputs/video`)).values()];
    for (const file of files) {
      expect(file.status).toBe(200);
      expect(file.body.length).toBe(job.outputs[0]?.bytes);
      expect(file.body.equals(files[0]!.body)).toBe(true);
    }
    const mp4 = files[0]!.body;
    const boxes = topLevelBoxes(mp4);
    expect(boxes.indexOf('moov')).toBeGreaterThan(0);
    expect(boxes.indexOf('moov')).toBeLessThan(boxes.indexOf('mdat'));
    const path = await asFile('holiday.mp4', mp4);
    expect(await probeFilm(path)).toMatchObject({
      video: { codec: 'h264', width: 640, height: 360 },
      audio: { codec: 'aac' },
    });
    expect((await probeFilm(path)).seconds).toBeCloseTo(2, 0);
    expect(await complaintsAbout(path)).toBe('');

    const poster = await call(program.address, `/v1/jobs/${id}/outputs/poster`);
    expect(poster.headers['content-type']).toBe(job.outputs[1]?.mediaType);
    expect(await decodePicture(poster.body)).toMatchObject({ width: 640, height: 360 });
  });

  it('copies a web-ready film instead of encoding it, and says so', async () => {
    const source = await readFile(
      await clipFixture({ seconds: 2, width: 640, height: 360, codecs: 'web', container: 'mkv' }),
    );
    const { id } = accepted(await post('/v1/videos?poster=false', source));
    const job = await finishedJob(program.address, id);
    expect(job).toMatchObject({ status: 'succeeded', outputs: [{ name: 'video', width: 640, height: 360 }] });
    expect(job.outputs[0]?.decisions.join('\n')).toMatch(/copied/);
    const { body } = await call(program.address, `/v1/jobs/${id}/outputs/video`);
    expect(await complaintsAbout(await asFile('copied.mp4', body))).toBe('');
  });

  it('answers a long poll as soon as the job has ended', async () => {
    const source = await readFile(
      await clipFixture({ seconds: 1, width: 320, height: 180, codecs: 'old', container: 'avi' }),
    );
    const { id } = accepted(await post('/v1/videos', source));
    const answer = await call(program.address, `/v1/jobs/${id}`, { headers: { prefer: 'wait=50' } });
    expect(answer.headers['preference-applied']).toBe('wait=50');
    expect(jobIn(answer).status).toBe('succeeded');
  });

  it('makes an image a job if the client prefers', async () => {
    const picture = await imageFixture({ width: 300, height: 200 });
    const answer = await post('/v1/images?width=150&format=webp', picture, { prefer: 'respond-async' });
    expect(answer.headers['preference-applied']).toBe('respond-async');
    const job = await finishedJob(program.address, accepted(answer).id);
    expect(job).toMatchObject({
      status: 'succeeded',
      outputs: [{ name: 'image', mediaType: 'image/webp', width: 150, height: 100 }],
    });
    const { body } = await call(program.address, job.outputs[0]!.url!);
    expect(await decodePicture(body)).toEqual({ format: 'webp', width: 150, height: 100 });
  });

  it('makes several images of one recipe', async () => {
    const recipe = {
      outputs: {
        big: { type: 'image', steps: [{ op: 'resize', width: 200 }], format: 'jpeg' },
        small: { type: 'image', steps: [{ op: 'resize', width: 50 }], format: 'webp' },
        same: { type: 'image', format: 'png' },
      },
    };
    const { body, headers } = form([
      { name: 'recipe', content: JSON.stringify(recipe) },
      { name: 'metadata', content: '{"order":"4711"}' },
      { name: 'file', filename: 'a.jpg', content: await imageFixture({ width: 300, height: 200 }) },
    ]);
    const { id } = accepted(await post('/v1/jobs?priority=5', body, headers));
    const job = await finishedJob(program.address, id);
    expect(job).toMatchObject({ status: 'succeeded', priority: 5, metadata: { order: '4711' } });
    const sizes = { big: [200, 133], small: [50, 33], same: [300, 200] };
    for (const [name, [width, height]] of Object.entries(sizes)) {
      const answers = await fromEveryProcess(program, `/v1/jobs/${id}/outputs/${name}`);
      for (const answer of answers.values())
        expect(await decodePicture(answer.body)).toMatchObject({ width, height });
    }
  });

  it('knows the presets of its file', async () => {
    const picture = await imageFixture({ width: 300, height: 200 });
    const { id } = accepted(await post('/v1/jobs?preset=card', picture));
    const job = await finishedJob(program.address, id);
    expect(job.outputs).toMatchObject([
      { name: 'wide', status: 'succeeded', width: 300 },
      { name: 'tiny', status: 'succeeded', width: 40, mediaType: 'image/png' },
    ]);
    const unknown = await post('/v1/jobs?preset=none', picture);
    expect(unknown.json()).toMatchObject({
      code: 'preset_unknown',
      detail: expect.stringContaining('card') as string,
    });
  });

  it('lists jobs newest first, page by page, each once', async () => {
    const picture = await imageFixture({ width: 64, height: 64 });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.push(accepted(await post('/v1/images?width=8', picture, { prefer: 'respond-async' })).id);
    }
    await Promise.all(ids.map((id) => finishedJob(program.address, id)));
    const listed = (await listJobs(program.address, 'status=succeeded&limit=2')).map(({ id }) => id);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed.slice(0, 5)).toEqual(ids.toReversed());
  });

  it('removes a job and its files', async () => {
    const picture = await imageFixture({ width: 64, height: 64 });
    const { id } = accepted(await post('/v1/images?width=8', picture, { prefer: 'respond-async' }));
    await finishedJob(program.address, id);
    expect(await blobsOf(program.dataDir, `results/${id}/`)).not.toEqual([]);
    expect((await call(program.address, `/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await blobsOf(program.dataDir, `results/${id}/`)).toEqual([]);
    for (const answer of (await fromEveryProcess(program, `/v1/jobs/${id}`)).values()) {
      expect(answer.status).toBe(404);
      expect(answer.json()).toMatchObject({ code: 'job_not_found' });
    }
  });

  it.skipIf(!HAS_PROC)('stops a running encode that is cancelled, whichever process is asked', async () => {
    const source = await readFile(await clipFixture(LONG_CLIP));
    const { id } = accepted(await post('/v1/videos?format=webm&poster=false', source));
    await eventually('FFmpeg at work', () => encodersOf(program.dataDir).length > 0);
    await eventually('the job runs', async () => (await getJob(program.address, id)).status === 'running');
    const [cancelled] = await Promise.all([
      call(program.address, `/v1/jobs/${id}/cancel`, { method: 'POST' }),
      eventually('FFmpeg is gone', () => encodersOf(program.dataDir).length === 0, { timeoutMs: 3000 }),
    ]);
    expect(cancelled.status).toBe(202);
    const job = await finishedJob(program.address, id, 3000);
    expect(job).toMatchObject({ status: 'cancelled', links: { cancel: null }, outputs: [{ url: null }] });
    const again = await call(program.address, `/v1/jobs/${id}/cancel`, { method: 'POST' });
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({ code: 'job_finished' });
    await eventually('nothing is kept of it', async () => {
      const kept = await blobsOf(program.dataDir, 'sources/');
      return !kept.some((key) => key.includes(id));
    });
  });
});

describe.skipIf(!HAS_PROC)('a stop', () => {
  it.each([
    ['when idle', false],
    ['in the middle of an encode', true],
  ])('%s ends with 0 and leaves no process behind', async (_name, busy) => {
    await using program = await startProgram({ SHUTDOWN_SECONDS: '1' });
    const forks = forksOf(program.pid);
    expect(forks.length).toBe(2);
    if (busy) {
      const source = await readFile(await clipFixture(LONG_CLIP));
      const answer = await call(program.address, '/v1/videos?format=webm', { method: 'POST', body: source });
      expect(answer.status).toBe(202);
      await eventually('FFmpeg at work', () => encodersOf(program.dataDir).length > 0);
    }
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(encodersOf(program.dataDir)).toEqual([]);
    expect(forks.filter(isAlive)).toEqual([]);
    expect(program.log.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
