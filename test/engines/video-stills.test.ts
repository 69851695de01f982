import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBestFrame } from '../../src/engines/analyses/best-frame.ts';
import {
  ASK_THE_REAL,
  colour,
  engine,
  ffmpeg,
  folder,
  H264,
  look,
  produce,
  script,
} from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const videos = engine();
let place: Folder;
let seconds: string;

/** A second of each, in the order of the source. */
const COLOURS = ['black', 'red', 'lime', 'blue', 'white', 'yellow', 'magenta', 'cyan'] as const;
const RGB: Readonly<Record<string, readonly number[]>> = {
  black: [0, 0, 0],
  red: [255, 0, 0],
  lime: [0, 255, 0],
  blue: [0, 0, 255],
  white: [255, 255, 255],
  yellow: [255, 255, 0],
  magenta: [255, 0, 255],
  cyan: [0, 255, 255],
};
const named = (pixel: readonly number[]): string =>
  Object.entries(RGB).find(([, rgb]) =>
    rgb.every((value, index) => Math.abs(value - (pixel[index] ?? -1)) < 12),
  )?.[0] ?? pixel.join();

beforeAll(async () => {
  place = await folder();
  seconds = place.join('seconds.mp4');
  await ffmpeg(
    ...COLOURS.flatMap((name) => ['-f', 'lavfi', '-i', `color=${name}:size=160x90:rate=25:duration=1`]),
    ...['-filter_complex', `concat=n=${COLOURS.length}:v=1:a=0`, ...H264, '-g', '25', seconds],
  );
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

/** An engine that notes the arguments of every real run. */
async function noting(name: string) {
  const notes = place.join(`${name}.txt`);
  const body = `${ASK_THE_REAL}\necho "$*" >> '${notes}'\nexec ffmpeg "$@"`;
  const noted = engine({ ffmpegPath: await script(place.join(name), body) });
  return {
    videos: noted,
    runs: async () => (await readFile(notes, 'utf8')).trim().split('\n'),
    [Symbol.asyncDispose]: () => noted.close(),
  };
}

/** Names of the colours in the middle of the cells of a sprite. */
async function cells(path: string, columns: number, rows: number): Promise<string[]> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return Array.from({ length: columns * rows }, (_, cell) => {
    const x = Math.floor((((cell % columns) + 0.5) * info.width) / columns);
    const y = Math.floor(((Math.floor(cell / columns) + 0.5) * info.height) / rows);
    const at = (y * info.width + x) * 3;
    return named([...data.subarray(at, at + 3)]);
  });
}

describe('a storyboard', () => {
  it.each(['jpeg', 'webp'] as const)(
    'in %s shows in tile k what the video shows at k steps',
    async (format) => {
      const { files } = await produce(videos, place, seconds, {
        board: { type: 'storyboard', everySeconds: 1, width: 32, columns: 3, rows: 2, format },
      });
      const extension = format === 'jpeg' ? 'jpg' : 'webp';
      const board = files['board'];
      expect(board).toMatchObject({ mediaType: 'text/vtt; charset=utf-8', durationSeconds: 8 });
      expect(board?.files.map(({ file, width, height }) => [file, width, height])).toEqual([
        ['storyboard.vtt', null, null],
        [`sprite-001.${extension}`, 96, 36],
        [`sprite-002.${extension}`, 96, 36],
      ]);
      const sprites = (board?.files ?? []).slice(1).map(({ path }) => path ?? '');
      const shown = (await Promise.all(sprites.map((path) => cells(path, 3, 2)))).flat();
      // What is left of the last sprite is empty.
      expect(shown).toEqual([...COLOURS, 'black', 'black', 'black', 'black']);
      const map = await readFile(board?.path ?? '', 'utf8');
      expect(map).toContain(`00:00:07.000 --> 00:00:08.000\nsprite-002.${extension}#xywh=32,0,32,18\n`);
      expect(map.match(/xywh/g)).toHaveLength(8);
    },
  );

  it('at steps that are no whole frames is right too', async () => {
    const { files } = await produce(videos, place, seconds, {
      board: { type: 'storyboard', everySeconds: 1.5, width: 32 },
    });
    const sprite = files['board']?.files[1]?.path ?? '';
    // At 0, 1.5, 3, 4.5, 6 and 7.5 s.
    expect(await cells(sprite, 6, 1)).toEqual(['black', 'red', 'blue', 'white', 'magenta', 'cyan']);
  });

  it('decodes keyframes only where they are dense, and shows the same', async () => {
    await using noted = await noting('storyboard-ffmpeg');
    const { files } = await produce(noted.videos, place, seconds, {
      board: { type: 'storyboard', everySeconds: 2, width: 32 },
    });
    const runs = await noted.runs();
    expect(runs).toHaveLength(1);
    expect(runs[0]).toContain('nokey');
    expect(await cells(files['board']?.files[1]?.path ?? '', 4, 1)).toEqual([
      'black',
      'lime',
      'white',
      'magenta',
    ]);
  });
});

describe('many thumbnails', () => {
  const wanted = {
    spread: { type: 'thumbnail', count: 4, width: 64 },
    listed: { type: 'thumbnail', at: [0, 1.02, '50%', 600], format: 'png' },
  };
  const check = async ({ files }: Awaited<ReturnType<typeof produce>>): Promise<void> => {
    const shown = async (name: string): Promise<string[]> => {
      const paths = (files[name]?.files ?? []).slice(1).map(({ path }) => path ?? '');
      return Promise.all(paths.map(async (path) => named(await colour(path))));
    };
    expect(await shown('spread')).toEqual(['red', 'blue', 'yellow', 'cyan']);
    expect(await shown('listed')).toEqual(['black', 'red', 'white', 'cyan']);
    expect(JSON.parse(await readFile(files['spread']?.path ?? '', 'utf8'))).toEqual({
      files: [1, 3, 5, 7].map((at, index) => ({
        file: `thumbnail-00${index + 1}.jpg`,
        mediaType: 'image/jpeg',
        bytes: expect.any(Number),
        width: 64,
        height: 36,
        seconds: at,
      })),
    });
    expect(files['listed']).toMatchObject({ mediaType: 'application/json', width: 160, height: 90 });
  };

  it('show their moments, with a list of them', async () => {
    await check(await produce(videos, place, seconds, wanted));
  });

  it('come out of the decode that a video needs', async () => {
    await using noted = await noting('thumbnails-ffmpeg');
    await check(
      await produce(noted.videos, place, seconds, {
        ...wanted,
        video: { type: 'transcode', width: 64, effort: 'fast' },
      }),
    );
    expect(await noted.runs()).toHaveLength(1);
  });
});

describe('the best frame', () => {
  it('is none of the dark or empty ones', async () => {
    const source = place.join('mostly-empty.mp4');
    const still = (name: string, length: number): string[] => [
      ...['-f', 'lavfi', '-i', `color=${name}:size=160x90:rate=25:duration=${length}`],
    ];
    await ffmpeg(
      ...still('black', 1.6),
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=0.4'],
      ...still('white', 2),
      ...['-filter_complex', 'concat=n=3:v=1:a=0', ...H264, source],
    );
    const { files } = await produce(videos, place, source, {
      best: { type: 'thumbnail', at: 'best', format: 'png' },
    });
    const at = /^taken at ([\d.]+) s/.exec(files['best']?.decisions[0] ?? '')?.[1];
    expect(Number(at)).toBeGreaterThan(1.5);
    expect(Number(at)).toBeLessThan(2);
    const { entropy } = await sharp(files['best']?.path).stats();
    expect(entropy).toBeGreaterThan(2);
  });

  it('of a video with nothing to see is still one', async () => {
    const { files } = await produce(videos, place, seconds, { best: { type: 'thumbnail', at: 'best' } });
    expect(files['best']?.decisions.join()).toContain('all frames that were looked at are blank');
    expect(named(await colour(files['best']?.path ?? ''))).toBe('lime');
  });

  it('is chosen by detail, light and colour, and not where titles and credits are', () => {
    const line = (at: number, entropy: number, light: number, saturation: number): string =>
      [
        `[Parsed_metadata_1 @ 0x1] frame:0    pts:0       pts_time:${at}`,
        `[Parsed_metadata_1 @ 0x1] lavfi.entropy.normalized_entropy.normal.Y=${entropy}`,
        `[Parsed_metadata_2 @ 0x2] frame:0    pts:0       pts_time:${at}`,
        `[Parsed_metadata_2 @ 0x2] lavfi.signalstats.YAVG=${light}`,
        `[Parsed_metadata_3 @ 0x3] frame:0    pts:0       pts_time:${at}`,
        `[Parsed_metadata_3 @ 0x3] lavfi.signalstats.SATAVG=${saturation}`,
      ].join('\n');
    const best = (...lines: string[]) => readBestFrame(lines.join('\n'), 100);
    expect(best(line(10, 0.9, 20, 30), line(20, 0.8, 110, 30), line(30, 0.8, 110, 10))).toEqual({
      at: 20,
      candidates: 3,
    });
    expect(best(line(99, 0.85, 110, 30), line(50, 0.8, 110, 30))?.at).toBe(50);
    expect(best(line(50, 0.8, 236, 0), line(60, 0.7, 120, 0))?.at).toBe(60);
    expect(best(line(50, 0.1, 120, 90))).toBeNull();
    expect(best('nothing of use')).toBeUndefined();
    // Tags of the source, which are printed too.
    const forged = `    title           : ${line(70, 1, 110, 60).replaceAll('\n', ' ')}`;
    expect(best(forged)).toBeUndefined();
    expect(best('    title           : frame pts_time:1.2.3', line(20, 0.8, 110, 30))).toEqual({
      at: 20,
      candidates: 1,
    });
    expect(best(line(20, 0.8, 110, 30).replaceAll('pts_time:20', 'pts_time:1.2.3'))).toBeUndefined();
  });
});

describe('a preview', () => {
  it.each([
    ['webp', 'image/webp'],
    ['gif', 'image/gif'],
    ['mp4', 'video/mp4'],
  ] as const)('as %s shows each moment for its time', async (format, mediaType) => {
    const { files } = await produce(videos, place, seconds, {
      loop: { type: 'preview', moments: 4, secondsEach: 0.5, width: 64, fps: 10, format },
    });
    const loop = files['loop'];
    expect(loop).toMatchObject({ mediaType, width: 64, height: 36 });
    // Parts of 2 s, in whose middles the seconds meet: 0.75–1.25 s, 2.75–3.25 s …
    const expected = ['black', 'red', 'lime', 'blue', 'white', 'yellow', 'magenta', 'cyan'];
    if (format === 'mp4') {
      const { streams, format: container } = await look(loop?.path ?? '');
      expect(streams.map(({ codec_type: type }) => type)).toEqual(['video']);
      expect(Number(container.duration)).toBeCloseTo(2, 1);
    } else {
      const {
        pages = 0,
        delay = [],
        pageHeight = 0,
        width,
      } = await sharp(loop?.path, { pages: -1 }).metadata();
      expect(delay.reduce((sum, time) => sum + time, 0)).toBeGreaterThan(1900);
      expect(delay.reduce((sum, time) => sum + time, 0)).toBeLessThan(2100);
      const { data } = await sharp(loop?.path, { pages: -1 })
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      const shown = Array.from({ length: pages }, (_, page) => {
        const at = (page * pageHeight + pageHeight / 2) * width * 3 + 90;
        return named([...data.subarray(at, at + 3)]);
      });
      expect([...new Set(shown)]).toEqual(expected);
    }
  });

  it.each(['webp', 'gif', 'mp4'])('as %s of a single frame shows that frame', async (format) => {
    const single = place.join(`single-${format}.mp4`);
    await ffmpeg('-f', 'lavfi', '-i', 'color=red:size=160x90:rate=25:duration=0.04', ...H264, single);
    const { files, warnings } = await produce(videos, place, single, {
      loop: { type: 'preview', width: 64, format },
    });
    expect(warnings).toEqual([]);
    const path = files['loop']?.path ?? '';
    if (format === 'mp4') expect(named(await colour(path))).toBe('red');
    else expect(named([...(await sharp(path).removeAlpha().raw().toBuffer())].slice(0, 3))).toBe('red');
  });

  it('stops at its end where that is asked for', async () => {
    const loopOf = async (loop: boolean, format: string): Promise<number | undefined> => {
      const { files } = await produce(videos, place, seconds, {
        out: { type: 'preview', moments: 2, secondsEach: 0.5, width: 64, fps: 5, format, loop },
      });
      return (await sharp(files['out']?.path, { pages: -1 }).metadata()).loop;
    };
    expect(await loopOf(true, 'webp')).toBe(0);
    expect(await loopOf(false, 'webp')).toBe(1);
    expect(await loopOf(true, 'gif')).toBe(0);
    expect(await loopOf(false, 'gif')).toBe(1);
  });

  it('of a video shorter than itself is that video', async () => {
    const { files } = await produce(videos, place, seconds, {
      out: { type: 'preview', moments: 10, secondsEach: 1, width: 64, fps: 5, format: 'gif' },
    });
    expect(files['out']?.durationSeconds).toBeCloseTo(8, 1);
  });

  it('is not believed for an exit code of 0: its header must say the size', async () => {
    const wrong = place.join('wrong-size.webp');
    await ffmpeg('-i', seconds, '-frames:v', '1', '-vf', 'scale=32:18', wrong);
    // The last argument is the file.
    const body = `${ASK_THE_REAL}\nfor last; do :; done\ncp '${wrong}' "\${last#file:}"`;
    const lying = engine({ ffmpegPath: await script(place.join('lying-ffmpeg'), body) });
    await expect(
      produce(lying, place, seconds, { out: { type: 'preview', width: 64 } }),
    ).rejects.toMatchObject({
      code: 'result_broken',
      message: expect.stringContaining('it is 32×18, not 64×36'),
    });
    await lying.close();
  });
});

describe('a probe', () => {
  it('is JSON of its own file, made without FFmpeg', async () => {
    await using noted = await noting('probe-ffmpeg');
    const { files } = await produce(noted.videos, place, seconds, { about: { type: 'probe' } });
    expect(files['about']).toMatchObject({
      mediaType: 'application/json',
      width: null,
      durationSeconds: null,
    });
    expect(files['about']?.files).toHaveLength(1);
    const path = files['about']?.path ?? '';
    expect(path).toBe(join(dirname(path), 'probe.json'));
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      container: 'MP4',
      durationSeconds: 8,
      video: [{ main: true, codec: 'h264', width: 160, height: 90, fps: 25, hdr: null }],
      audio: [],
      subtitles: [],
    });
    await expect(noted.runs()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
