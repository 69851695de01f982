// Sources that are easy to get wrong: a varying rate, interlacing that is not told of, an odd shape, streams to leave out.

import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { times } from './transcode-pixels.ts';
import { engine, ffmpeg, folder, H264, look, PICTURE, produce, SOUND } from './video-fixtures.ts';
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

const fast = { type: 'transcode', effort: 'fast', encode: 'always' };
const matroska = { mediaType: 'video/x-matroska' };

describe('a rate that varies', () => {
  let source: string;
  let wanted: readonly number[];

  beforeAll(async () => {
    source = place.join('vfr.mkv');
    // A second of 25 frames, then one of 5.
    await ffmpeg(...PICTURE, '-vf', "select='lt(t,1)+not(mod(n,5))'", '-fps_mode', 'vfr', ...H264, source);
    wanted = await times(source);
  });

  it.each(['mp4', 'webm'] as const)('is kept in %s: each frame stays where it was', async (format) => {
    expect(wanted).toHaveLength(30);
    const { files } = await produce(
      videos,
      place,
      source,
      { video: { ...fast, format, height: 90 } },
      matroska,
    );
    const made = await times(files['video']?.path ?? '');
    expect(made).toHaveLength(30);
    for (const [index, time] of made.entries())
      expect(Math.abs(time - (wanted[index] ?? 0))).toBeLessThan(0.002);
  });

  it('is made steady by fps', async () => {
    const { files } = await produce(
      videos,
      place,
      source,
      { video: { ...fast, fps: 10, height: 90 } },
      matroska,
    );
    const made = await times(files['video']?.path ?? '');
    expect(made.length).toBeGreaterThanOrEqual(18);
    for (const [index, time] of made.entries()) expect(time).toBeCloseTo(index / 10, 3);
  });
});

describe('interlacing that the file does not tell of', () => {
  // The stripes of testsrc2 look like interlacing, even to FFmpeg.
  const moving = ['-f', 'lavfi', '-i', 'mandelbrot=size=640x480:rate=50:end_pts=100', '-t', '1'];
  const MPEG4 = ['-c:v', 'mpeg4', '-q:v', '3'];

  it('is found in the frames and taken away', async () => {
    const path = place.join('interlaced.avi');
    await ffmpeg(...moving, '-vf', 'interlace=lowpass=off,setfield=prog', ...MPEG4, path);
    const { files } = await produce(
      videos,
      place,
      path,
      { video: { ...fast, height: 240 } },
      { mediaType: 'video/x-msvideo' },
    );
    expect(files['video']?.decisions).toContain('deinterlaced: the source is interlaced, as its frames show');
  });

  it('is not found where there is none', async () => {
    const path = place.join('progressive.avi');
    await ffmpeg(...moving, ...MPEG4, path);
    const { files } = await produce(
      videos,
      place,
      path,
      { video: { ...fast, height: 240 } },
      { mediaType: 'video/x-msvideo' },
    );
    expect(files['video']?.decisions.join()).not.toContain('interlaced');
  });
});

describe('streams', () => {
  it('of other kinds are left out: covers, data, chapters, second pictures', async () => {
    const path = place.join('many.mp4');
    const chapters = ';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Jane Private\n';
    await writeFile(place.join('chapters.txt'), chapters);
    await ffmpeg(
      ...[...PICTURE, ...SOUND, '-f', 'lavfi', '-i', 'color=red:size=48x48:rate=25:duration=2'],
      ...[
        '-i',
        place.join('chapters.txt'),
        '-map',
        '2',
        '-map',
        '0',
        '-map',
        '1',
        '-map_chapters',
        '3',
        ...H264,
      ],
      ...['-timecode', '01:00:00:00', path],
    );
    expect((await look(path)).streams.map(({ codec_type }) => codec_type)).toContain('data');
    const { files } = await produce(videos, place, path, {
      video: { type: 'transcode' },
      encoded: { ...fast, height: 90 },
    });
    for (const { path: made } of Object.values(files)) {
      const { streams, format } = await look(made);
      expect(streams.map(({ codec_type }) => codec_type)).toEqual(['video', 'audio']);
      expect(JSON.stringify({ streams, format })).not.toMatch(/Private|01:00:00/);
    }
    // The thumbnail of 48 × 48 comes first, but is none of the video.
    expect(files['video']).toMatchObject({ width: 320, height: 180 });
  });

  it('of an odd and anamorphic shape become even and square', async () => {
    const path = place.join('odd.mkv');
    await ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=181x101:rate=25:duration=0.4',
      '-vf',
      'setsar=4/3',
      '-c:v',
      'ffv1',
      path,
    );
    const { files } = await produce(
      videos,
      place,
      path,
      {
        video: fast,
        hevc: { ...fast, codec: 'hevc' },
        av1: { ...fast, codec: 'av1' },
        webm: { ...fast, format: 'webm' },
        turned: { ...fast, rotate: 90 },
      },
      matroska,
    );
    for (const [name, { path: made }] of Object.entries(files)) {
      const [picture] = (await look(made)).streams;
      expect([picture?.['width'], picture?.['height']], name).toEqual(
        name === 'turned' ? [100, 240] : [240, 100],
      );
      expect(picture?.['sample_aspect_ratio'] ?? '1:1', name).toBe('1:1');
    }
  });
});
