// Pictures by sharp and clips by FFmpeg, made once and kept in a temporary folder under the name of their recipe.

import { execFile } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';

const run = promisify(execFile);

/** Of this user: another's folder could not be written. */
const FOLDER = join(tmpdir(), `mediamill-fixtures-${userInfo().uid}`);

export const FFMPEG = process.env['FFMPEG_PATH'] ?? 'ffmpeg';
export const FFPROBE = process.env['FFPROBE_PATH'] ?? 'ffprobe';

export interface ImageWish {
  readonly width: number;
  readonly height: number;
  readonly format?: 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff';
  /** 1–100, where the format has one. */
  readonly quality?: number;
  /** Grain, as the standard deviation of its brightness: what makes it costly to encode. */
  readonly grain?: number;
  readonly progressive?: boolean;
}

/** A coloured picture with soft shapes and grain in it. */
export async function imageFixture(wish: ImageWish): Promise<Buffer> {
  const { width, height, format = 'jpeg', quality = 80, grain = 12, progressive = false } = wish;
  const path = await cached({ image: 1, width, height, format, quality, grain, progressive }, format, (to) =>
    sharp({
      create: {
        width,
        height,
        channels: 3,
        background: { r: 120, g: 120, b: 120 },
        noise: { type: 'gaussian', mean: 128, sigma: grain },
      },
      limitInputPixels: false,
    })
      .composite([{ input: Buffer.from(shapes(width, height)), blend: 'overlay' }])
      .toFormat(format, { ...(format !== 'gif' && { quality }), ...(format === 'jpeg' && { progressive }) })
      .toFile(to),
  );
  return readFile(path);
}

function shapes(width: number, height: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="g" x2="1" y2="1"><stop stop-color="#e33"/><stop offset=".5" stop-color="#3c6"/><stop offset="1" stop-color="#36f"/></linearGradient>
    <rect width="100%" height="100%" fill="url(#g)"/><circle cx="30%" cy="40%" r="20%" fill="#fff"/></svg>`;
}

export interface ClipWish {
  readonly seconds: number;
  readonly width: number;
  readonly height: number;
  readonly fps?: number;
  /** `web`: H.264 and AAC, which an MP4 may take over as they are. `old`: MPEG-4 part 2 and MP3, which must be encoded. */
  readonly codecs?: 'web' | 'old' | 'vp9';
  readonly container?: 'mp4' | 'mkv' | 'mov' | 'avi' | 'webm';
  readonly sound?: boolean;
  /** Set to have noise in the picture, which makes it slow to encode. */
  readonly grain?: boolean;
}

const CODECS = {
  web: ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '96k'],
  old: ['-c:v', 'mpeg4', '-q:v', '5', '-c:a', 'libmp3lame', '-b:a', '96k'],
  vp9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k', '-c:a', 'libopus'],
} as const;

/** The path of a clip: FFmpeg's test picture with a counter, and a 440 Hz tone. Read-only. */
export function clipFixture(wish: ClipWish): Promise<string> {
  const {
    seconds,
    width,
    height,
    fps = 25,
    codecs = 'web',
    container = 'mp4',
    sound = true,
    grain = false,
  } = wish;
  const noise = grain ? ',noise=alls=60:allf=t' : '';
  return ffmpegFixture(container, [
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=${width}x${height}:rate=${fps}:duration=${seconds}${noise}`,
    ...(sound ? ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`] : []),
    ...CODECS[codecs],
    ...(sound ? ['-ac', '2'] : ['-an']),
  ]);
}

/** The path of whatever FFmpeg makes of these arguments. */
export function ffmpegFixture(extension: string, args: readonly string[]): Promise<string> {
  return cached({ ffmpeg: 1, args }, extension, (to) =>
    run(FFMPEG, ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', ...args, '-bitexact', to]),
  );
}

/** As `ffmpegFixture`, as it is without `-bitexact`: with FFmpeg's name in its tags. */
export function drawnFixture(extension: string, args: readonly string[]): Promise<string> {
  return cached({ drawn: 1, args }, extension, (to) =>
    run(FFMPEG, ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', ...args, to]),
  );
}

/** Made beside and renamed, so that two test files may make the same one at once. */
async function cached(
  recipe: object,
  extension: string,
  make: (path: string) => Promise<unknown>,
): Promise<string> {
  const path = join(FOLDER, `${hash('sha256', JSON.stringify(recipe)).slice(0, 24)}.${extension}`);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) return path;
  await mkdir(FOLDER, { recursive: true });
  const unfinished = join(FOLDER, `${randomUUID()}.${extension}`);
  try {
    await make(unfinished);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  return path;
}
