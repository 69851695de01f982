import { createWriteStream } from 'node:fs';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VideoEngine, VideoStreaming } from '../../src/engine-contracts.ts';
import { videoOutputSchema } from '../../src/operations/video.ts';
import { Problem } from '../../src/problems.ts';
import { eventually } from '../support/eventually.ts';
import * as crafted from '../hostile/crafted.ts';
import { encodersOf, HAS_PROC, killNow } from '../support/processes.ts';
import { AAC, boxes, engine, ffmpeg, folder, H264, look, script, webReady } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

let place: Folder;
let videos: VideoEngine;
/** Takes a minute for a minute of video. */
let slow: VideoEngine;
let clip: string;
/** A minute of 64×36. */
let long: string;

beforeAll(async () => {
  place = await folder();
  videos = engine();
  slow = engine({ ffmpegPath: await script(place.join('slow'), 'exec ffmpeg -re "$@"') });
  clip = await webReady(place.join('clip.mp4'));
  long = place.join('long.mp4');
  await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=64x36:rate=25:duration=60', ...H264, long);
});
afterAll(async () => {
  await videos.close();
  await slow.close();
  await place[Symbol.asyncDispose]();
});

/** Encoded with little delay. */
const LONG = { encode: 'always', effort: 'fast' };

let scratches = 0;

async function stream(
  by: VideoEngine,
  path: string,
  output: Record<string, unknown> = {},
  {
    mediaType = 'video/mp4',
    signal = new AbortController().signal,
  }: { mediaType?: string; signal?: AbortSignal } = {},
): Promise<VideoStreaming> {
  const scratch = place.join(`stream-${scratches++}`);
  await mkdir(scratch);
  return by.stream({
    source: { path, mediaType },
    output: videoOutputSchema.parse({ type: 'transcode', ...output }),
    scratch,
    signal,
  });
}

async function save({ body }: VideoStreaming, name: string): Promise<string> {
  const path = place.join(name);
  await pipeline(body, createWriteStream(path));
  return path;
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error('it went well'),
    (reason: unknown) => reason,
  );
  return error instanceof Problem ? error.code : String(error);
}

const running = () => encodersOf(place.path);

