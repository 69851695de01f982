// The media that the scenarios work on: made once a run, from the samples where they are, else drawn.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { ROOT } from './server-process.ts';

/** Real photographs and films give figures of real work. Where they are absent, drawn ones stand in. */
const SAMPLES = resolve(ROOT, process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const PHOTO = join(SAMPLES, 'photos/rocket-5mp.jpg');
const FILM = join(SAMPLES, 'clips/bbb-1080p-4s.mkv');

export interface Medium {
  readonly path: string;
  readonly bytes: number;
  /** For the report. */
  readonly description: string;
}

export interface PhotoShape {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** About. */
  readonly bytes: number;
}

/** What a phone sends, as the figures mean it. */
export const PHONE_PHOTO: PhotoShape = { width: 2725, height: 2225, bytes: 800_000 };
/** 13 million pixels, as a better phone sends. */
export const LARGE_PHOTO: PhotoShape = { width: 4160, height: 3120, bytes: 3_500_000 };
/** For quick runs. */
export const SMALL_PHOTO: PhotoShape = { width: 545, height: 445, bytes: 40_000 };

export interface Photo extends Medium, PhotoShape {}

/** A JPEG of that shape. */
export async function makePhoto(folder: string, { width, height, bytes }: PhotoShape): Promise<Photo> {
  const path = join(folder, `photo-${width}.jpg`);
  const real = existsSync(PHOTO);
  const pixels = real
    ? sharp(PHOTO).autoOrient().resize(width, height, { fit: 'cover' })
    : drawn(width, height);
  const raw = await pixels.raw().toBuffer({ resolveWithObject: true });
  const encode = (quality: number): Promise<Buffer> =>
    sharp(raw.data, { raw: raw.info }).jpeg({ quality }).toBuffer();
  // The quality whose size comes closest, by halving: sizes grow with quality.
  let [low, high] = [30, 95];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await encode(middle)).length < bytes) low = middle + 1;
    else high = middle;
  }
  const jpeg = await encode(low);
  await writeFile(path, jpeg);
  const from = real ? 'from the sample photo rocket-5mp' : 'drawn: gradients and noise';
  const description = `JPEG ${width} × ${height}, quality ${low}, ${Math.round(jpeg.length / 1000)} kB, ${from}`;
  return { path, bytes: jpeg.length, width, height, description };
}

/** Soft shapes with grain: compresses about as a photo does. The same on every machine. */
function drawn(width: number, height: number): Sharp {
  const grain = Buffer.alloc(width * height * 3);
  // A linear congruential generator (Numerical Recipes): the grain must not differ from run to run.
  let state = 1;
  for (let i = 0; i < grain.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const shape = Math.sin(x / 97 + (i % 3)) * 60 + Math.cos((x + y * 2) / 210) * 50;
    grain[i] = Math.max(0, Math.min(255, 128 + shape + (state >>> 28)));
  }
  return sharp(grain, { raw: { width, height, channels: 3 } });
}

export interface ClipShape {
  readonly seconds: number;
  /** Lines: 16:9 where drawn. */
  readonly height: number;
}

/**
 * A web-ready MP4 (H.264, stereo AAC) of some seconds: a few seconds again and again, so that long ones take no
 * longer to make. Made once a folder.
 */
export async function makeClip(
  folder: string,
  { seconds, height, drawn = false }: ClipShape & { readonly drawn?: boolean },
  signal: AbortSignal,
): Promise<Medium> {
  const real = existsSync(FILM) && height === 1080 && !drawn;
  const kind = drawn ? 'drawn-' : '';
  const path = join(folder, `clip-${kind}${height}p-${seconds}s.mp4`);
  if (!existsSync(path)) {
    const unit = join(folder, `unit-${kind}${height}p.mp4`);
    if (!existsSync(unit))
      await published(unit, (to) => ffmpeg([...(real ? taken() : painted(height)), to], signal));
    const loop = [
      '-stream_loop',
      '-1',
      '-i',
      unit,
      '-t',
      String(seconds),
      '-c',
      'copy',
      '-movflags',
      '+faststart',
    ];
    await published(path, (to) => ffmpeg([...loop, to], signal));
  }
  const { size } = await stat(path);
  const from = real ? 'the sample bbb-1080p-4s, repeated' : 'drawn: testsrc2 with noise, repeated';
  const megabits = ((size * 8) / seconds / 1e6).toFixed(1);
  return {
    path,
    bytes: size,
    description: `MP4 (H.264, AAC) ${height}p, ${seconds} s, ${megabits} Mb/s, ${from}`,
  };
}

