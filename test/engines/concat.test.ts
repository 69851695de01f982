// Three clips that differ in everything, joined for real: how long, what is to be seen when, and what to be heard.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MediaFile } from '../../src/engine-contracts.ts';
import { engine, ffmpeg, folder, H264, look, produce } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const run = promisify(execFile);
const RATE = 48_000;

let place: Folder;
/** Red with a tone, 25 frames per second; blue on end and mute, 30; green in 4:3 with a mono tone, 15. A second each. */
let red: string;
let assets: ReadonlyMap<string, MediaFile>;

const plain = (colour: string, size: string, fps: number) => [
  ...['-f', 'lavfi', '-i', `color=${colour}:size=${size}:rate=${fps}:duration=1`],
];
const tone = (rate: number) => [
  ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=1:sample_rate=${rate}`],
];

beforeAll(async () => {
  place = await folder();
  red = place.join('red.mp4');
  const [blue, green] = [place.join('blue.mp4'), place.join('green.webm')];
  await ffmpeg(...plain('red', '320x180', 25), ...tone(48_000), ...H264, '-c:a', 'aac', '-ac', '2', red);
  await ffmpeg(...plain('blue', '90x160', 30), ...H264, blue);
  const vp8 = ['-c:v', 'libvpx', '-c:a', 'libopus', '-ac', '1'];
  await ffmpeg(...plain('lime', '160x120', 15), ...tone(48_000), ...vp8, green);
  assets = new Map([
    ['upload:blue', { path: blue, mediaType: 'video/mp4' }],
    ['upload:green', { path: green, mediaType: 'video/webm' }],
  ]);
});
afterAll(() => place[Symbol.asyncDispose]());

/** Colours in the middle and at the left edge, frame by frame. */
async function frames(path: string): Promise<{ middle: string; edge: string }[]> {
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-i', path, '-vf', 'scale=32:18:flags=area', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
    { encoding: 'buffer', maxBuffer: 1e8 },
  );
  const size = 32 * 18 * 3;
  const name = (at: number): string => {
    const [r = 0, g = 0, b = 0] = stdout.subarray(at, at + 3);
    if (r + g + b < 60) return 'black';
    return r > 150 && g < 90
      ? 'red'
      : b > 150 && g < 90
        ? 'blue'
        : g > 150 && r < 90
          ? 'green'
          : `${r},${g},${b}`;
  };
  return Array.from({ length: stdout.length / size }, (_, frame) => ({
    middle: name(frame * size + (9 * 32 + 16) * 3),
    edge: name(frame * size + 9 * 32 * 3),
  }));
}

/** Where the sound of the left channel begins or ends, in seconds: 5 ms count as loud or silent. */
async function turns(path: string): Promise<number[]> {
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-i', path, '-map', '0:a', '-ac', '1', '-ar', `${RATE}`, '-f', 's16le', '-'],
    { encoding: 'buffer', maxBuffer: 1e8 },
  );
  const window = RATE / 200;
  const found: number[] = [];
  let loud = false;
  for (let at = 0; (at + window) * 2 <= stdout.length; at += window) {
    let sum = 0;
    for (let sample = at; sample < at + window; sample++) sum += Math.abs(stdout.readInt16LE(sample * 2));
    const isLoud = sum / window > 300;
    if (isLoud !== loud) found.push(at / RATE);
    loud = isLoud;
  }
  return found;
}

it.each([
  ['mp4', 'h264', 'aac'],
  ['webm', 'vp9', 'opus'],
] as const)(
  'joined as %s they follow one another on the frame, the sound with them',
  async (format, video, audio) => {
    const videos = engine();
    const { files, warnings } = await produce(
      videos,
      place,
      red,
      { joined: { type: 'concat', with: ['upload:blue', 'upload:green'], format, effort: 'fast' } },
      { assets },
    );
    const path = files['joined']?.path ?? '';
    const { streams, format: container } = await look(path);
    expect(warnings).toEqual([]);
    expect(streams.map(({ codec_name }) => codec_name)).toEqual([video, audio]);
    expect(streams[0]).toMatchObject({ width: 320, height: 180, avg_frame_rate: '25/1' });
    expect(streams[1]).toMatchObject({ sample_rate: '48000', channels: 2 });
    expect(Math.abs(Number(container.duration) - 3)).toBeLessThan(2 / 25);

    const seen = await frames(path);
    expect(seen).toHaveLength(75);
    const parts = ['red', 'blue', 'green'].map((colour) => [
      seen.findIndex(({ middle }) => middle === colour),
      seen.findLastIndex(({ middle }) => middle === colour),
    ]);
    expect(parts).toEqual([
      [0, 24],
      [25, 49],
      [50, 74],
    ]);
    // The first fills the frame, the others have bars beside them.
    expect([0, 30, 60].map((frame) => seen[frame]?.edge)).toEqual(['red', 'black', 'black']);

    const heard = (await turns(path)).filter((at) => at > 0.1 && at < 2.9);
    expect(heard).toHaveLength(2);
    expect(Math.abs((heard[0] ?? 0) - 1)).toBeLessThan(0.04);
    expect(Math.abs((heard[1] ?? 0) - 2)).toBeLessThan(0.04);
    expect(files['joined']?.decisions.join()).toContain('1 without sound got silence');
    await videos.close();
  },
);

it('as long together as no single one may be they are refused', async () => {
  const videos = engine({ maxSeconds: 1.5 });
  const joined = { type: 'concat', with: ['upload:blue', 'upload:green'] };
  await expect(produce(videos, place, red, { joined }, { assets })).rejects.toMatchObject({
    code: 'video_too_long',
  });
  await videos.close();
});

it('they are measured where they do not say how long they are', async () => {
  const videos = engine({ maxSeconds: 1.5 });
  const live = place.join('live.webm');
  await ffmpeg(...plain('lime', '160x120', 15), '-c:v', 'libvpx', '-f', 'webm', '-live', '1', live);
  const file = { path: live, mediaType: 'video/webm' };
  const recordings = new Map([
    ['upload:one', file],
    ['upload:two', file],
  ]);
  const joined = { type: 'concat', with: ['upload:one', 'upload:two'], effort: 'fast' };
  await expect(produce(videos, place, red, { joined }, { assets: recordings })).rejects.toMatchObject({
    code: 'video_too_long',
    message: expect.stringContaining('would last 3 s'),
  });
  await videos.close();
});
