// Whether the sound is where the picture is: clips that flash and beep every second, and what becomes of that.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FFMPEG, ffmpegFixture } from './fixtures.ts';

const run = promisify(execFile);

/** The path of a clip that is white for two frames and beeps for 80 ms at each full second. */
export function flashAndBeep({
  seconds,
  fps = 25,
  container = 'mp4',
  options = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
}: {
  seconds: number;
  fps?: number;
  container?: string;
  options?: readonly string[];
}): Promise<string> {
  return ffmpegFixture(container, [
    ...['-f', 'lavfi', '-i', `color=black:size=320x180:rate=${fps}:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=1000:sample_rate=48000:duration=${seconds}`],
    ...['-vf', `drawbox=enable='lt(mod(t\\,1)\\,${(2 / fps).toFixed(4)})*gt(t\\,0.5)':color=white:t=fill`],
    ...['-af', "asetnsamples=480,volume='if(gt(t\\,0.5)*lt(mod(t\\,1)\\,0.08)\\,4\\,0)':eval=frame"],
    ...options,
  ]);
}

export interface Sync {
  /** Seconds at which the picture turns white. */
  readonly flashes: readonly number[];
  readonly beeps: readonly number[];
  /** The largest distance between the two, in seconds. */
  readonly worst: number;
}

/** Looks at and listens to a file, or to two. Times are those of a player that knows no edit list if `plain`. */
export async function syncOf(picture: string, sound = picture, plain = false): Promise<Sync> {
  const [flashes, beeps] = await Promise.all([flashesOf(picture, plain), beepsOf(sound, plain)]);
  const distances = flashes.map((at) => Math.min(...beeps.map((beep) => Math.abs(beep - at))));
  return { flashes, beeps, worst: Math.max(...distances) };
}

const inputOf = (path: string, plain: boolean): string[] => [
  ...['-nostdin', '-v', 'error'],
  ...(plain ? ['-ignore_editlist', '1'] : []),
  ...['-i', path],
];

async function flashesOf(path: string, plain: boolean): Promise<number[]> {
  const filter = 'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-';
  const { stdout } = await run(
    FFMPEG,
    [
      ...inputOf(path, plain),
      '-map',
      '0:v:0',
      '-vf',
      filter,
      '-fps_mode',
      'passthrough',
      '-copyts',
      '-f',
      'null',
      '-',
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  const times: number[] = [];
  let bright = false;
  for (const [, time, value] of stdout.matchAll(/pts_time:(\S+)\s+lavfi\.signalstats\.YAVG=(\S+)/g)) {
    const isBright = Number(value) > 120;
    if (isBright && !bright) times.push(Number(time));
    bright = isBright;
  }
  return times;
}

async function beepsOf(path: string, plain: boolean): Promise<number[]> {
  const rate = 48_000;
  const { stdout } = await run(
    FFMPEG,
    [
      ...inputOf(path, plain),
      ...['-map', '0:a:0', '-af', `aresample=${rate}:async=1:first_pts=0`, '-ac', '1'],
      ...['-copyts', '-f', 's16le', '-'],
    ],
    { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 },
  );
  const samples = new Int16Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.length / 2));
  const times: number[] = [];
  let last = -Infinity;
  for (let index = 0; index < samples.length; index++) {
    if (Math.abs(samples[index]!) < 2000) continue;
    if (index - last > rate / 4) times.push(index / rate);
    last = index;
  }
  return times;
}
