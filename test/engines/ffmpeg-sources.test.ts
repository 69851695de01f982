import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Folder } from './video-fixtures.ts';
import {
  AAC,
  colour,
  engine,
  ffmpeg,
  folder,
  H264,
  look,
  PICTURE,
  produce,
  redThenBlue,
  SOUND,
  webReady,
} from './video-fixtures.ts';

const videos = engine();
let place: Folder;
let source: string;
let colours: string;

beforeAll(async () => {
  place = await folder();
  source = await webReady(place.join('source.mp4'));
  colours = await redThenBlue(place.join('red-blue.mp4'));
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

const transcode = (rest: object = {}) => ({ type: 'transcode', effort: 'fast', ...rest });
const thumbnail = (rest: object = {}) => ({ type: 'thumbnail', ...rest });

describe('a thumbnail', () => {
  it.each([
    [{ at: '25%' }, 'red'],
    [{ at: 1.5 }, 'blue'],
    [{ at: '100%' }, 'blue'],
  ])('%j is %s, alone and out of a shared decode', async (asked, expected) => {
    const poster = thumbnail({ ...asked, format: 'png' });
    const alone = await produce(videos, place, colours, { poster });
    const shared = await produce(videos, place, colours, { poster, video: transcode({ height: 90 }) });
    for (const { files } of [alone, shared]) {
      const [red = 0, , blue = 0] = await colour(files['poster']?.path ?? '');
      expect(red > blue ? 'red' : 'blue').toBe(expected);
    }
  });

  it.each(['jpeg', 'png', 'webp'] as const)('can be %s', async (format) => {
    const { files } = await produce(videos, place, source, {
      poster: thumbnail({ format, width: 60, height: 60, fit: 'cover' }),
    });
    expect(files['poster']).toMatchObject({ mediaType: `image/${format}`, width: 60, height: 60 });
  });

  it('of a source that ends before it says is one of what there is', async () => {
    const path = place.join('short-picture.mkv');
    // A picture of 0.4 s under 2 s of sound.
    await ffmpeg(...PICTURE, ...SOUND, '-frames:v', '10', ...H264, ...AAC, path);
    const options = { mediaType: 'video/x-matroska' };
    const alone = await produce(videos, place, path, { poster: thumbnail({ at: 1.5 }) }, options);
    expect(alone.files['poster']?.width).toBe(320);
    const shared = await produce(
      videos,
      place,
      path,
      { poster: thumbnail({ at: 1.5 }), video: transcode({ height: 90 }) },
      options,
    );
    expect(shared.files['poster']?.width).toBe(320);
  });
});

describe('a source', () => {
  it('of odd size, without sound, is made even', async () => {
    const path = place.join('odd.mp4');
    await ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=161x91:duration=1',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv444p',
      path,
    );
    const { files } = await produce(videos, place, path, { video: transcode() });
    expect(files['video']).toMatchObject({ width: 160, height: 90 });
    expect(files['video']?.decisions).toContain('no sound: the source has none');
  });

  it('with interlaced frames comes out progressive, with six channels as stereo', async () => {
    const path = place.join('interlaced.ts');
    const fields = ['-vf', 'tinterlace=interleave_top,fieldorder=tff', '-flags', '+ilme+ildct'];
    await ffmpeg(...PICTURE, ...SOUND, ...fields, '-c:v', 'mpeg2video', '-c:a', 'ac3', '-ac', '6', path);
    const { files } = await produce(videos, place, path, { video: transcode() }, { mediaType: 'video/mp2t' });
    expect(files['video']?.decisions).toContain('deinterlaced: the source is interlaced');
    const { streams } = await look(files['video']?.path ?? '');
    expect(streams[0]?.['field_order']).toBe('progressive');
    expect(streams[1]).toMatchObject({ codec_name: 'aac', channels: 2 });
  });

  it('that is a GIF gets a steady beat and yuv420p', async () => {
    const path = place.join('moving.gif');
    await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=101x75:rate=10:duration=1', path);
    const { files } = await produce(videos, place, path, { video: transcode() }, { mediaType: 'image/gif' });
    const { streams } = await look(files['video']?.path ?? '');
    expect(streams[0]).toMatchObject({ pix_fmt: 'yuv420p', width: 100, height: 74, avg_frame_rate: '10/1' });
  });

  it('that is only sound lacks a stream', async () => {
    const path = place.join('sound.m4a');
    await ffmpeg(...SOUND, ...AAC, path);
    await expect(
      produce(videos, place, path, { video: transcode() }, { mediaType: 'audio/mp4' }),
    ).rejects.toMatchObject({ code: 'stream_missing' });
  });

  it('that is cut off gives what is there, and a warning of what is missing', async () => {
    const path = place.join('half.mp4');
    const whole = await webReady(place.join('whole.mp4'), '-movflags', '+faststart', '-g', '5');
    const bytes = await readFile(whole);
    await writeFile(path, bytes.subarray(0, Math.floor(bytes.length * 0.4)));
    const { files, warnings } = await produce(videos, place, path, { video: transcode({ height: 90 }) });
    expect(files['video']?.durationSeconds).toBeGreaterThan(0.2);
    expect(files['video']?.durationSeconds).toBeLessThan(1.2);
    expect(warnings.join()).toMatch(/The source (?:is damaged|has faults)/);
    expect(warnings.join()).not.toContain(place.path);
  });

  it('that is none says why, and not where it lies', async () => {
    const path = place.join('noise.mp4');
    await writeFile(path, 'no video at all '.repeat(100));
    const error = await produce(videos, place, path, { video: transcode() }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ code: 'video_unreadable' });
    expect(String(error)).not.toContain(place.path);
  });

  it('that is a playlist of other files opens none of them', async () => {
    const path = place.join('playlist.mp4');
    await writeFile(path, `#EXTM3U\n#EXTINF:1,\nfile://${source}\n#EXT-X-ENDLIST\n`);
    for (const mediaType of ['video/mp4', 'video/mp2t', 'video/x-matroska', 'image/gif']) {
      await expect(produce(videos, place, path, { video: transcode() }, { mediaType })).rejects.toMatchObject(
        { code: 'video_unreadable' },
      );
    }
  });
});

