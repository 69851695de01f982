// Subtitles, kept beside the video and burned into it. Judged by the text and by the pixels.

import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barSubtitles } from './picture-subtitles.ts';
import { brightShare, colourAt } from './transcode-pixels.ts';
import { engine, ffmpeg, folder, H264, look, produce } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const videos = engine();
let place: Folder;
let source: string;

const matroska = { mediaType: 'video/x-matroska' };
const BLACK = ['-f', 'lavfi', '-i', 'color=black:size=320x180:rate=25:duration=2'];
const fast = { type: 'transcode', effort: 'fast' };

/** Two seconds of black; English from 0.4 to 0.8 s, German from 1.2 to 1.6 s. */
beforeAll(async () => {
  place = await folder();
  const cue = (from: string, to: string, text: string) => `1\n00:00:0${from} --> 00:00:0${to}\n${text}\n\n`;
  await writeFile(place.join('en.srt'), cue('0,400', '0,800', 'HELLO <i>WORLD</i> MMMM'));
  await writeFile(place.join('de.srt'), cue('1,200', '1,600', 'GUTEN TAG MMMM'));
  source = place.join('source.mkv');
  await ffmpeg(
    ...BLACK,
    ...[
      '-i',
      place.join('en.srt'),
      '-i',
      place.join('de.srt'),
      '-map',
      '0',
      '-map',
      '1',
      '-map',
      '2',
      ...H264,
    ],
    ...['-c:s', 'srt', '-metadata:s:s:0', 'language=eng', '-metadata:s:s:1', 'language=ger'],
    source,
  );
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

describe('subtitles', () => {
  it('are dropped unless they are asked for', async () => {
    const { files } = await produce(videos, place, source, { video: fast }, matroska);
    expect(files['video']?.files).toHaveLength(1);
    expect((await look(files['video']?.path ?? '')).streams).toHaveLength(1);
  });

  it('are kept as WebVTT beside a video that is copied', async () => {
    const { files, progress } = await produce(
      videos,
      place,
      source,
      { video: { ...fast, subtitles: 'keep' } },
      matroska,
    );
    const { files: made = [], decisions = [] } = files['video'] ?? {};
    expect(made.map(({ file, mediaType }) => `${file} ${mediaType}`)).toEqual([
      'video.mp4 video/mp4',
      'subtitles.eng.vtt text/vtt; charset=utf-8',
      'subtitles.ger.vtt text/vtt; charset=utf-8',
    ]);
    expect(await readFile(made[1]?.path ?? '', 'utf8')).toBe(
      'WEBVTT\n\n00:00.400 --> 00:00.800\nHELLO <i>WORLD</i> MMMM\n',
    );
    expect(await readFile(made[2]?.path ?? '', 'utf8')).toContain('01.200 --> 00:01.600\nGUTEN TAG');
    expect(decisions.join()).toMatch(/picture copied.*subtitles kept as WebVTT: eng, ger/);
    expect(progress.at(-1)).toBeGreaterThan(0.9);
  });

  it('of a cut are those of the cut, and begin with it', async () => {
    const { files } = await produce(
      videos,
      place,
      source,
      { video: { ...fast, subtitles: 'keep', start: 1 }, whole: { ...fast, height: 90 } },
      matroska,
    );
    const german = files['video']?.files.find(({ file }) => file === 'subtitles.ger.vtt');
    expect(await readFile(german?.path ?? '', 'utf8')).toContain('00:00.200 --> 00:00.600\nGUTEN TAG');
  });

  it('of a cut are in step with it where the first one reaches into it, and end with it', async () => {
    const path = place.join('spoken.mkv');
    const cue = (from: string, to: string, text: string) => `1\n00:00:0${from} --> 00:00:0${to}\n${text}\n\n`;
    await writeFile(
      place.join('spoken.srt'),
      [
        cue('0,000', '0,400', 'before'),
        cue('0,500', '1,100', '3 < 4 & <i>more</i>'),
        cue('1,300', '1,400', 'within'),
        cue('1,500', '1,900', 'reaches out'),
        cue('1,800', '1,950', 'after'),
      ].join(''),
    );
    await ffmpeg(
      ...[...BLACK, '-i', place.join('spoken.srt'), '-map', '0', '-map', '1', ...H264, '-c:s', 'srt', path],
    );
    let published = '';
    const { files } = await produce(
      videos,
      place,
      path,
      {
        video: { ...fast, subtitles: 'keep', start: 1, end: 1.6 },
        stream: { type: 'hls', start: 1, end: 1.6, heights: [90] },
        whole: { ...fast, subtitles: 'keep' },
      },
      {
        ...matroska,
        publish: async (_, file) => {
          if (file.file.endsWith('.vtt')) published = await readFile(file.path, 'utf8');
        },
      },
    );
    const expected =
      'WEBVTT\n\n00:00.000 --> 00:00.100\n3 &lt; 4 &amp; <i>more</i>\n\n' +
      '00:00.300 --> 00:00.400\nwithin\n\n00:00.500 --> 00:00.600\nreaches out\n';
    const textOf = (name: string) => files[name]?.files.find(({ file }) => file.endsWith('.vtt'));
    expect(await readFile(textOf('video')?.path ?? '', 'utf8')).toBe(expected);
    expect(published).toBe(expected);
    for (const name of ['video', 'stream']) {
      expect(textOf(name)).toMatchObject({ bytes: expected.length, mediaType: 'text/vtt; charset=utf-8' });
    }
    expect(await readFile(textOf('whole')?.path ?? '', 'utf8')).toContain(
      '00:00.500 --> 00:01.100\n3 &lt; 4 &amp; <i>more</i>',
    );
  });

  it('that are burned in are whole also after a "<"', async () => {
    const path = place.join('less.mkv');
    await writeFile(place.join('less.srt'), '1\n00:00:00,000 --> 00:00:02,000\n< MMMMMMMM\n\n');
    await ffmpeg(
      ...[...BLACK, '-i', place.join('less.srt'), '-map', '0', '-map', '1', ...H264, '-c:s', 'srt', path],
    );
    const { files } = await produce(videos, place, path, { video: { ...fast, subtitles: 'burn' } }, matroska);
    expect(await brightShare(files['video']?.path ?? '', 1)).toBeGreaterThan(0.002);
  });

  it('that are kept of a source without any are none, and it is said', async () => {
    const path = place.join('plain.mp4');
    await ffmpeg(...BLACK, ...H264, path);
    const { files } = await produce(videos, place, path, { video: { ...fast, subtitles: 'keep' } });
    expect(files['video']?.files).toHaveLength(1);
    expect(files['video']?.decisions).toContain('no subtitles: the source has none');
    await expect(
      produce(videos, place, path, { video: { ...fast, subtitles: 'burn' } }),
    ).rejects.toMatchObject({
      code: 'stream_missing',
    });
  });

  it('are burned in while they are shown, and at no other time', async () => {
    const { files } = await produce(
      videos,
      place,
      source,
      {
        english: { ...fast, subtitles: 'burn' },
        german: { ...fast, subtitles: 'burn', subtitleTrack: 'de' },
        second: { ...fast, subtitles: 'burn', subtitleTrack: 2, height: 160, format: 'webm' },
        cut: { ...fast, subtitles: 'burn', subtitleTrack: 2, start: 1 },
        turned: { ...fast, subtitles: 'burn', rotate: 90 },
      },
      matroska,
    );
    const seen = async (name: string): Promise<boolean[]> =>
      Promise.all(
        [0.2, 0.6, 0.92, 1.4, 1.8].map(async (seconds) => {
          const share = await brightShare(files[name]?.path ?? '', seconds);
          return share > 0.001;
        }),
      );
    expect(await seen('english')).toEqual([false, true, false, false, false]);
    expect(await seen('german')).toEqual([false, false, false, true, false]);
    expect(await seen('second')).toEqual([false, false, false, true, false]);
    expect(await seen('turned')).toEqual([false, true, false, false, false]);
    expect(await brightShare(files['cut']?.path ?? '', 0.04)).toBe(0);
    expect(await brightShare(files['cut']?.path ?? '', 0.4)).toBeGreaterThan(0.002);
    expect(await brightShare(files['cut']?.path ?? '', 0.8)).toBe(0);
    expect(files['german']?.decisions).toContain('subtitles burned in: track 2 (ger)');
    expect(files['german']?.files.map(({ file }) => file)).toEqual(['video.mp4']);
    expect(files['english']?.decisions[0]).toBe('picture encoded: subtitles can only be drawn on new frames');
  });

  it('without a single line burn nothing in', async () => {
    const path = place.join('empty.mkv');
    await writeFile(place.join('late.srt'), '1\n00:00:09,000 --> 00:00:09,500\nLATE\n\n');
    await ffmpeg(
      ...BLACK,
      '-i',
      place.join('late.srt'),
      '-map',
      '0',
      '-map',
      '1',
      ...H264,
      '-c:s',
      'srt',
      '-t',
      '2',
      path,
    );
    const { files } = await produce(videos, place, path, { video: { ...fast, subtitles: 'burn' } }, matroska);
    expect(await brightShare(files['video']?.path ?? '', 1)).toBe(0);
  });

  it('with styles of a hostile file are drawn as plain text', async () => {
    const path = place.join('styled.mkv');
    const script = `[Script Info]
ScriptType: v4.00+
PlayResX: 320
PlayResY: 180
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,20,&H00FFFFFF,&H00FFFFFF,&H00FFFFFF,&H00FFFFFF,0,0,0,0,100,100,0,0,3,90,0,5,0,0,0,1
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 320 0 320 180 0 180{\\p0}
Dialogue: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,{\\fs400\\bord90}MMM
`;
    await writeFile(place.join('styled.ass'), script);
    await ffmpeg(
      ...BLACK,
      '-i',
      place.join('styled.ass'),
      '-map',
      '0',
      '-map',
      '1',
      ...H264,
      '-c:s',
      'ass',
      path,
    );
    const { files } = await produce(videos, place, path, { video: { ...fast, subtitles: 'burn' } }, matroska);
    const share = await brightShare(files['video']?.path ?? '', 1);
    expect(share).toBeGreaterThan(0.002);
    expect(share).toBeLessThan(0.1);
  });

  it('that are pictures are laid over, and cannot be kept', async () => {
    const bars = barSubtitles(
      { width: 320, height: 180 },
      { left: 80, top: 130, width: 160, height: 30 },
      { from: 0.4, to: 1.2 },
    );
    await writeFile(place.join('bars.sup'), bars);
    const path = place.join('bars.mkv');
    // Else the first of them would come at once.
    await ffmpeg(
      '-copyts',
      ...BLACK,
      '-f',
      'sup',
      '-i',
      place.join('bars.sup'),
      '-map',
      '0',
      '-map',
      '1',
      ...H264,
      '-c:s',
      'copy',
      path,
    );
    const { files } = await produce(
      videos,
      place,
      path,
      {
        burned: { ...fast, subtitles: 'burn' },
        small: { ...fast, subtitles: 'burn', width: 160, height: 120, fit: 'contain' },
        kept: { ...fast, subtitles: 'keep' },
      },
      matroska,
    );
    const at = (name: string, y: number, seconds: number) =>
      colourAt(files[name]?.path ?? '', 0.5, y, seconds);
    expect(await at('burned', 0.8, 0.2)).toBe('black');
    expect(await at('burned', 0.8, 0.8)).toBe('white');
    expect(await at('burned', 0.5, 0.8)).toBe('black');
    expect(await at('burned', 0.8, 1.6)).toBe('black');
    // Of 120 lines the picture has the middle 90: 145 of 180 is 72.5 of 90, so 87.5 of 120.
    expect(await at('small', 87.5 / 120, 0.8)).toBe('white');
    expect(await at('small', 0.6, 0.8)).toBe('black');
    expect(files['kept']?.files).toHaveLength(1);
    expect(files['kept']?.decisions).toContain('1 of the subtitles left out: they are pictures, not text');
  });
});
