// HLS by the real engine: what is published when, and what players make of it.

import { copyFile, mkdir, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInit, readSegment } from '../../src/lib/mp4-boxes.ts';
import { clipFixture } from '../support/fixtures.ts';
import { flashAndBeep, syncOf } from '../support/sync.ts';
import { engine, ffmpeg, folder, produce } from './video-fixtures.ts';
import type { Folder, Made } from './video-fixtures.ts';

const videos = engine();
let place: Folder;
beforeAll(async () => {
  place = await folder();
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

interface Streamed extends Made {
  /** Names in the order of publishing. */
  readonly order: readonly string[];
  path(file: string): string;
  text(file: string): Promise<string>;
}

let count = 0;

async function stream(source: string, params: object = {}, mediaType = 'video/mp4'): Promise<Streamed> {
  const to = place.join(`published-${count++}`);
  await mkdir(to);
  const order: string[] = [];
  const made = await produce(
    videos,
    place,
    source,
    { out: { type: 'hls', ...params } },
    {
      mediaType,
      async publish(_, { file, path }) {
        order.push(file);
        await rename(path, join(to, file));
      },
    },
  );
  return { ...made, order, path: (file) => join(to, file), text: (file) => readFile(join(to, file), 'utf8') };
}

/** A rendition as one file, as a player appends its segments. */
async function joined(made: Streamed, name: string): Promise<string> {
  const names = made.order.filter((file) => file.startsWith(`${name}.`) && file.endsWith('.m4s')).toSorted();
  const parts = await Promise.all([`${name}.init.mp4`, ...names].map((file) => readFile(made.path(file))));
  const path = made.path(`${name}-whole.mp4`);
  await writeFile(path, Buffer.concat(parts));
  return path;
}

describe('a ladder', () => {
  let made: Streamed;
  beforeAll(async () => {
    const source = await clipFixture({ seconds: 9, width: 854, height: 480 });
    made = await stream(source, { heights: [480, 240], dash: true, segmentSeconds: 2 });
  });

  it('begins with its master playlist, and names all others', () => {
    expect(made.files['out']?.files.map(({ file }) => file)).toEqual([
      'master.m3u8',
      'v480.m3u8',
      'v240.m3u8',
      'a0.m3u8',
      'v480.iframes.m3u8',
      'v240.iframes.m3u8',
      'manifest.mpd',
    ]);
    expect(made.files['out']).toMatchObject({
      width: 854,
      height: 480,
      mediaType: 'application/vnd.apple.mpegurl',
    });
    expect(made.files['out']?.durationSeconds).toBeCloseTo(9, 1);
  });

  it('is published in the order in which players ask: header, segment, playlist, master', () => {
    const first = (file: string): number => made.order.indexOf(file);
    expect(first('v480.init.mp4')).toBeLessThan(first('v480.00000.m4s'));
    expect(first('v480.00000.m4s')).toBeLessThan(first('v480.m3u8'));
    expect(first('a0.m3u8')).toBeLessThan(first('master.m3u8'));
    expect(made.order.filter((file) => file.endsWith('.m4s'))).toHaveLength(15);
  });

  it('tells rates, codecs, frame rate and sizes as they came', async () => {
    const master = await made.text('master.m3u8');
    expect(master).toMatch(
      /#EXT-X-STREAM-INF:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+,CODECS="avc1\.6400[0-9a-f]{2},mp4a\.40\.2",RESOLUTION=854x480,FRAME-RATE=25\.000,/,
    );
    expect(master).toContain('#EXT-X-I-FRAME-STREAM-INF');
    expect(await made.text('v480.m3u8')).toContain('#EXT-X-ENDLIST');
    expect(await made.text('manifest.mpd')).toContain('mediaPresentationDuration="PT9');
  });

  it('has its segments cut at the same moments in all rungs, each beginning with a keyframe', async () => {
    const starts = async (name: string): Promise<number[]> => {
      const [track] = readInit(await readFile(made.path(`${name}.init.mp4`)));
      if (track === undefined) throw new Error('no track');
      const names = made.order.filter((file) => file.startsWith(`${name}.0`));
      return Promise.all(
        names.map(async (file) => {
          const segment = readSegment(await readFile(made.path(file)), track);
          expect(segment.startsWithSync).toBe(true);
          return segment.presentationTime / track.timescale;
        }),
      );
    };
    const high = await starts('v480');
    expect(high).toEqual([0, 2, 4, 6, 8]);
    expect(await starts('v240')).toEqual(high);
  });

  it('has I-frames that can be shown alone', async () => {
    const playlist = await made.text('v240.iframes.m3u8');
    const [, length, offset, file] = /BYTERANGE:(\d+)@(\d+)\n(\S+)/.exec(playlist) ?? [];
    const segment = await readFile(made.path(file ?? ''));
    const bytes = segment.subarray(Number(offset), Number(offset) + Number(length));
    const alone = made.path('iframe.mp4');
    await writeFile(alone, Buffer.concat([await readFile(made.path('v240.init.mp4')), bytes]));
    await ffmpeg('-i', alone, '-frames:v', '1', '-update', '1', made.path('iframe.png'));
    expect((await readFile(made.path('iframe.png'))).length).toBeGreaterThan(1000);
  });
});

describe('sound and picture', () => {
  it('stay together from the first second to the last', async () => {
    const made = await stream(await flashAndBeep({ seconds: 9 }), { heights: [180], segmentSeconds: 2 });
    const picture = await joined(made, 'v180');
    const { flashes, beeps } = await syncOf(picture, await joined(made, 'a0'), true);
    // FFmpeg shows pictures later by what they were reordered; players go by the segments, whose first picture is at 0.
    const early = (flashes[0] ?? 0) - 1;
    expect(flashes).toHaveLength(8);
    for (const [index, flash] of flashes.entries()) {
      expect(Math.abs((beeps[index] ?? 0) - (flash - early))).toBeLessThan(0.04);
    }
  });
});

describe('sources', () => {
  it('without sound become a ladder without a group of sound', async () => {
    const made = await stream(await clipFixture({ seconds: 2, width: 320, height: 180, sound: false }));
    expect(await made.text('master.m3u8')).not.toContain('TYPE=AUDIO');
  });

  it('whose frames come unevenly get an even beat', async () => {
    const source = place.join('vfr.mkv'); // says 30 frames per second, and has gaps
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=30:duration=4'],
      ...[
        '-vf',
        "select='not(mod(n,3))+lt(n,60)'",
        '-fps_mode',
        'vfr',
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        source,
      ],
    );
    const made = await stream(source, { segmentSeconds: 2 }, 'video/x-matroska');
    expect(await made.text('v180.m3u8')).toContain('#EXTINF:2.000000');
  });

  it.each(['hevc', 'av1'])('can become %s', async (codec) => {
    const source = await clipFixture({ seconds: 2, width: 320, height: 180 });
    const made = await stream(source, { codec, segmentSeconds: 2 });
    expect(await made.text('master.m3u8')).toContain(codec === 'hevc' ? 'CODECS="hvc1.' : 'CODECS="av01.');
  });

  it('that break off become a ladder up to there, and say so', async () => {
    const whole = place.join('whole.mp4');
    await copyFile(await clipFixture({ seconds: 8, width: 320, height: 180 }), place.join('plain.mp4'));
    await ffmpeg('-i', place.join('plain.mp4'), '-c', 'copy', '-movflags', '+faststart', whole);
    await truncate(whole, Math.round((await stat(whole)).size * 0.6));
    const made = await stream(whole, { segmentSeconds: 2 });
    expect(made.warnings.join()).toMatch(/breaks off after [3-6]\.\d s of 8\.0 s/);
    expect(made.files['out']?.durationSeconds).toBeLessThan(6.5);
  });

  it('with subtitles offer them as WebVTT', async () => {
    const source = place.join('subtitled.mkv');
    await writeFile(place.join('en.srt'), '1\n00:00:01,000 --> 00:00:02,000\nHello\n');
    await ffmpeg(
      ...['-i', await clipFixture({ seconds: 3, width: 320, height: 180 }), '-i', place.join('en.srt')],
      ...['-map', '0', '-map', '1', '-c', 'copy', '-c:s', 'srt', '-metadata:s:s:0', 'language=eng', source],
    );
    const made = await stream(source, { dash: true }, 'video/x-matroska');
    const master = await made.text('master.m3u8');
    expect(master).toMatch(/TYPE=SUBTITLES,.*NAME="English",LANGUAGE="en",.*URI="subtitles\.eng\.m3u8"/);
    expect(await made.text('subtitles.eng.m3u8')).toContain('subtitles.eng.vtt');
    expect(await made.text('subtitles.eng.vtt')).toContain('Hello');
    expect(await made.text('manifest.mpd')).toContain('subtitles.eng.vtt');
  });
});

describe('a stream of one rung', () => {
  const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

  it('takes over a picture that is web-ready, and keeps it together with the sound', async () => {
    const source = await flashAndBeep({
      seconds: 9,
      options: ['-c:v', 'libx264', '-bf', '3', '-g', '50', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
    });
    const made = await stream(source, { segmentSeconds: 2 });
    expect(made.files['out']?.decisions.join()).toContain('picture copied: H.264');
    expect(await made.text('v180.m3u8')).toContain('#EXTINF:2.000000');
    const picture = await joined(made, 'v180');
    const { flashes, beeps } = await syncOf(picture, await joined(made, 'a0'), true);
    const early = (flashes[0] ?? 0) - 1;
    for (const [index, flash] of flashes.entries()) {
      expect(Math.abs((beeps[index] ?? 0) - (flash - early))).toBeLessThan(0.04);
    }
  });

  it.each([
    [['-g', '400'], {}, 'its keyframes lie up to'],
    [['-g', '50'], { encode: 'always' }, 'encoding was asked for'],
    [['-g', '50'], { quality: 90 }, 'a quality was asked for'],
  ])('with %j and %j is encoded: %s', async (options, asked, why) => {
    const source = await flashAndBeep({
      seconds: 9,
      options: [...h264, ...options, '-sc_threshold', '0', '-c:a', 'aac'],
    });
    const made = await stream(source, { segmentSeconds: 2, ...asked });
    expect(made.files['out']?.decisions.join()).toContain(`picture encoded: ${why}`);
  });
});
