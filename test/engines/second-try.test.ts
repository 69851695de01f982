// What was tried in vain is tried the plain way, and what it left behind harms nobody.

import { copyFile, mkdir, readFile, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { videoOutputSchema } from '../../src/operations/video.ts';
import { clipFixture } from '../support/fixtures.ts';
import { engine, ffmpeg, folder, look, produce } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const videos = engine();
let place: Folder;
beforeAll(async () => {
  place = await folder();
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

/** Web-ready, its index in front, its end missing. */
async function cutOff(): Promise<string> {
  const path = place.join('cut-off.mp4');
  const plain = place.join('plain.mp4');
  await copyFile(await clipFixture({ seconds: 8, width: 320, height: 180 }), plain);
  await ffmpeg('-i', plain, '-c', 'copy', '-movflags', '+faststart', path);
  await truncate(path, Math.round((await stat(path)).size * 0.7));
  return path;
}

describe('a copy of a damaged source beside a stream', () => {
  it('is given up before anybody watches the stream, which is published once', async () => {
    const to = place.join('published');
    await mkdir(to);
    const order: string[] = [];
    let restarts = 0;
    const scratch = place.join('scratch');
    await mkdir(scratch);
    const { outputs, warnings } = await videos.produce({
      source: { path: await cutOff(), mediaType: 'video/mp4' },
      outputs: {
        tv: videoOutputSchema.parse({ type: 'hls', heights: [180, 90], segmentSeconds: 2 }),
        mp4: videoOutputSchema.parse({ type: 'transcode' }),
        sound: videoOutputSchema.parse({ type: 'audio' }),
      },
      scratch,
      signal: new AbortController().signal,
      onSource: () => undefined,
      onProgress: () => undefined,
      onRestart: () => void restarts++,
      async publish(_, { file, path }) {
        expect(restarts).toBe(1);
        order.push(file);
        await rename(path, join(to, file));
      },
    });
    expect(warnings.join()).toContain('breaks off');
    expect(outputs['mp4']?.decisions.join()).toContain('a copy of it did not pass its check');
    expect(order.filter((file) => file === 'v180.init.mp4')).toHaveLength(1);
    expect(await readFile(join(to, 'v180.m3u8'), 'utf8')).toContain('#EXT-X-ENDLIST');
  });
});

describe('sound that a file names and does not have', () => {
  let silent: string;
  beforeAll(async () => {
    silent = place.join('silent.mkv');
    // A track is announced, its packets are all dropped.
    await ffmpeg(
      ...['-i', await clipFixture({ seconds: 2, width: 320, height: 180 })],
      ...['-map', '0', '-c', 'copy', '-bsf:a', 'noise=drop=1', silent],
    );
    expect((await look(silent)).streams).toHaveLength(2);
  });

  it.each([
    { type: 'transcode', encode: 'always' },
    { type: 'transcode' },
    { type: 'hls', segmentSeconds: 2 },
  ])('is left out of %j, with a warning', async (output) => {
    const published = place.join('silent-published');
    await mkdir(published, { recursive: true });
    const { files, warnings } = await produce(
      videos,
      place,
      silent,
      { out: output },
      {
        mediaType: 'video/x-matroska',
        publish: (_, { file, path }) => rename(path, join(published, file)),
      },
    );
    expect(warnings).toContain('The source names sound that it does not have (track 1), which was left out.');
    expect(files['out']?.durationSeconds).toBeCloseTo(2, 0);
  });

  it('cannot be made a file of', async () => {
    await expect(
      produce(videos, place, silent, { out: { type: 'audio' } }, { mediaType: 'video/x-matroska' }),
    ).rejects.toMatchObject({ code: 'stream_missing' });
  });
});

describe('an output that cannot be made', () => {
  it('is named where there are several', async () => {
    const mp3 = place.join('song.mp3');
    await ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', mp3);
    await expect(
      produce(
        videos,
        place,
        mp3,
        { sound: { type: 'audio' }, tv: { type: 'hls' } },
        { mediaType: 'audio/mpeg' },
      ),
    ).rejects.toMatchObject({ code: 'stream_missing', message: expect.stringMatching(/^Output "tv": /) });
  });
});

describe('a copied stream', () => {
  it('whose keyframes come further apart later on is encoded instead', async () => {
    const source = place.join('sparse.mp4');
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=10:duration=90'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '1000'],
      ...['-force_key_frames', 'expr:lt(t,62)*gte(t,n_forced*2)', source],
    );
    const published = place.join('sparse-published');
    await mkdir(published, { recursive: true });
    const { files } = await produce(
      videos,
      place,
      source,
      { out: { type: 'hls' } },
      { publish: (_, { file, path }) => rename(path, join(published, file)) },
    );
    const playlist = await readFile(join(published, 'v90.m3u8'), 'utf8');
    expect(playlist).toContain('#EXT-X-TARGETDURATION:4');
    expect(files['out']?.decisions.join()).toContain('picture encoded');
  });
});
