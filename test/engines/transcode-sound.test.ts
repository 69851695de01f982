// Which tracks of sound come out, and what becomes of more channels than two. Judged by the samples.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peak, samples as samplesOf } from './transcode-pixels.ts';
import { AAC, engine, ffmpeg, folder, H264, look, PICTURE, produce } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const clips = resolve(
  import.meta.dirname,
  '../..',
  process.env['MEDIA_SAMPLES'] ?? '../shared/media',
  'clips',
);
const videos = engine();
let place: Folder;

beforeAll(async () => {
  place = await folder();
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

const matroska = { mediaType: 'video/x-matroska' };

/** Hertz of a sine, by its crossings of zero. */
async function pitch(path: string, track = 0): Promise<number> {
  const [left = new Float32Array()] = await samplesOf(path, track);
  const middle = left.subarray(left.length * 0.25, left.length * 0.75);
  let crossings = 0;
  for (let at = 1; at < middle.length; at++) {
    if ((middle[at - 1] ?? 0) < 0 && (middle[at] ?? 0) >= 0) crossings++;
  }
  return (crossings * 48_000) / middle.length;
}

describe('tracks', () => {
  let source: string;

  beforeAll(async () => {
    source = place.join('tracks.mkv');
    const sine = (hertz: number) => [
      '-f',
      'lavfi',
      '-i',
      `sine=frequency=${hertz}:duration=1:sample_rate=48000`,
    ];
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=1'],
      ...[...sine(300), ...sine(600), ...sine(900)],
      ...['-map', '0', '-map', '1', '-map', '2', '-map', '3', ...H264],
      ...['-c:a:0', 'aac', '-ac:a:0', '2', '-c:a:1', 'ac3', '-ac:a:1', '2', '-c:a:2', 'aac', '-ac:a:2', '1'],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger'],
      ...['-metadata:s:a:0', 'title=Jane Private', '-metadata:s:a:1', 'title=Jane Private'],
      source,
    );
  });

  it.each([
    ['first', 300, 'copied: AAC'],
    ['de', 600, 'encoded to AAC 128 kb/s, stereo: it is AC-3, not AAC'],
    ['ger', 600, 'encoded'],
    [2, 600, 'encoded'],
    [3, 900, 'copied: AAC'],
  ] as const)('%s is the one of %d Hz', async (audio, hertz, said) => {
    const { files } = await produce(videos, place, source, { video: { type: 'transcode', audio } }, matroska);
    const { path = '', decisions = [] } = files['video'] ?? {};
    expect(await pitch(path)).toBeCloseTo(hertz, -1);
    const { streams } = await look(path);
    expect(streams).toHaveLength(2);
    const { language = 'und' } = (streams[1]?.['tags'] ?? {}) as { language?: string };
    expect(language).toBe({ 300: 'eng', 600: 'ger', 900: 'und' }[hertz]);
    expect(decisions.join()).toContain(said);
  });

  it.each(['mp4', 'webm'] as const)(
    'all come into %s, each by its own rules, with their language and nothing else',
    async (format) => {
      const { files } = await produce(
        videos,
        place,
        source,
        { video: { type: 'transcode', format, audio: 'all', effort: 'fast' } },
        matroska,
      );
      const { path = '', decisions = [] } = files['video'] ?? {};
      const { streams } = await look(path);
      expect(streams).toHaveLength(4);
      const sounds = streams.slice(1) as {
        tags?: Record<string, string>;
        channels: number;
        disposition: { default: number };
      }[];
      expect(sounds.map(({ channels }) => channels)).toEqual([2, 2, 1]);
      expect(sounds.map(({ tags }) => tags?.['language'] ?? 'und')).toEqual(['eng', 'ger', 'und']);
      expect(sounds.map(({ disposition }) => disposition.default)).toEqual([1, 0, 0]);
      expect(JSON.stringify(streams)).not.toContain('Private');
      expect(
        await Promise.all([0, 1, 2].map(async (track) => Math.round((await pitch(path, track)) / 100) * 100)),
      ).toEqual([300, 600, 900]);
      if (format === 'webm') return;
      const said = decisions.filter((line) => line.startsWith('sound'));
      expect(said.map((line) => line.replace(/:.*/, ''))).toEqual([
        'sound 1 (eng) copied',
        'sound 2 (ger) encoded to AAC 128 kb/s, stereo',
        'sound 3 copied',
      ]);
    },
  );

  it('that are not there are refused with those that are', async () => {
    const asked = { video: { type: 'transcode', audio: 'fr' } };
    await expect(produce(videos, place, source, asked, matroska)).rejects.toMatchObject({
      code: 'stream_missing',
      message: expect.stringContaining('1 (eng), 2 (ger), 3 (language unknown)'),
    });
  });
});

describe('5.1 to stereo', () => {
  /** Peaks of left and right, of a source whose six channels (FL FR FC LFE SL SR) have these peaks. */
  async function mixed(name: string, levels: readonly number[]): Promise<number[]> {
    const path = place.join(`${name}.mkv`);
    const channels = levels.map((level) => `${level}*sin(2*PI*100*t)`).join('|');
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=1'],
      ...['-f', 'lavfi', '-i', `aevalsrc=${channels}:channel_layout=5.1(side):sample_rate=48000:duration=1`],
      // Decoded to decimal samples, as AAC and Opus are: FFmpeg by itself lets those clip.
      ...[...H264, '-c:a', 'pcm_f32le', path],
    );
    const { files } = await produce(videos, place, path, { video: { type: 'transcode' } }, matroska);
    const found = await samplesOf(files['video']?.path ?? '');
    // The beginning and the end of AAC ring.
    return found.map((channel) => peak(channel.subarray(4800, 43_200)));
  }
  /** 1 + 0.707 + 0.707: what the loudest sample can come to. */
  const SUM = 1 + Math.SQRT2;

  it('does not clip where all channels are at their loudest in the same moment', async () => {
    for (const level of await mixed('loud', [1, 1, 1, 1, 1, 1])) {
      expect(level).toBeGreaterThan(0.9);
      expect(level).toBeLessThan(1.02);
    }
  });

  it.each([
    ['centre', [0, 0, 1, 0, 0, 0], [Math.SQRT1_2 / SUM, Math.SQRT1_2 / SUM]],
    ['front-left', [1, 0, 0, 0, 0, 0], [1 / SUM, 0]],
    ['side-right', [0, 0, 0, 0, 0, 1], [0, Math.SQRT1_2 / SUM]],
    ['effects', [0, 0, 0, 1, 0, 0], [0, 0]],
  ] as const)('puts %s where it belongs', async (name, levels, expected) => {
    const found = await mixed(name, levels);
    expect(found).toHaveLength(2);
    for (const [channel, level] of expected.entries())
      expect(Math.abs((found[channel] ?? 9) - level)).toBeLessThan(0.02);
  });

  it.skipIf(!existsSync(clips))('of a film does not clip', async () => {
    const clip = join(clips, 'bbb-480p-30s-h264-aac51.mp4');
    const { files } = await produce(videos, place, clip, { video: { type: 'transcode' } });
    const { path = '', decisions = [] } = files['video'] ?? {};
    const [left = new Float32Array(), right = new Float32Array()] = await samplesOf(path);
    for (const channel of [left, right]) {
      expect(peak(channel)).toBeLessThanOrEqual(1);
      expect(peak(channel)).toBeGreaterThan(0.02);
    }
    expect(decisions.join()).toContain('6 channels become stereo');
  });
});

describe('fewer channels', () => {
  it('mono stays mono', async () => {
    const path = place.join('mono.mp4');
    await ffmpeg(...PICTURE, '-f', 'lavfi', '-i', 'sine=duration=2', ...H264, ...AAC, '-ac', '1', path);
    const { files } = await produce(videos, place, path, {
      video: { type: 'transcode', encode: 'always', effort: 'fast', height: 90 },
    });
    expect((await look(files['video']?.path ?? '')).streams[1]).toMatchObject({ channels: 1 });
  });

  it('none stays none, and an answer names `audio` where there is nothing but sound', async () => {
    const path = place.join('sound.m4a');
    await ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', ...AAC, path);
    await expect(
      produce(videos, place, path, { video: { type: 'transcode' } }, { mediaType: 'audio/mp4' }),
    ).rejects.toMatchObject({
      code: 'stream_missing',
      message: expect.stringContaining('"audio"'),
    });
  });
});
