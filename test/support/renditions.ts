// Small HLS renditions by FFmpeg itself, one init segment and its media segments each, as the server has them made.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FFMPEG, FFPROBE } from './fixtures.ts';

export interface Rendition {
  readonly name: string;
  readonly init: Buffer;
  readonly segments: readonly Buffer[];
  /** FFmpeg's own playlist. */
  readonly playlist: string;
}

export interface RenditionFolder extends Disposable {
  readonly path: string;
  join(name: string): string;
  write(name: string, content: string | Uint8Array): string;
  rendition(name: string): Rendition;
}

export function renditionFolder(): RenditionFolder {
  const path = mkdtempSync(join(tmpdir(), 'mediamill-renditions-'));
  const within = (name: string): string => join(path, name);
  return {
    path,
    join: within,
    write(name, content) {
      writeFileSync(within(name), content);
      return within(name);
    },
    rendition: (name) => ({
      name,
      init: readFileSync(within(`${name}.init.mp4`)),
      segments: readdirSync(path)
        .filter((file) => new RegExp(`^${name}\\.\\d+\\.m4s$`).test(file))
        .toSorted()
        .map((file) => readFileSync(within(file))),
      playlist: readFileSync(within(`${name}.ffmpeg.m3u8`), 'utf8'),
    }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export const TEST_PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=2'];
export const TEST_SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=2:sample_rate=48000'];

export function ffmpeg(...args: string[]): Buffer {
  return execFileSync(FFMPEG, ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

const encoders = execFileSync(FFMPEG, ['-hide_banner', '-encoders'], { encoding: 'utf8', stdio: 'pipe' });
const demuxers = execFileSync(FFMPEG, ['-hide_banner', '-demuxers'], { encoding: 'utf8', stdio: 'pipe' });

export function hasEncoder(name: string): boolean {
  return new RegExp(`^ [VAS][F.][S.][X.][B.][D.] ${name} `, 'm').test(encoders);
}

export const READS_DASH = /^ *D[ d]* dash /m.test(demuxers);

/** Options of one output: a rendition with a segment each second. */
export function renditionOutput(folder: RenditionFolder, name: string): string[] {
  return [
    // Or each output is moved until nothing is below 0: sound by its lead-in, pictures by their reordering.
    ...['-avoid_negative_ts', 'disabled'],
    ...['-f', 'hls', '-hls_time', '1', '-hls_playlist_type', 'event', '-hls_segment_type', 'fmp4'],
    ...['-hls_flags', 'independent_segments+temp_file'],
    ...['-hls_fmp4_init_filename', `${name}.init.mp4`],
    ...['-hls_segment_filename', folder.join(`${name}.%05d.m4s`)],
    folder.join(`${name}.ffmpeg.m3u8`),
  ];
}

export interface ProbedPacket {
  readonly pts: number;
  readonly dts: number;
  readonly key: boolean;
  /** Bytes, from the beginning of the file. */
  readonly position: number;
  readonly size: number;
}

export interface Probed {
  readonly stream: Readonly<Record<string, unknown>>;
  readonly packets: readonly ProbedPacket[];
}

/** What FFmpeg's demuxer says of a file's first stream of a kind. Times are in its units. */
export function probePackets(path: string, kind: 'v' | 'a'): Probed {
  const shown = ['-show_streams', '-show_packets', '-select_streams', `${kind}:0`];
  const found = JSON.parse(
    execFileSync(FFPROBE, ['-v', 'error', '-of', 'json', ...shown, path], {
      encoding: 'utf8',
      stdio: 'pipe',
    }),
  ) as { streams: Record<string, unknown>[]; packets: Record<string, string | number>[] };
  return {
    stream: found.streams[0] ?? {},
    packets: found.packets.map(({ pts, dts, flags, pos, size }) => ({
      pts: Number(pts),
      dts: Number(dts),
      key: String(flags).startsWith('K'),
      position: Number(pos),
      size: Number(size),
    })),
  };
}

export interface CountedStream {
  readonly codec_name: string;
  readonly nb_read_frames: string;
  readonly height?: number;
}

/** The streams that FFmpeg finds behind an address, or those of them that `select` names, each frame decoded. */
export function countFrames(path: string, select?: string): readonly CountedStream[] {
  const shown = ['-count_frames', '-show_entries', 'stream=codec_name,height,nb_read_frames'];
  const selected = select === undefined ? [] : ['-select_streams', select];
  const found = JSON.parse(
    execFileSync(FFPROBE, ['-v', 'error', '-of', 'json', ...shown, ...selected, path], {
      encoding: 'utf8',
      stdio: 'pipe',
    }),
  ) as { streams: CountedStream[] };
  return found.streams;
}