describe('a recording that does not say how long it is', () => {
  it('is measured, so that percentages mean something', async () => {
    const path = place.join('recording.webm');
    // As browsers record: the header is written before the end is known.
    await ffmpeg(
      '-i',
      colours,
      '-c:v',
      'libvpx-vp9',
      '-deadline',
      'realtime',
      '-f',
      'webm',
      '-live',
      '1',
      path,
    );
    const made = await produce(
      videos,
      place,
      path,
      { poster: thumbnail({ at: '75%', format: 'png' }), video: transcode({ height: 90 }) },
      { mediaType: 'video/webm' },
    );
    expect(made.facts.durationSeconds).toBeCloseTo(2, 1);
    const [red = 0, , blue = 0] = await colour(made.files['poster']?.path ?? '');
    expect(blue).toBeGreaterThan(red);
    expect(made.files['video']?.durationSeconds).toBeCloseTo(2, 1);
  });
});

describe('a recording that is too long and does not say so', () => {
  it('is refused, and not cut to what may be', async () => {
    const path = place.join('too-long.webm');
    await ffmpeg('-i', colours, '-c:v', 'libvpx', '-f', 'webm', '-live', '1', path);
    const strict = engine({ maxSeconds: 0.9 });
    await expect(
      produce(strict, place, path, { poster: thumbnail({ at: 0 }) }, { mediaType: 'video/webm' }),
    ).rejects.toMatchObject({ code: 'video_too_long', message: expect.stringContaining('more than 0.9 s') });
    await strict.close();
  });
});

describe('a frame with wide pixels', () => {
  it('counts as it is shown', async () => {
    const path = place.join('wide.mp4');
    await ffmpeg(...PICTURE, '-frames:v', '1', '-vf', 'setsar=60/1', ...H264, path);
    await expect(produce(videos, place, path, { poster: thumbnail() })).rejects.toMatchObject({
      code: 'video_too_complex',
      message: expect.stringContaining('320 × 180 is shown as 19200 × 180'),
    });
  });
});

describe('a turned video', () => {
  it('has a poster that is turned too', async () => {
    const asked = { rotate: 90, flip: 'vertical' };
    const { files } = await produce(videos, place, source, {
      video: transcode(asked),
      poster: thumbnail({ ...asked, at: 0 }),
    });
    expect(files['poster']).toMatchObject({ width: 180, height: 320 });
    expect(files['video']).toMatchObject({ width: 180, height: 320 });
  });
});
