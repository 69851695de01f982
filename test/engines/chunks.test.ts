// Outputs in parallel chunks, by real FFmpeg: the same as in one piece, kept over an abort, given up where it cannot be.

import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobAborted } from '../../src/contracts.ts';
import { gridOf } from '../../src/engines/chunk-checks.ts';
import { complaintsAbout } from '../support/inspect.ts';
import { isAlive } from '../support/processes.ts';
import { copyShelf, folderShelf, frameTimes, likeness, soundOf } from './chunk-fixtures.ts';
import { AAC, ASK_THE_REAL, engine, ffmpeg, folder, H264, produce, script } from './video-fixtures.ts';
import type { Folder, Made } from './video-fixtures.ts';

let place: Folder;
let source: string;
let starts: string;
let recorder: string;

const WEBM = { type: 'transcode', format: 'webm', height: 72, effort: 'fast', crf: 40 };
const SECONDS = 12;

beforeAll(async () => {
  place = await folder();
  source = place.join('source.mp4');
  await ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=size=256x144:rate=15000/1001:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}:sample_rate=48000`],
    ...[...H264, '-bf', '2', '-g', '100', ...AAC, source],
  );
  starts = place.join('starts');
  // Notes each encode of a chunk.
  recorder = await script(
    place.join('recording-ffmpeg'),
    `${ASK_THE_REAL}\ncase "$*" in */chunks-[0-9]/[0-9].mp4) echo $$ >> '${starts}';; esac\nexec ffmpeg "$@"`,
  );
});
afterAll(() => place[Symbol.asyncDispose]());

const isInChunks = ({ files }: Made, name = 'video'): boolean =>
  files[name]?.decisions.some((line) => /^encoded in \d+ chunks /.test(line)) ?? false;

async function chunkPids(): Promise<number[]> {
  return (await readFile(starts, 'utf8')).split('\n').slice(0, -1).map(Number);
}

describe('a VP9 in chunks', () => {
  let whole: Made;
  let chunked: Made;
  let shelf: string;

  beforeAll(async () => {
    const videos = engine({ cores: 2 });
    shelf = place.join('shelf');
    whole = await produce(videos, place, source, { video: WEBM });
    chunked = await produce(videos, place, source, { video: WEBM }, { chunks: await folderShelf(shelf) });
  });

  it('says so', () => {
    expect(isInChunks(whole)).toBe(false);
    expect(isInChunks(chunked)).toBe(true);
    expect((chunked.files['video']?.decisions ?? []).join()).toContain(
      'encoded in 2 chunks of 6 s, 2 at a time',
    );
  });

  it('has every frame, at the same time as in one piece', async () => {
    const [plain, joined] = [
      await frameTimes(whole.files['video']?.path ?? ''),
      await frameTimes(chunked.files['video']?.path ?? ''),
    ];
    expect(joined).toHaveLength(180);
    expect(joined).toEqual(plain);
  });

  it('looks as good', async () => {
    const [plain, joined] = [
      await likeness(source, whole.files['video']?.path ?? ''),
      await likeness(source, chunked.files['video']?.path ?? ''),
    ];
    expect(plain).toBeGreaterThan(0.7);
    expect(joined).toBeGreaterThan(plain - 0.002);
  });

  it('has the very same sound, at the same times', async () => {
    const [plain, joined] = [whole.files['video']?.path ?? '', chunked.files['video']?.path ?? ''];
    expect(await soundOf(joined)).toBe(await soundOf(plain));
    expect(await frameTimes(joined, 'a:0')).toEqual(await frameTimes(plain, 'a:0'));
  });

  it('tells how far it is without a step back', () => {
    expect(chunked.progress).toEqual(chunked.progress.toSorted((a, b) => a - b));
    expect(chunked.progress.filter((each) => each > 0 && each < 0.9).length).toBeGreaterThan(0);
  });

  it('is made of one decode for outputs of the same cut', async () => {
    const chunks = await folderShelf(place.join('two'));
    const both = { video: WEBM, small: { ...WEBM, height: 54 }, still: { type: 'thumbnail', at: 1 } };
    await writeFile(starts, '');
    const made = await produce(engine({ cores: 2, ffmpegPath: recorder }), place, source, both, { chunks });
    expect(await chunkPids()).toHaveLength(2);
    expect(chunks.keeps).toHaveLength(4);
    expect(await frameTimes(made.files['small']?.path ?? '')).toHaveLength(180);
    expect(made.files['small']).toMatchObject({ width: 96, height: 54 });
    expect(made.files['still']?.mediaType).toBe('image/jpeg');
  });

  it('takes what an earlier attempt has finished, and encodes the rest', async () => {
    const kept = place.join('kept');
    await copyShelf(shelf, kept);
    const [first = ''] = await readdir(kept);
    await rm(`${kept}/${first}`);
    await writeFile(starts, '');
    const chunks = await folderShelf(kept);
    const made = await produce(
      engine({ cores: 2, ffmpegPath: recorder }),
      place,
      source,
      { video: WEBM },
      { chunks },
    );
    expect(await chunkPids()).toHaveLength(1);
    expect(chunks.keeps).toEqual([first]);
    expect(await frameTimes(made.files['video']?.path ?? '')).toHaveLength(180);
  });

  it('leaves no process after an abort, and encodes nothing again that was finished before', async () => {
    const at = place.join('aborted');
    const aborter = new AbortController();
    const reason = new JobAborted('handed_back');
    const before = await folderShelf(at, () => aborter.abort(reason));
    await writeFile(starts, '');
    const videos = engine({ cores: 2, ffmpegPath: recorder });
    const options = { chunks: before, signal: aborter.signal };
    await expect(produce(videos, place, source, { video: WEBM }, options)).rejects.toBe(reason);
    expect((await chunkPids()).filter(isAlive)).toEqual([]);
    expect(before.keeps.length).toBeGreaterThan(0);
    const after = await folderShelf(at);
    await produce(videos, place, source, { video: WEBM }, { chunks: after });
    expect(after.keeps.filter((name) => before.keeps.includes(name))).toEqual([]);
    expect([...before.keeps, ...after.keeps]).toHaveLength(2);
    await videos.close();
  });

  it('encodes a kept chunk again that is not whole', async () => {
    const at = place.join('poisoned');
    await copyShelf(shelf, at);
    const chunks = await folderShelf(at);
    const [one = '', other = ''] = await readdir(at);
    await ffmpeg(
      '-i',
      chunks.path(other),
      '-c',
      'copy',
      '-frames:v',
      '75',
      '-f',
      'mp4',
      `${chunks.path(one)}.new`,
    );
    await ffmpeg('-i', `${chunks.path(one)}.new`, '-c', 'copy', '-f', 'mp4', chunks.path(one));
    await writeFile(chunks.path(other), 'no video at all');
    const made = await produce(engine({ cores: 2 }), place, source, { video: WEBM }, { chunks });
    expect(chunks.keeps.toSorted()).toEqual([one, other].toSorted());
    expect(await frameTimes(made.files['video']?.path ?? '')).toEqual(
      await frameTimes(whole.files['video']?.path ?? ''),
    );
  });
});

describe('an H.264 in chunks, as on eight cores', () => {
  it('has every frame at its time, and plays without a complaint', async () => {
    const small = { type: 'transcode', height: 72, encode: 'always', effort: 'fast' };
    const chunks = await folderShelf(place.join('h264'));
    const made = await produce(engine({ cores: 8 }), place, source, { video: small }, { chunks });
    expect(chunks.keeps).toHaveLength(2);
    const path = made.files['video']?.path ?? '';
    const times = await frameTimes(path);
    expect(times).toHaveLength(180);
    for (const [index, time] of times.entries()) expect(time).toBeCloseTo((index * 1001) / 15_000, 5);
    expect(await complaintsAbout(path)).toBe('');
    const plain = await produce(engine({ cores: 8 }), place, source, { video: small });
    expect(await soundOf(path)).toBe(await soundOf(plain.files['video']?.path ?? ''));
    expect(await frameTimes(path, 'a:0')).toEqual(await frameTimes(plain.files['video']?.path ?? '', 'a:0'));
  });
});

describe('chunks are given up', () => {
  it('where the frames of the source turn out not to be steady', async () => {
    const uneven = place.join('uneven.mkv');
    // One frame in the middle is lacking, which neither the rates nor the length of the file tell.
    await ffmpeg(
      '-i',
      source,
      '-vf',
      "select='not(eq(n,100))'",
      '-fps_mode',
      'passthrough',
      ...H264,
      '-c:a',
      'copy',
      uneven,
    );
    const chunks = await folderShelf(place.join('uneven'));
    const made = await produce(
      engine({ cores: 2 }),
      place,
      uneven,
      { video: WEBM },
      { chunks, mediaType: 'video/x-matroska' },
    );
    expect(chunks.keeps).toEqual([]);
    expect(await frameTimes(made.files['video']?.path ?? '')).toHaveLength(179);
  });

  it('where a chunk has not the frames that it should', async () => {
    const lossy = await script(
      place.join('lossy-ffmpeg'),
      [
        ASK_THE_REAL,
        'case "$*" in */chunks-0/1.mp4) ;; *) exec ffmpeg "$@";; esac',
        'ffmpeg "$@" || exit',
        'for last; do :; done',
        'at="${last#file:}"',
        'ffmpeg -v error -nostdin -i "$at" -c copy -frames:v 89 -f mp4 "$at.less" && mv "$at.less" "$at"',
      ].join('\n'),
    );
    const chunks = await folderShelf(place.join('lossy'));
    const made = await produce(
      engine({ cores: 2, ffmpegPath: lossy }),
      place,
      source,
      { video: WEBM },
      { chunks },
    );
    expect(isInChunks(made)).toBe(false);
    expect(chunks.keeps.length).toBeLessThan(2);
    expect(await frameTimes(made.files['video']?.path ?? '')).toHaveLength(180);
  });
});

describe('the grid', () => {
  const times = Array.from({ length: 50 }, (_, index) => 1 + index / 25);

  it('counts frames, whatever their order', () => {
    expect(gridOf(times.toReversed(), 25)).toBe(50);
    expect(
      gridOf(
        times.map((time) => Math.round(time * 1000) / 1000),
        25,
      ),
    ).toBe(50);
  });

  it.each([
    ['a frame is lacking', times.toSpliced(20, 1)],
    ['a frame is there twice', times.toSpliced(20, 0, times[20] ?? 0)],
    ['a frame has no time', times.with(20, Number.NaN)],
    ['a frame comes late', times.with(20, (times[20] ?? 0) + 0.02)],
    ['there is none', []],
  ])('is none where %s', (_, uneven) => {
    expect(() => gridOf(uneven, 25)).toThrow('the source');
  });
});

describe('a look at the frames that is killed from outside', () => {
  it('is no reason to give chunks up: the job is tried again', async () => {
    const killed = await script(
      place.join('killed-ffprobe'),
      'case "$*" in *packet=pts_time*) kill -9 $$;; esac\nexec ffprobe "$@"',
    );
    const chunks = await folderShelf(place.join('killed'));
    const videos = engine({ cores: 2, ffprobePath: killed });
    await expect(produce(videos, place, source, { video: WEBM }, { chunks })).rejects.toMatchObject({
      code: 'encoder_killed',
      kind: { retryJob: true },
    });
    await videos.close();
  });
});