/** A smaller one is drawn: scaling the film down would take longer than all that is done with it. */
const LEAST_LINES_OF_FILM = 360;

/**
 * A web-ready MP4 whose frames come at a steady rate: encoded as a whole, since the repeating of `makeClip`
 * leaves gaps. Made once a folder.
 */
export async function makeSteadyClip(
  folder: string,
  { seconds, height, fps }: ClipShape & { readonly fps: number },
  signal: AbortSignal,
): Promise<Medium> {
  const real = existsSync(FILM) && height >= LEAST_LINES_OF_FILM;
  const path = join(folder, `steady-${height}p-${fps}-${seconds}s.mp4`);
  if (!existsSync(path)) {
    const drawing = `testsrc2=size=${Math.round((height * 16) / 18) * 2}x${height}:rate=${fps},noise=alls=8:allf=t`;
    const picture = real ? ['-stream_loop', '-1', '-i', FILM] : ['-f', 'lavfi', '-i', drawing];
    const sound = ['-f', 'lavfi', '-i', 'sine=frequency=330:sample_rate=48000'];
    const frames = ['-vf', `fps=${fps},scale=-2:${height}`, '-frames:v', `${seconds * fps}`];
    const encoding = `-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p -g ${2 * fps} -c:a aac -b:a 128k -ac 2`;
    const maps = ['-map', '0:v:0', '-map', '1:a:0', '-t', `${seconds}`];
    await published(path, (to) =>
      ffmpeg([...picture, ...sound, ...maps, ...frames, ...encoding.split(' '), to], signal),
    );
  }
  const { size } = await stat(path);
  const from = real ? 'the sample bbb-1080p-4s, scaled and repeated' : 'drawn: testsrc2 with noise';
  const description = `MP4 (H.264, AAC) ${height}p, ${fps} frames a second, ${seconds} s, ${from}`;
  return { path, bytes: size, description };
}

function taken(): string[] {
  return ['-i', FILM, ...'-map 0:v:0 -map 0:a:0 -c:v copy -c:a aac -b:a 128k -ac 2'.split(' ')];
}

function painted(height: number): string[] {
  const size = `${Math.round((height * 16) / 18) * 2}x${height}`;
  const inputs = [
    `-f lavfi -i testsrc2=size=${size}:rate=30:duration=4,noise=alls=8:allf=t`,
    '-f lavfi -i sine=frequency=330:duration=4:sample_rate=48000',
  ];
  // Well below what the server copies at any size.
  const rate = `-b:v ${height * 3}k -maxrate ${height * 4}k -bufsize ${height * 6}k`;
  const video = `-c:v libx264 -preset veryfast ${rate} -pix_fmt yuv420p -g 60`;
  return [...inputs, video, '-c:a aac -b:a 128k -ac 2'].join(' ').split(' ');
}

/** The program that the server uses too. */
export const FFMPEG = process.env['FFMPEG_PATH'] ?? 'ffmpeg';
export const FFPROBE = process.env['FFPROBE_PATH'] ?? 'ffprobe';

async function ffmpeg(args: readonly string[], signal: AbortSignal): Promise<void> {
  await promisify(execFile)(FFMPEG, ['-nostdin', '-loglevel', 'error', '-y', ...args], { signal });
}

/** Makes a file under another name first: a half-made one must not be taken for the whole. */
async function published(path: string, make: (to: string) => Promise<void>): Promise<void> {
  const draft = path.replace(/\.(\w+)$/, '.draft.$1');
  await make(draft);
  await rename(draft, path);
}
