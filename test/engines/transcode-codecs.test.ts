// Every pair of format and codec, made for real.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pictureOptions } from '../../src/operations/video/encoders.ts';
import { times } from './transcode-pixels.ts';
import { AAC, engine, ffmpeg, folder, look, PICTURE, produce, SOUND, webReady } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const videos = engine();
let place: Folder;
let source: string;

beforeAll(async () => {
  place = await folder();
  source = await webReady(place.join('source.mp4'));
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

describe('a transcode', () => {
  it.each([
    ['mp4', 'hevc', 'Main', 'hvc1', 'aac'],
    ['mp4', 'av1', 'Main', 'av01', 'aac'],
    ['webm', 'av1', 'Main', null, 'opus'],
    ['webm', 'vp9', 'Profile 0', null, 'opus'],
  ] as const)('to %s with %s', async (format, codec, profile, tag, sound) => {
    const { files, warnings } = await produce(videos, place, source, {
      video: { type: 'transcode', format, codec, height: 90, effort: 'fast', encode: 'always' },
    });
    const { format: file, streams } = await look(files['video']?.path ?? '');
    const [picture, audio] = streams;
    expect(picture).toMatchObject({ codec_name: codec, profile, width: 160, height: 90, pix_fmt: 'yuv420p' });
    if (tag !== null) expect(picture?.['codec_tag_string']).toBe(tag);
    expect(audio).toMatchObject({ codec_name: sound, channels: 2 });
    expect(Number(file.duration)).toBeCloseTo(2, 1);
    expect(JSON.stringify({ file, streams })).not.toMatch(/Private|52\.52/);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['hevc', ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error'], 'hvc1'],
    ['av1', ['-c:v', 'libsvtav1', '-preset', '12'], 'av01'],
  ] as const)('to %s copies what is so already, from Matroska too', async (codec, how, tag) => {
    const path = place.join(`${codec}.mkv`);
    await ffmpeg(...PICTURE, ...SOUND, ...how, '-pix_fmt', 'yuv420p', '-b:v', '300k', ...AAC, path);
    const { files } = await produce(
      videos,
      place,
      path,
      {
        video: { type: 'transcode', codec },
        again: { type: 'transcode', codec, encode: 'always', effort: 'fast' },
      },
      { mediaType: 'video/x-matroska' },
    );
    expect(files['video']?.decisions.join()).toMatch(/picture copied: .*sound copied/);
    expect(files['again']?.decisions[0]).toBe('picture encoded: encoding was asked for');
    const { streams } = await look(files['video']?.path ?? '');
    expect(streams[0]).toMatchObject({ codec_name: codec, codec_tag_string: tag, width: 320 });
    const seen = await times(files['video']?.path ?? '');
    expect(seen).toHaveLength(50);
  });

  it('of a named quality takes the CRF that was found on samples, and tells the figure', async () => {
    const { files } = await produce(videos, place, source, {
      video: { type: 'transcode', quality: 'economy', effort: 'fast', height: 90, mute: true },
    });
    const { decisions = [] } = files['video'] ?? {};
    expect(decisions.join('\n')).toMatch(
      /^quality "economy": CRF \d+ (?:reaches|comes nearest with) (?:SSIM 0\.\d{4}|VMAF \d+\.\d) \(wanted/m,
    );
  });

  it('to AV1 keeps under a cap', async () => {
    const { files } = await produce(videos, place, source, {
      free: { type: 'transcode', codec: 'av1', crf: 20, effort: 'fast', mute: true },
      capped: { type: 'transcode', codec: 'av1', crf: 20, effort: 'fast', mute: true, maxBitrate: 100 },
    });
    const [free = 0, capped = 0] = [files['free']?.bytes, files['capped']?.bytes];
    expect(capped).toBeLessThan(0.7 * free);
  });
});

describe('groups of pictures', () => {
  it.each(['h264', 'hevc', 'av1', 'vp9'] as const)(
    'of %s all have the length that was asked for',
    async (codec) => {
      const { options } = pictureOptions({ codec, effort: 'fast', gop: { frames: 20 } });
      const path = join(place.path, `gop-${codec}.mkv`);
      const cuts = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=1.24'];
      const args = Object.entries(options).flatMap(([name, value]) => [`-${name}:v:0`, value]);
      // A cut to another scene, at which an encoder would like to begin anew.
      await ffmpeg(
        ...cuts,
        '-f',
        'lavfi',
        '-i',
        'mandelbrot=size=160x90:rate=25',
        '-filter_complex',
        '[0][1]concat',
        '-frames:v',
        '60',
        ...args,
        path,
      );
      const found = await times(path, true);
      expect(found.map((time) => Math.round(time * 25))).toEqual([0, 20, 40]);
    },
  );
});
