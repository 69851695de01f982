// Small videos made by FFmpeg itself, and what tests need to look into results.

import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { createVideoEngine } from '../../src/engines/ffmpeg.ts';
import type { JobContext } from '../../src/contracts.ts';
import type { VideoEngineOptions } from '../../src/engines/ffmpeg.ts';
import type {
  ChunkShelf,
  MadeFile,
  MediaFile,
  ProducedOutput,
  SourceFacts,
  VideoEngine,
} from '../../src/engine-contracts.ts';
import { videoOutputSchema } from '../../src/operations/video.ts';
import { drawnFixture } from '../support/fixtures.ts';

const run = promisify(execFile);

export interface Folder extends AsyncDisposable {
  readonly path: string;
  join(name: string): string;
}

export async function folder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'mediamill-video-'));
  return {
    path,
    join: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** The last of the arguments is where it goes. A file that is made of no other is made once, for all tests, and copied. */
export async function ffmpeg(...args: string[]): Promise<void> {
  const [how, to] = [args.slice(0, -1), args.at(-1) ?? ''];
  if (isOneFile(to) && isDrawn(how)) await copyFile(await drawnFixture(extname(to).slice(1), how), to);
  else await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args]);
}

/** And not a pattern, a playlist with segments, or standard output. */
function isOneFile(path: string): boolean {
  return path.startsWith(tmpdir()) && /^[^%]+\.(?!m3u8$|mpd$)\w+$/.test(path);
}

/** Every input comes from a filter, and no other file is named. */
function isDrawn(args: readonly string[]): boolean {
  const drawn = args.every((arg, index) => arg !== '-i' || args[index - 1] === 'lavfi');
  return drawn && !args.some((arg) => arg.includes(tmpdir()));
}

export const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=2'];
export const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=2:sample_rate=48000'];
export const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-profile:v', 'main', '-pix_fmt', 'yuv420p'];
export const AAC = ['-c:a', 'aac', '-b:a', '96k', '-ac', '2'];

/** Two seconds of web-ready H.264 and AAC that say where and by whom they were taken. */
export async function webReady(path: string, ...more: string[]): Promise<string> {
  const secrets = ['-metadata', 'location=+52.5200+013.4050/', '-metadata', 'artist=Jane Private'];
  await ffmpeg(...PICTURE, ...SOUND, ...H264, ...AAC, ...secrets, ...more, path);
  return path;
}

/** The first second red, the second one blue. */
export async function redThenBlue(path: string): Promise<string> {
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'color=red:size=320x180:rate=25:duration=1'],
    ...['-f', 'lavfi', '-i', 'color=blue:size=320x180:rate=25:duration=1'],
    ...['-filter_complex', '[0:v][1:v]concat=n=2:v=1:a=0'],
    ...H264,
    path,
  );
  return path;
}

/** Turns an MP4 by 90°, as phones do: by the matrix in the track header. */
export async function turn(path: string): Promise<string> {
  const bytes = await readFile(path);
  const header = bytes.indexOf('tkhd');
  const identity = Buffer.from('000100000000000000000000', 'hex');
  const matrix = bytes.indexOf(identity, header);
  Buffer.from('000000000001000000000000ffff00000000000000000000', 'hex').copy(bytes, matrix);
  await writeFile(path, bytes);
  return path;
}

/** An output, with the path of its first file. */
export type MadeOutput = Omit<ProducedOutput, 'files'> & {
  readonly path: string;
  readonly files: ProducedOutput['files'];
};

export interface Made {
  readonly files: Readonly<Record<string, MadeOutput>>;
  readonly warnings: readonly string[];
  readonly facts: SourceFacts;
  readonly progress: readonly number[];
}

/** An engine with wide limits. */
export function engine(options: Partial<VideoEngineOptions> = {}): VideoEngine {
  return createVideoEngine({
    ffmpegPath: 'ffmpeg',
    ffprobePath: 'ffprobe',
    maxSeconds: 14_400,
    maxPixels: 33_177_600,
    timeoutSeconds: 120,
    ...options,
  });
}

let scratches = 0;

/** Has an engine make outputs, given as a client would write them. */
export async function produce(
  videos: VideoEngine,
  place: Folder,
  path: string,
  outputs: Record<string, unknown>,
  options: {
    mediaType?: string;
    signal?: AbortSignal;
    onProgress?: () => void;
    assets?: ReadonlyMap<string, MediaFile>;
    publish?: (output: string, file: MadeFile & { path: string }) => Promise<void>;
    onOutput?: (name: string, output: ProducedOutput) => Promise<void>;
    onRestart?: () => void;
    chunks?: ChunkShelf;
    share?: JobContext['share'];
  } = {},
): Promise<Made> {
  const scratch = place.join(`scratch-${scratches++}`);
  await mkdir(scratch);
  let facts: SourceFacts = {};
  const progress: number[] = [];
  const { signal = new AbortController().signal, mediaType = 'video/mp4', onProgress, ...rest } = options;
  const { outputs: made, warnings } = await videos.produce({
    ...rest,
    source: { path, mediaType },
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, output]) => [name, videoOutputSchema.parse(output)]),
    ),
    scratch,
    signal,
    onSource: (found) => {
      facts = found;
    },
    onProgress: (update) => {
      progress.push(update.progress);
      onProgress?.();
    },
  });
  const files = Object.fromEntries(
    Object.entries(made).map(([name, output]) => [name, { ...output, path: output.files[0]?.path ?? '' }]),
  );
  return { files, warnings, facts, progress };
}

/** What ffprobe says, for judging results by another eye than the engine's own. */
export async function look(path: string): Promise<{
  format: { duration?: string; tags?: Record<string, string> };
  streams: Record<string, string | number | object>[];
}> {
  const { stdout } = await run('ffprobe', [
    '-v',
    'error',
    '-of',
    'json',
    '-show_format',
    '-show_streams',
    path,
  ]);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof look>>;
}

/** Mean colour of a picture or of a video's first frame: red, green, blue, 0–255. */
export async function colour(path: string): Promise<readonly number[]> {
  const { stdout } = await run(
    'ffmpeg',
    [
      '-v',
      'error',
      '-i',
      path,
      '-frames:v',
      '1',
      '-vf',
      'scale=1:1:flags=area',
      '-f',
      'rawvideo',
      '-pix_fmt',
      'rgb24',
      '-',
    ],
    { encoding: 'buffer' },
  );
  return [...stdout];
}

/** A hash of every decoded sample of both streams. */
export async function content(path: string): Promise<string> {
  const { stdout } = await run('ffmpeg', [
    '-v',
    'error',
    '-i',
    path,
    '-map',
    '0:v',
    '-map',
    '0:a',
    '-f',
    'streamhash',
    '-',
  ]);
  return stdout;
}

/** The top-level boxes of an MP4, in order. */
export async function boxes(path: string): Promise<string[]> {
  const bytes = await readFile(path);
  const names: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    names.push(bytes.toString('latin1', at + 4, at + 8));
    const size = bytes.readUInt32BE(at);
    at += size === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : Math.max(size, 8);
  }
  return names;
}

/** A program in place of FFmpeg: `body` is shell, `real` the name of the real one, which it may `exec`. */
export async function script(path: string, body: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Words of a script that answer FFmpeg's questions about itself, so that only real runs get past them. */
export const ASK_THE_REAL = 'case "$*" in *-version*|*-encoders*|*-filters*) exec ffmpeg "$@";; esac';
