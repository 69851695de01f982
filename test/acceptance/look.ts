// What FFmpeg, ffprobe and exiftool make of a file: frames with their times, samples, loudness, tags.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FFMPEG, FFPROBE } from '../support/fixtures.ts';

const run = promisify(execFile);
const MOST_BYTES = 1024 * 1024 * 1024;

export interface LookedStream {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly codec_tag_string?: string;
  readonly profile?: string;
  readonly width?: number;
  readonly height?: number;
  readonly sample_aspect_ratio?: string;
  readonly pix_fmt?: string;
  readonly field_order?: string;
  readonly color_transfer?: string;
  readonly color_space?: string;
  readonly avg_frame_rate?: string;
  readonly channels?: number;
  readonly sample_rate?: string;
  readonly start_time?: string;
  readonly duration?: string;
  readonly disposition?: Readonly<Record<string, number>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly side_data_list?: readonly Readonly<Record<string, string | number>>[];
}

export interface Looked {
  readonly streams: readonly LookedStream[];
  readonly format: {
    readonly format_name: string;
    readonly duration?: string;
    readonly start_time?: string;
    readonly tags?: Readonly<Record<string, string>>;
  };
  readonly chapters: readonly object[];
}

/** `options`: before the input. */
export async function lookAt(path: string, options: readonly string[] = []): Promise<Looked> {
  const shown = ['-show_format', '-show_streams', '-show_chapters'];
  const { stdout } = await run(FFPROBE, ['-v', 'error', '-of', 'json', ...shown, ...options, path]);
  return JSON.parse(stdout) as Looked;
}

export const streamsOf = ({ streams }: Looked, kind: 'video' | 'audio' | 'subtitle'): LookedStream[] =>
  streams.filter(({ codec_type, disposition }) => codec_type === kind && disposition?.['attached_pic'] !== 1);

/** `24000/1001` and `16:15` as numbers; null for `0/0` and `N/A`. */
export function ratio(text: string | undefined): number | null {
  const [over = '', under = '1'] = (text ?? '').split(/[/:]/);
  const value = Number(over) / Number(under);
  return Number.isFinite(value) && value > 0 ? value : null;
}

/** Small RGB pictures of all frames, one after the other. */
export interface Frames {
  readonly width: number;
  readonly height: number;
  /** Seconds, one for each frame. */
  readonly times: readonly number[];
  readonly pixels: Uint8Array;
  /** What FFmpeg complained of while it decoded. */
  readonly errors: readonly string[];
}

export interface LookOptions {
  /** FFmpeg's specifier. */
  readonly stream?: string;
  /** Times as they stand in the file, and not from its beginning. */
  readonly absolute?: boolean;
  /** As a player sees it that knows no edit list. */
  readonly plain?: boolean;
  /** Before the picture is made small. */
  readonly filters?: readonly string[];
  /** Samples per second. */
  readonly rate?: number;
}

const inputOf = (path: string, { absolute, plain }: LookOptions): string[] => [
  ...['-nostdin', '-hide_banner', '-nostats', '-v', 'level+info'],
  ...(plain ? ['-ignore_editlist', '1'] : []),
  ...(absolute ? ['-copyts'] : []),
  ...['-i', path],
];

/** All frames as they are shown: turned upright by FFmpeg itself. */
export async function framesOf(
  path: string,
  size: { readonly width: number; readonly height: number },
  options: LookOptions = {},
): Promise<Frames> {
  const filters = [
    ...(options.filters ?? []),
    `scale=${size.width}:${size.height}:flags=area`,
    'format=rgb24',
    'showinfo=checksum=0',
  ];
  const { stdout, stderr } = await run(
    FFMPEG,
    [
      ...inputOf(path, options),
      ...['-map', `0:${options.stream ?? 'v:0'}`, '-vf', filters.join(','), '-fps_mode', 'passthrough'],
      ...['-f', 'rawvideo', '-'],
    ],
    { encoding: 'buffer', maxBuffer: MOST_BYTES },
  );
  const log = stderr.toString();
  const times = [...log.matchAll(/showinfo.*? n: *\d+ pts: *\S+ pts_time:(\S+)/g)].map(([, time]) =>
    Number(time),
  );
  const bytes = size.width * size.height * 3;
  if (stdout.length !== times.length * bytes) {
    throw new Error(`${times.length} frames were told of, ${stdout.length / bytes} came`);
  }
  return { ...size, times, pixels: stdout, errors: errorsIn(log) };
}

function errorsIn(log: string): string[] {
  // What the muxer of raw pictures says is not about the file.
  return log
    .split('\n')
    .filter((line) => /\[(?:error|fatal|panic)\]/.test(line) && !line.startsWith('[rawvideo @'));
}

/** Samples per second of `soundOf`, unless others are asked for. */
export const RATE = 8000;

/** The sound as one channel from the beginning of the file's clock, its gaps filled with silence. */
export async function soundOf(path: string, options: LookOptions = {}): Promise<Float32Array> {
  const { stdout } = await run(
    FFMPEG,
    [
      ...inputOf(path, options),
      ...['-map', `0:${options.stream ?? 'a:0'}`],
      ...[
        '-af',
        [...(options.filters ?? []), `aresample=${options.rate ?? RATE}:async=1:first_pts=0`].join(','),
      ],
      ...['-ac', '1', '-f', 'f32le', '-'],
    ],
    { encoding: 'buffer', maxBuffer: MOST_BYTES },
  );
  // Copied: a view of floats must begin at a multiple of four bytes.
  return new Float32Array(new Uint8Array(stdout).buffer);
}

/** Integrated loudness by EBU R128, in LUFS. */
export async function loudnessOf(path: string): Promise<number> {
  const { stderr } = await run(
    FFMPEG,
    [...inputOf(path, {}), ...['-map', '0:a:0', '-af', 'ebur128', '-f', 'null', '-']],
    { maxBuffer: MOST_BYTES },
  );
  const summary = stderr.slice(stderr.lastIndexOf('Integrated loudness:'));
  return Number(/I: +(\S+) LUFS/.exec(summary)?.[1]);
}

/** All that exiftool reads, or null where it is not installed. */
export async function exiftool(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    const { stdout } = await run('exiftool', ['-j', '-a', '-G1', '-n', path]);
    return (JSON.parse(stdout) as Record<string, unknown>[])[0] ?? {};
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
