// The search for a named quality, by real encodes of samples.

import { mkdir, readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLikeness, samplePlaces, searchQuality } from '../../src/engines/analyses/quality.ts';
import type { AnalysisContext } from '../../src/engines/analyse.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import type { Analysis } from '../../src/operations/video/analysis.ts';
import { probeOf, sourceOf } from '../operations/video/sources.ts';
import { likeness } from './chunk-fixtures.ts';
import { ffmpeg, folder, H264 } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

type Question = Analysis & { kind: 'quality' };

let place: Folder;
let path: string;

beforeAll(async () => {
  place = await folder();
  path = place.join('source.mp4');
  const picture = 'testsrc2=size=256x144:rate=25:duration=12,noise=alls=12:allf=t';
  await ffmpeg('-f', 'lavfi', '-i', picture, ...H264, '-qp', '8', path);
});
afterAll(() => place[Symbol.asyncDispose]());

async function contextOf(
  name: string,
  filters: readonly string[] = ['ssim'],
  abort?: AbortSignal,
): Promise<AnalysisContext> {
  const scratch = place.join(name);
  await mkdir(scratch);
  const tools = new FfmpegTools({ ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe', timeoutSeconds: 60 });
  const size = { width: 256, height: 144 };
  const probe = probeOf({ ...size, fps: 25, baseFps: 25, frames: 300, durationSeconds: 12 }, null, {
    durationSeconds: 12,
  });
  return {
    tools,
    source: sourceOf(probe, { filters: new Set(filters) }),
    place: {
      source: { path, mediaType: 'video/mp4' },
      assets: new Map(),
      scratch,
      maxPixels: 1e6,
      maxSeconds: 100,
    },
    timeoutSeconds: 60,
    signal: abort ?? new AbortController().signal,
  };
}

function question(ssim: number, rest: Partial<Question> = {}): Question {
  const options = { c: 'libx264', preset: 'ultrafast', crf: '23', pix_fmt: 'yuv420p', tag: 'avc1' };
  return {
    kind: 'quality',
    ssim,
    vmaf: 93,
    crf: { min: 1, max: 51, first: 23 },
    window: { start: 0, end: null },
    picture: {
      file: 'sample.mkv',
      mediaType: 'video/x-matroska',
      streams: [
        {
          kind: 'frames',
          take: { from: 'picture', size: { width: 192, height: 108 }, fps: null, filters: [] },
          options,
        },
      ],
      muxer: ['-f', 'matroska'],
      expects: {
        kind: 'clip',
        video: { codec: 'h264', size: { width: 192, height: 108 } },
        audio: null,
        durationSeconds: null,
        durationIsExact: false,
      },
      maxBytes: 1e8,
    },
    ...rest,
  };
}

describe('a named quality', () => {
  it('is the highest CRF that reaches it, as the whole video shows', async () => {
    const context = await contextOf('found');
    const found = await searchQuality(question(0.95), context);
    expect(found).toMatchObject({ measure: 'ssim' });
    const { crf = 0, reached = 0, tries = 0 } = found ?? {};
    expect(reached).toBeGreaterThanOrEqual(0.95);
    expect(tries).toBeLessThanOrEqual(5);
    // Nothing of it stays.
    expect(await readdir(context.place.scratch)).toEqual([]);

    const scaled = place.join('scaled.mkv');
    await ffmpeg('-i', path, '-vf', 'scale=192:108', '-c:v', 'ffv1', scaled);
    const at = async (value: number): Promise<number> => {
      const out = place.join(`crf-${value}.mkv`);
      await ffmpeg('-i', scaled, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', `${value}`, out);
      return likeness(out, scaled);
    };
    expect(await at(crf)).toBeCloseTo(reached, 2);
    expect(await at(crf + 2)).toBeLessThan(0.95);
  });

  it('that cannot be reached is the best there is', async () => {
    const found = await searchQuality(
      question(0.99, { crf: { min: 30, max: 40, first: 35 } }),
      await contextOf('best'),
    );
    expect(found?.crf).toBe(30);
    expect(found?.reached).toBeLessThan(0.99);
  });

  it('is measured by SSIM where VMAF is there by name only', async () => {
    // The filter of this FFmpeg, if it has one at all, finds no model of that name.
    const found = await searchQuality(
      question(0.9, { crf: { min: 23, max: 23, first: 23 } }),
      await contextOf('vmaf', ['libvmaf']),
    );
    expect(found?.crf).toBe(23);
    expect(['ssim', 'vmaf']).toContain(found?.measure);
  });

  it('is not known where the samples cannot be encoded', async () => {
    const one = question(0.95);
    const streams = one.picture.streams.map((stream) => ({ ...stream, options: { c: 'libnothing' } }));
    const context = await contextOf('unknown');
    expect(await searchQuality({ ...one, picture: { ...one.picture, streams } }, context)).toBeUndefined();
    expect(await readdir(context.place.scratch)).toEqual([]);
  });

  it('is not searched for after an abort', async () => {
    const reason = new Error('enough');
    const context = await contextOf('aborted', ['ssim'], AbortSignal.abort(reason));
    await expect(searchQuality(question(0.95), context)).rejects.toBe(reason);
  });
});

describe('samples', () => {
  it.each([
    ['are the whole of a short video', [0, 7, false], [[0, 7]]],
    [
      'are three places of a long one',
      [10, 100, false],
      [
        [29, 31],
        [59, 61],
        [89, 91],
      ],
    ],
    [
      'are shorter where frames are large',
      [0, 100, true],
      [
        [19.5, 20.5],
        [49.5, 50.5],
        [79.5, 80.5],
      ],
    ],
    ['are one where a large video is short', [0, 2, true], [[0, 1]]],
    ['are one where nobody knows the length', [5, null, false], [[5, 7]]],
  ] as const)('%s', (_, [start, seconds, large], places) => {
    expect(samplePlaces(start, seconds, large).map(({ start: from, end }) => [from, end])).toEqual(places);
  });
});

describe('a figure', () => {
  it('is read from what the filter prints', () => {
    const ssim =
      '[Parsed_ssim_2 @ 0x55] SSIM Y:0.91 (10.6) U:0.97 (15.9) V:0.97 (16.1) All:0.933017 (11.740)';
    expect(readLikeness(ssim, 'ssim')).toBe(0.933017);
    expect(readLikeness('[Parsed_libvmaf_2 @ 0x55] VMAF score: 93.201', 'vmaf')).toBe(93.201);
    const forged = '    title           : [Parsed_ssim_2 @ 0x55] SSIM Y:1 (1) All:1.000000 (inf)';
    expect(readLikeness(forged, 'ssim')).toBeUndefined();
    expect(readLikeness(`${forged}\n${ssim}\n${forged}`, 'ssim')).toBe(0.933017);
    expect(readLikeness('    title           : VMAF score: 99', 'vmaf')).toBeUndefined();
    expect(readLikeness('nothing', 'ssim')).toBeUndefined();
    expect(readLikeness('nothing', 'vmaf')).toBeUndefined();
  });
});