describe('a stream', () => {
  it('is a fragmented MP4 that plays, its sound beside its picture', async () => {
    const streaming = await stream(videos, clip, { height: 90, effort: 'fast' });
    const path = await save(streaming, 'small.mp4');
    await streaming.ended;
    expect(streaming.mediaType).toBe('video/mp4');
    const found = (await boxes(path)).slice(0, 4);
    expect(found).toEqual(['ftyp', 'moov', 'moof', 'mdat']);
    const { format, streams } = await look(path);
    expect(streams.map(({ codec_name }) => codec_name)).toEqual(['h264', 'aac']);
    expect(streams[0]).toMatchObject({ width: 160, height: 90 });
    expect(Math.abs(Number(format.duration) - 2)).toBeLessThan(0.08);
    const [picture, sound] = streams.map(({ start_time }) => Number(start_time));
    expect(Math.abs((picture ?? 9) - (sound ?? 0))).toBeLessThan(0.04);
    expect(format.tags ?? {}).not.toHaveProperty('location');
  });

  it('is a WebM where that is asked for', async () => {
    const streaming = await stream(videos, clip, { format: 'webm', height: 48, effort: 'fast' });
    const path = await save(streaming, 'small.webm');
    await streaming.ended;
    expect(streaming.mediaType).toBe('video/webm');
    const { streams } = await look(path);
    expect(streams.map(({ codec_name }) => codec_name)).toEqual(['vp9', 'opus']);
    await ffmpeg('-xerror', '-i', path, '-f', 'null', '-');
  });

  it('copies what is web-ready, also sound that MPEG-TS gave headers of its own', async () => {
    const ts = place.join('clip.ts');
    await ffmpeg('-i', clip, '-c', 'copy', ts);
    const streaming = await stream(videos, ts, {}, { mediaType: 'video/mp2t' });
    expect(streaming.decisions.join()).toContain('picture copied');
    expect(streaming.decisions.join()).toContain('sound copied');
    const path = await save(streaming, 'copied.mp4');
    await streaming.ended;
    await ffmpeg('-xerror', '-i', path, '-f', 'null', '-');
  });

  it('encodes the sound along with the picture', async () => {
    const streaming = await stream(videos, clip, { height: 90, effort: 'fast' });
    expect(streaming.decisions.join()).toMatch(/sound encoded.*all of its source or nothing/);
    streaming.body.resume();
    await streaming.ended;
  });

  it('encodes what would come out broken as a copy, and knows before the first byte', async () => {
    const cut = await webReady(place.join('cut-off.mp4'), '-movflags', '+faststart');
    await truncate(cut, Math.floor((await stat(cut)).size * 0.8));
    const streaming = await stream(videos, cut);
    expect(streaming.decisions.join()).toContain('picture encoded');
    const path = await save(streaming, 'mended.mp4');
    await streaming.ended;
    expect(Number((await look(path)).format.duration)).toBeGreaterThan(1);
  });

  it.each([
    ['one frame', 'rate=25:duration=0.04'],
    ['one frame that stays', 'rate=1/10:duration=10'],
    ['a frame every 20 s', 'rate=0.05:duration=60'],
  ])('is whole with %s, whose last packet says nothing of how long it stays', async (name, timing) => {
    const path = place.join(`${name.replaceAll(' ', '-')}.mp4`);
    await ffmpeg('-f', 'lavfi', '-i', `testsrc2=size=64x36:${timing}`, ...H264, path);
    for (const output of [{}, { encode: 'always', effort: 'fast' }, { format: 'webm', effort: 'fast' }]) {
      const streaming = await stream(videos, path, output);
      const saved = await save(streaming, 'long-frames');
      await streaming.ended;
      await ffmpeg('-xerror', '-i', saved, '-f', 'null', '-');
    }
  });

  it('is whole as a copy with all of its frames, however long the last one stays', async () => {
    const parts = [place.join('moving.mp4'), place.join('still.mp4')];
    const scale = ['-video_track_timescale', '12800'];
    for (const [index, timing] of ['rate=25:duration=1', 'rate=1/40:duration=40'].entries()) {
      await ffmpeg(
        '-f',
        'lavfi',
        '-i',
        `testsrc2=size=64x36:${timing}`,
        ...H264,
        ...scale,
        parts[index] ?? '',
      );
    }
    await writeFile(place.join('held.txt'), parts.map((path) => `file ${path}\n`).join(''));
    const held = place.join('held.mp4');
    await ffmpeg('-f', 'concat', '-safe', '0', '-i', place.join('held.txt'), '-c', 'copy', held);
    const streaming = await stream(videos, held);
    expect(streaming.decisions.join()).toContain('picture copied');
    const path = await save(streaming, 'held-copy.mp4');
    await streaming.ended;
    expect(Number((await look(path)).format.duration)).toBeGreaterThan(40);
  });

  it.runIf(HAS_PROC)('gives its first bytes while FFmpeg is still at work', async () => {
    const stop = new AbortController();
    const { body, ended } = await stream(slow, long, LONG, { signal: stop.signal });
    const first = await new Promise<Buffer>((resolve) => body.once('data', resolve));
    expect(first.toString('latin1', 4, 8)).toBe('ftyp');
    expect(running()).toHaveLength(1);
    stop.abort(new Problem('upload_incomplete', 'enough seen'));
    expect(await problemOf(ended)).toBe('upload_incomplete');
    expect(running()).toEqual([]);
  });
});

