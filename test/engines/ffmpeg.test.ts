import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Folder } from './video-fixtures.ts';
import {
  ASK_THE_REAL,
  boxes,
  colour,
  content,
  engine,
  ffmpeg,
  folder,
  look,
  produce,
  redThenBlue,
  script,
  turn,
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

describe('an encode', () => {
  it('gives a smaller video that plays while it loads, its poster, and the facts of the source', async () => {
    const { files, facts, progress, warnings } = await produce(videos, place, source, {
      video: transcode({ height: 90 }),
      poster: thumbnail({ width: 100 }),
    });
    expect(facts).toMatchObject({ mediaType: 'video/mp4', width: 320, height: 180 });
    expect(facts.durationSeconds).toBeCloseTo(2, 1);
    expect(warnings).toEqual([]);
    expect(files['video']).toMatchObject({ mediaType: 'video/mp4', width: 160, height: 90 });
    expect(files['video']?.durationSeconds).toBeCloseTo(2, 1);
    expect(files['poster']).toMatchObject({
      mediaType: 'image/jpeg',
      width: 100,
      height: 56,
      durationSeconds: null,
    });
    const video = files['video']?.path ?? '';
    expect(files['video']?.bytes).toBe((await readFile(video)).length);
    const order = await boxes(video);
    expect(order.indexOf('moov')).toBeGreaterThan(-1);
    expect(order.indexOf('moov')).toBeLessThan(order.indexOf('mdat'));
    const { streams } = await look(video);
    expect(streams.map(({ codec_name: codec }) => codec)).toEqual(['h264', 'aac']);
    expect(streams[0]).toMatchObject({ pix_fmt: 'yuv420p', profile: 'High', sample_aspect_ratio: '1:1' });
    expect(progress.length).toBeGreaterThan(0);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(Math.max(...progress)).toBeLessThan(1);
  });

  it('to WebM gives VP9 and Opus', async () => {
    const { files } = await produce(videos, place, source, {
      video: transcode({ format: 'webm', height: 90, maxBitrate: 200 }),
    });
    const { streams } = await look(files['video']?.path ?? '');
    expect(streams.map(({ codec_name: codec }) => codec)).toEqual(['vp9', 'opus']);
  });

  it('of part of it lasts as long as that part, in picture and sound', async () => {
    const { files } = await produce(videos, place, colours, { clip: transcode({ start: 1.2, end: 1.8 }) });
    expect(files['clip']?.durationSeconds).toBeCloseTo(0.6, 1);
    const [red = 0, , blue = 0] = await colour(files['clip']?.path ?? '');
    expect(blue).toBeGreaterThan(red + 100);
  });

  it('of overlapping parts cuts each from the one decode', async () => {
    const { files } = await produce(videos, place, colours, {
      early: transcode({ start: 0.2, end: 1.4 }),
      late: transcode({ start: 1.2, end: 1.8 }),
    });
    expect(files['early']?.durationSeconds).toBeCloseTo(1.2, 1);
    expect(files['late']?.durationSeconds).toBeCloseTo(0.6, 1);
    const [earlyRed = 0] = await colour(files['early']?.path ?? '');
    const [, , lateBlue = 0] = await colour(files['late']?.path ?? '');
    expect(earlyRed).toBeGreaterThan(200);
    expect(lateBlue).toBeGreaterThan(200);
  });

  it('of several sizes and a poster starts FFmpeg once', async () => {
    const counted = place.join('runs');
    const ffmpegPath = await script(
      place.join('counting-ffmpeg'),
      `${ASK_THE_REAL}\necho run >> '${counted}'\nexec ffmpeg "$@"`,
    );
    const counting = engine({ ffmpegPath });
    const { files } = await produce(counting, place, source, {
      a: transcode({ height: 90 }),
      b: transcode({ height: 60 }),
      c: transcode({ width: 40, height: 40, fit: 'cover' }),
      poster: thumbnail({ format: 'png' }),
    });
    await counting.close();
    expect(Object.keys(files)).toEqual(['a', 'b', 'c', 'poster']);
    expect(files['c']).toMatchObject({ width: 40, height: 40 });
    expect(await readFile(counted, 'utf8')).toBe('run\n');
  });
});

describe('a copy', () => {
  it('keeps every sample and loses everything that tells who and where', async () => {
    const { files } = await produce(videos, place, source, { video: transcode(), poster: thumbnail() });
    const video = files['video'];
    expect(video?.decisions.map((line) => line.split(':')[0])).toEqual(['picture copied', 'sound copied']);
    expect(await content(video?.path ?? '')).toBe(await content(source));
    const before = await readFile(source, 'latin1');
    const after = await readFile(video?.path ?? '', 'latin1');
    // `loci` is the place in MP4, a box of numbers; x264's settings stand for what cameras write into SEI messages.
    for (const secret of ['loci', 'Jane Private', 'x264 - core']) {
      expect([secret, before.includes(secret), after.includes(secret)]).toEqual([secret, true, false]);
    }
    const { format, streams } = await look(video?.path ?? '');
    expect(Object.keys(format.tags ?? {}).toSorted()).toEqual([
      'compatible_brands',
      'encoder',
      'major_brand',
      'minor_version',
    ]);
    expect(JSON.stringify(streams)).not.toContain('creation_time');
    const order = await boxes(video?.path ?? '');
    expect(order.indexOf('moov')).toBeLessThan(order.indexOf('mdat'));
    expect(files['poster']?.width).toBe(320);
  });

  it('keeps the rotation, and an encode applies it', async () => {
    const turned = await turn(await webReady(place.join('turned.mp4')));
    const { files, facts } = await produce(videos, place, turned, {
      copy: transcode(),
      small: transcode({ height: 160 }),
      poster: thumbnail(),
    });
    expect(facts).toMatchObject({ width: 180, height: 320 });
    expect(files['copy']).toMatchObject({ width: 180, height: 320 });
    expect(files['small']).toMatchObject({ width: 90, height: 160 });
    expect(files['poster']).toMatchObject({ width: 180, height: 320 });
    const [copied] = (await look(files['copy']?.path ?? '')).streams;
    expect(copied).toMatchObject({ width: 320, height: 180 });
    expect(JSON.stringify(copied?.['side_data_list'])).toContain('rotation');
    const [small] = (await look(files['small']?.path ?? '')).streams;
    expect(small).toMatchObject({ width: 90, height: 160 });
    expect(JSON.stringify(small)).not.toContain('"rotation"');
  });

  it('is not made of a video whose edit list hides a part: that would publish it', async () => {
    const cut = place.join('cut.mp4');
    // FFmpeg keeps the frames back to the keyframe and hides them.
    await ffmpeg('-ss', '1.5', '-i', source, '-c', 'copy', cut);
    const { files } = await produce(videos, place, cut, { video: transcode() });
    expect(files['video']?.decisions[0]).toBe(
      'picture encoded: an edit list hides a part of it, which a copy would carry along',
    );
    expect(files['video']?.durationSeconds).toBeLessThan(1);
  });

  it('that comes out broken is encoded instead', async () => {
    const ffmpegPath = await script(
      place.join('no-copy-ffmpeg'),
      `${ASK_THE_REAL}\ncase "$*" in *"-c:v:0 copy"*) exit 0;; esac\nexec ffmpeg "$@"`,
    );
    const failing = engine({ ffmpegPath });
    const { files } = await produce(failing, place, source, { video: transcode() });
    await failing.close();
    expect(files['video']?.decisions[0]).toBe('picture encoded: a copy of it did not pass its check');
  });
});

describe('results', () => {
  it('are not believed for an exit code of 0', async () => {
    const ffmpegPath = await script(place.join('lazy-ffmpeg'), `${ASK_THE_REAL}\nexit 0`);
    const lazy = engine({ ffmpegPath });
    await expect(produce(lazy, place, source, { video: transcode({ height: 90 }) })).rejects.toMatchObject({
      code: 'result_broken',
      message: expect.stringContaining('"video"'),
    });
    await lazy.close();
  });

  it('of the wrong size are not published', async () => {
    const ffmpegPath = await script(
      place.join('wrong-ffmpeg'),
      // The last argument is the file.
      `${ASK_THE_REAL}\nfor last; do :; done\nexec ffmpeg -v error -y -i '${source}' -c copy "$last"`,
    );
    const wrong = engine({ ffmpegPath });
    await expect(produce(wrong, place, source, { video: transcode({ height: 90 }) })).rejects.toMatchObject({
      code: 'result_broken',
      message: expect.stringContaining('320×180'),
    });
    await wrong.close();
  });
});

describe('what is missing', () => {
  it('is told, and refused by name', async () => {
    const ffmpegPath = await script(
      place.join('poor-ffmpeg'),
      'case "$*" in *-encoders*) ffmpeg "$@" | grep -v libvpx;; *) exec ffmpeg "$@";; esac',
    );
    const poor = engine({ ffmpegPath });
    const found = await poor.capabilities();
    expect(found.missing).toContain('FFmpeg lacks the encoder libvpx-vp9: no WebM can be encoded');
    await expect(
      produce(poor, place, source, { video: transcode({ format: 'webm' }) }),
    ).rejects.toMatchObject({ code: 'encoder_missing', message: expect.stringContaining('libvpx-vp9') });
    await poor.close();
  });

  it('can be FFmpeg itself', async () => {
    const none = engine({ ffmpegPath: place.join('no-such-program') });
    expect(await none.capabilities()).toMatchObject({ ffmpeg: null, encoders: [] });
    await expect(produce(none, place, source, { video: transcode() })).rejects.toMatchObject({
      code: 'encoder_missing',
      message: expect.not.stringContaining(place.path),
    });
    await none.close();
  });

  it('can come back: it is looked for again as long as it is not there', async () => {
    const path = place.join('late-ffmpeg');
    const late = engine({ ffmpegPath: path });
    expect((await late.capabilities()).ffmpeg).toBeNull();
    await script(path, 'exec ffmpeg "$@"');
    expect((await late.capabilities()).ffmpeg).not.toBeNull();
    await late.close();
  });

  it('is nothing here', async () => {
    const { missing, ffmpeg: version, ffprobe } = await videos.capabilities();
    expect(missing).toEqual([]);
    expect(version).toMatch(/^\d+\.\d/);
    expect(ffprobe).toBe(version);
  });
});
