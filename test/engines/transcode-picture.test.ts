// What a transcode does to the picture: turned, mirrored, marked, drawn on, mapped to SDR. Judged by its pixels.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaFile } from '../../src/engine-contracts.ts';
import { colourAt, corners, spot, times } from './transcode-pixels.ts';
import { engine, ffmpeg, folder, H264, look, produce, turn } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const samples = resolve(import.meta.dirname, '../..', process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const videos = engine();
let place: Folder;
let quarters: string;

/** Red, green, blue and yellow quarters, so that every turn shows. */
const QUARTERS =
  'color=red:size=160x90:rate=25:duration=1[a];color=green:size=160x90:rate=25:duration=1[b];color=blue:size=160x90:rate=25:duration=1[c];color=yellow:size=160x90:rate=25:duration=1[d];[a][b]hstack[t];[c][d]hstack[u];[t][u]vstack';

beforeAll(async () => {
  place = await folder();
  quarters = place.join('quarters.mp4');
  await ffmpeg('-filter_complex', QUARTERS, ...H264, quarters);
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

const fast = { type: 'transcode', effort: 'fast' };

describe('a picture', () => {
  it('is turned and mirrored as asked, all from one decode', async () => {
    const { files } = await produce(videos, place, quarters, {
      right: { ...fast, rotate: 90 },
      over: { ...fast, rotate: 180 },
      left: { ...fast, rotate: 270, height: 160 },
      sides: { ...fast, flip: 'horizontal' },
      ends: { ...fast, flip: 'vertical' },
      both: { ...fast, rotate: 90, flip: 'horizontal' },
    });
    const seen = await Promise.all(
      Object.entries(files).map(async ([name, { path, width, height }]) => [
        name,
        `${width}x${height} ${await corners(path)}`,
      ]),
    );
    expect(Object.fromEntries(seen)).toEqual({
      right: '180x320 blue red yellow green',
      over: '320x180 yellow blue green red',
      left: '90x160 green yellow red blue',
      sides: '320x180 green red yellow blue',
      ends: '320x180 blue yellow red green',
      both: '180x320 red blue green yellow',
    });
    expect(files['right']?.decisions[0]).toBe('picture encoded: it is to be turned or mirrored');
  });

  it('is turned on top of what the source tells, and says so no more', async () => {
    const path = place.join('phone.mp4');
    await ffmpeg('-i', quarters, '-c', 'copy', path);
    await turn(path);
    const { files } = await produce(videos, place, path, {
      upright: { ...fast, encode: 'always' },
      more: { ...fast, rotate: 90 },
    });
    const upright = await corners(files['upright']?.path ?? '');
    expect(files['upright']).toMatchObject({ width: 180, height: 320 });
    expect(files['more']).toMatchObject({ width: 320, height: 180 });
    const [a, b, c, d] = upright.split(' ');
    expect(await corners(files['more']?.path ?? '')).toBe([c, a, d, b].join(' '));
    for (const { path: made } of Object.values(files)) {
      expect(JSON.stringify(await look(made))).not.toMatch(/rotat|Display Matrix/i);
    }
  });
});

describe('a watermark', () => {
  let assets: ReadonlyMap<string, MediaFile>;

  beforeAll(async () => {
    const white = async (name: string, ...how: string[]): Promise<string> => {
      const path = place.join(name);
      await ffmpeg('-f', 'lavfi', '-i', 'color=white:size=40x40', '-frames:v', '1', ...how, path);
      return path;
    };
    assets = new Map([
      ['upload:png', { path: await white('mark.png', '-pix_fmt', 'rgba'), mediaType: 'image/png' }],
      ['upload:jpeg', { path: await white('mark.jpg'), mediaType: 'image/jpeg' }],
      ['upload:webp', { path: await white('mark.webp'), mediaType: 'image/webp' }],
      ['upload:film', { path: quarters, mediaType: 'video/mp4' }],
    ]);
  });

  const marked = (watermark: object) => ({ ...fast, watermark: { image: 'upload:png', ...watermark } });

  it('lies where it was put, for the whole length, though the source is web-ready', async () => {
    const { files } = await produce(
      videos,
      place,
      quarters,
      {
        corner: marked({ image: 'upload:png', gravity: 'southeast', width: 0.2, margin: 0.1 }),
        middle: marked({ image: 'upload:jpeg', gravity: 'centre', width: 0.2 }),
        top: marked({ image: 'upload:webp', gravity: 'north', width: 0.25, margin: 0 }),
        faint: marked({ gravity: 'northwest', width: 0.2, margin: 0, opacity: 0.5 }),
        turned: { ...marked({ gravity: 'northwest', width: 0.2, margin: 0 }), rotate: 90 },
        plain: { ...fast, encode: 'always' },
      },
      { assets },
    );
    const at = (name: string, x: number, y: number, seconds = 0) =>
      colourAt(files[name]?.path ?? '', x, y, seconds);
    // 64 pixels wide, 18 away from the edges: from 238 to 302 across, from 98 to 162 down.
    expect(await at('corner', 270 / 320, 130 / 180)).toBe('white');
    expect(await at('corner', 270 / 320, 130 / 180, 0.9)).toBe('white');
    expect(await at('corner', 230 / 320, 130 / 180)).toBe('yellow');
    expect(await at('corner', 310 / 320, 170 / 180)).toBe('yellow');
    expect(await at('middle', 0.5, 0.5)).toBe('white');
    expect(await at('middle', 0.7, 0.7)).toBe('yellow');
    expect(await at('top', 0.5, 0.1)).toBe('white');
    expect(await at('top', 0.3, 0.1)).toBe('red');
    expect(await at('turned', 0.05, 0.05)).toBe('white');
    expect(await at('turned', 0.9, 0.05)).toBe('red');
    const [red = 0, green = 0, blue = 0] = await spot(files['faint']?.path ?? '', 0.1, 0.1);
    expect(red).toBeGreaterThan(240);
    expect(Math.abs(green - 128)).toBeLessThan(20);
    expect(Math.abs(blue - 128)).toBeLessThan(20);
    expect(await corners(files['plain']?.path ?? '')).toBe('red green blue yellow');
    expect(files['corner']?.decisions[0]).toBe(
      'picture encoded: a watermark can only be drawn on new frames',
    );
    // One picture ends after one frame; the video must not.
    expect(await times(files['corner']?.path ?? '')).toHaveLength(25);
  });

  it('of a cut lies on it as well', async () => {
    const { files } = await produce(
      videos,
      place,
      quarters,
      { video: { ...marked({ gravity: 'north', margin: 0 }), start: 0.4, end: 0.8 } },
      { assets },
    );
    expect(await colourAt(files['video']?.path ?? '', 0.5, 0.1)).toBe('white');
    expect(await times(files['video']?.path ?? '')).toHaveLength(10);
  });

  it('that is no picture is refused', async () => {
    const asked = { video: marked({ image: 'upload:film' }) };
    await expect(produce(videos, place, quarters, asked, { assets })).rejects.toMatchObject({
      code: 'recipe_invalid',
      message: expect.stringContaining('is video/mp4'),
    });
  });
});

describe.skipIf(!existsSync(join(samples, 'clips')))('real sources', () => {
  it.each(['hdr10-av1.mp4', 'hlg10.mp4'])('%s comes out as SDR, and says so', async (name) => {
    const { files } = await produce(videos, place, join(samples, 'clips', name), {
      video: { ...fast, height: 180, end: 0.4, mute: true },
      hevc: { ...fast, codec: 'hevc', height: 180, end: 0.4, mute: true },
      webm: { ...fast, format: 'webm', height: 180, end: 0.4, mute: true },
    });
    for (const output of Object.values(files)) {
      const { streams } = await look(output.path);
      expect(streams[0]).toMatchObject({
        pix_fmt: 'yuv420p',
        color_transfer: 'bt709',
        color_primaries: 'bt709',
        color_space: 'bt709',
        color_range: 'tv',
      });
      expect(output.decisions.join()).toMatch(/(?:HDR10|HLG) mapped to SDR/);
    }
  });

  it('of several video streams the first is meant', async () => {
    const { files } = await produce(videos, place, join(samples, 'clips', 'nasa-multistream-16s.mp4'), {
      video: { ...fast, end: 0.4, encode: 'always', mute: true },
    });
    expect(files['video']).toMatchObject({ width: 320, height: 180 });
    expect((await look(files['video']?.path ?? '')).streams).toHaveLength(1);
  });
});