describe('a stream that is not read', () => {
  it('keeps FFmpeg waiting, and takes no more memory than its buffers', async () => {
    // Copied in a moment if nothing held it: 4 MB of noise.
    const noise = place.join('noise.mp4');
    const raw = '-f rawvideo -video_size 320x180 -pixel_format yuv420p -framerate 25 -i /dev/urandom'.split(
      ' ',
    );
    await ffmpeg(...raw, '-t', '2', ...H264, '-qp', '4', ...AAC, noise);
    const { size } = await stat(noise);
    expect(size).toBeGreaterThan(2_000_000);
    const asked = { maxBitrate: 200_000 };
    const unread = await stream(videos, noise, asked);
    expect(unread.decisions.join()).toContain('picture copied');
    let hasEnded = false;
    const ended = unread.ended.then(() => {
      hasEnded = true;
    });
    // The same work, read: when it is through, the other could have been twice.
    const read = await stream(videos, noise, asked);
    const whole = await save(read, 'noise-read.mp4');
    await read.ended;
    expect(hasEnded).toBe(false);
    expect(unread.body.readableLength).toBeLessThan(300_000);
    const late = await save(unread, 'noise-late.mp4');
    await ended;
    expect(await readFile(late)).toEqual(await readFile(whole));
  });

  it.runIf(HAS_PROC)('and is let go of kills FFmpeg', async () => {
    const { body, ended } = await stream(slow, long, LONG);
    expect(running()).toHaveLength(1);
    body.destroy();
    expect(await problemOf(ended)).toBe('upload_incomplete');
    expect(running()).toEqual([]);
  });
});

describe('a failure', () => {
  it('to end in time stops it, read or not', async () => {
    const hasty = engine({ ffmpegPath: place.join('slow'), timeoutSeconds: 1 });
    expect(await problemOf(stream(hasty, long, LONG).then(({ ended }) => ended))).toBe('encode_timeout');
    expect(running()).toEqual([]);
  });

  it('before the first byte is a problem', async () => {
    const cut = place.join('cut.mp4');
    await writeFile(cut, await readFile(clip));
    await truncate(cut, 5000);
    expect(await problemOf(stream(videos, cut))).toBe('video_unreadable');
    const silent = place.join('sound.m4a');
    await ffmpeg('-i', clip, '-vn', '-c', 'copy', silent);
    expect(await problemOf(stream(videos, silent, {}, { mediaType: 'audio/mp4' }))).toBe('stream_missing');
    const bare = place.join('no-frames.gif');
    await writeFile(bare, crafted.gif(10, 10, 0));
    expect(await problemOf(stream(videos, bare, {}, { mediaType: 'image/gif' }))).toMatch(
      /result_broken|unreadable/,
    );
    const strict = engine({ maxSeconds: 1 });
    expect(await problemOf(stream(strict, clip))).toBe('video_too_long');
  });

  it.runIf(HAS_PROC)('after it breaks the body off', async () => {
    const { body, ended } = await stream(slow, long, LONG);
    const broken = new Promise<Error>((resolve) => body.once('error', resolve));
    let cleanly = false;
    body.once('end', () => {
      cleanly = true;
    });
    body.resume();
    for (const { pid } of running()) killNow(pid);
    expect(await broken).toMatchObject({ code: 'encoder_killed' });
    expect(await problemOf(ended)).toBe('encoder_killed');
    expect(cleanly).toBe(false);
  });

  it('of the kind that FFmpeg takes for a good end breaks it off, too', async () => {
    // Reads less of the source than it was told to.
    const shorter = 'set -f; exec ffmpeg $(printf "%s " "$@" | sed "s/ -t 14400.000/ -t 0.400/")';
    const early = engine({ ffmpegPath: await script(place.join('early'), shorter) });
    const { body: bytes, ended } = await stream(early, clip, { encode: 'always' });
    bytes.resume();
    expect(await problemOf(ended)).toBe('result_broken');
    await early.close();
  });

  it('of the server to stay ends all streams', async () => {
    const leaving = engine({ ffmpegPath: place.join('slow') });
    const { body, ended } = await stream(leaving, long, LONG);
    body.resume();
    const problem = problemOf(ended);
    await leaving.close();
    expect(await problem).toBe('shutting_down');
    await eventually('no FFmpeg is left', () => running().length === 0);
  });
});
