// Looks at results: whether pictures decode whole, whether films play, what is in them.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { FFMPEG, FFPROBE } from './fixtures.ts';

const run = promisify(execFile);

export interface Picture {
  readonly format: string;
  readonly width: number;
  readonly height: number;
}

/** Decodes every pixel. Rejects if the picture is cut off or damaged. */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const image = sharp(bytes, { failOn: 'truncated' });
  const { format } = await image.metadata();
  const { info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { format, width: info.width, height: info.height };
}

export interface Film {
  /** FFmpeg's name of the demuxer, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly container: string;
  readonly seconds: number;
  readonly video?: { readonly codec: string; readonly width: number; readonly height: number } | undefined;
  readonly audio?: { readonly codec: string; readonly channels: number } | undefined;
}

interface ProbeOutput {
  readonly format: { readonly format_name: string; readonly duration?: string };
  readonly streams: readonly {
    readonly codec_type: string;
    readonly codec_name: string;
    readonly width?: number;
    readonly height?: number;
    readonly channels?: number;
  }[];
}

/** What ffprobe says of a file. */
export async function probeFilm(path: string): Promise<Film> {
  const { stdout } = await run(FFPROBE, [
    '-v',
    'error',
    '-show_format',
    '-show_streams',
    '-of',
    'json',
    path,
  ]);
  const { format, streams } = JSON.parse(stdout) as ProbeOutput;
  const video = streams.find(({ codec_type: type }) => type === 'video');
  const audio = streams.find(({ codec_type: type }) => type === 'audio');
  return {
    container: format.format_name,
    seconds: Number(format.duration),
    video: video && { codec: video.codec_name, width: video.width ?? 0, height: video.height ?? 0 },
    audio: audio && { codec: audio.codec_name, channels: audio.channels ?? 0 },
  };
}

/** Decodes every frame and every sample; what FFmpeg has to complain about, or an empty string. */
export async function complaintsAbout(path: string): Promise<string> {
  const child = spawn(FFMPEG, ['-nostdin', '-v', 'error', '-i', path, '-f', 'null', '-'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [complaints, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return code === 0 ? complaints : `exit ${code}: ${complaints}`;
}

/** The kinds of an MP4's top-level boxes in their order: `moov` before `mdat` plays while it loads. */
export function topLevelBoxes(mp4: Buffer): string[] {
  const kinds: string[] = [];
  for (let at = 0; at + 8 <= mp4.length; ) {
    const small = mp4.readUInt32BE(at);
    kinds.push(mp4.toString('latin1', at + 4, at + 8));
    const size = small === 1 ? Number(mp4.readBigUInt64BE(at + 8)) : small;
    if (size < 8) break;
    at += size;
  }
  return kinds;
}
