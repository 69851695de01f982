// Looks at what a run has written: is it there, and is it what was asked for?

import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readImageHeader } from '../lib/image-header.ts';
import { tidyWebVtt } from '../lib/webvtt.ts';
import type { MediaProbe } from '../operations/media-probe.ts';
import { MAX_PIXELS } from '../operations/video/fields.ts';
import type { Piece, Size } from '../operations/video-operation.ts';
import { Problem } from '../problems.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';
import { probe } from './probe.ts';
import { checkResult } from './verify.ts';

/** A file that passed its check. */
export interface PieceFile {
  /** Its name in the output's folder. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly size: Size | null;
  readonly durationSeconds: number | null;
}

export interface CheckedPiece {
  readonly piece: Piece;
  /** One, or a numbered row of them. */
  readonly files: readonly PieceFile[];
  readonly fault: string | null;
  readonly warnings: readonly string[];
  /** What FFmpeg complained of in the source. */
  readonly damage: string | null;
}

export interface CheckContext {
  readonly tools: FfmpegTools;
  readonly maxPixels: number;
  readonly signal: AbortSignal;
}

/** `path` is that of the piece; `damage` what FFmpeg complained of in the source. */
export async function checkPiece(
  piece: Piece,
  path: string,
  damage: string | null,
  context: CheckContext,
): Promise<CheckedPiece> {
  const { kind } = piece.expects;
  const found = kind === 'stills' ? await row(path) : await existing([path]);
  const bare = { piece, files: found, fault: null, warnings: [], damage };
  // Playlists and segments are looked at by whoever publishes them.
  if (kind === 'segments') return bare;
  if (kind === 'text') return tidied(bare);
  const [first] = found;
  if (first === undefined || found.some(({ bytes }) => bytes === 0)) return { ...bare, fault: 'it is empty' };
  if (kind === 'data') return piece.expects.video === null ? bare : checkHeader(bare, first);
  const { fault, warnings, size, durationSeconds } = checkResult(
    kind === 'stills' ? { ...piece.expects, kind: 'still' } : piece.expects,
    await look(first.path, piece.mediaType, context),
    damage,
  );
  return { piece, fault, warnings, damage, files: found.map((file) => ({ ...file, size, durationSeconds })) };
}

/** Subtitles as FFmpeg wrote them, cut and made fit for players. */
async function tidied(bare: CheckedPiece): Promise<CheckedPiece> {
  const { cut, maxBytes } = bare.piece;
  // Where FFmpeg stops is a packet past its bound.
  if (bare.files.some(({ bytes }) => bytes > 2 * maxBytes)) return { ...bare, fault: 'it is too long' };
  const files = bare.files.map(async (file) => {
    const text = tidyWebVtt(await readFile(file.path, 'utf8'), cut);
    await writeFile(file.path, text);
    return { ...file, bytes: Buffer.byteLength(text) };
  });
  return { ...bare, files: await Promise.all(files) };
}

/** A picture that FFmpeg cannot read back, animated WebP above all: judged by what its header says. */
async function checkHeader(bare: CheckedPiece, file: PieceFile): Promise<CheckedPiece> {
  const wanted = bare.piece.expects.video?.size;
  try {
    const { mediaType, width, height } = readImageHeader(await readFile(file.path));
    const size = { width, height };
    if (mediaType !== bare.piece.mediaType) return { ...bare, fault: `it is ${mediaType}` };
    if (width !== wanted?.width || height !== wanted.height) {
      return { ...bare, fault: `it is ${width}×${height}, not ${wanted?.width}×${wanted?.height}` };
    }
    return { ...bare, files: [{ ...file, size }] };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ...bare, fault: 'its header cannot be read' };
  }
}

/** What an output's own file is. Never rejects because of its content. */
async function look(
  path: string,
  mediaType: string,
  { tools, maxPixels, signal }: CheckContext,
): Promise<MediaProbe> {
  try {
    // Bars may make a result larger than any source may be.
    const most = Math.max(maxPixels, MAX_PIXELS);
    return await probe({ path, mediaType, maxPixels: most }, (args, log) => tools.ffprobe(args, log, signal));
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'video_unreadable') throw error;
    return UNREADABLE;
  }
}

/** The files of a pattern such as `sprite-%03d.jpg`, in their order. */
async function row(pattern: string): Promise<PieceFile[]> {
  const folder = dirname(pattern);
  const [before = '', after = ''] = basename(pattern).split(/%\d*d/);
  const names = (await readdir(folder)).filter(
    (name) =>
      name.startsWith(before) &&
      name.endsWith(after) &&
      /^\d+$/.test(name.slice(before.length, name.length - after.length)),
  );
  return existing(
    names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(folder, name)),
  );
}

async function existing(paths: readonly string[]): Promise<PieceFile[]> {
  const files = paths.map(async (path): Promise<PieceFile[]> => {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found === null) return [];
    return [{ file: basename(path), path, bytes: found.size, size: null, durationSeconds: null }];
  });
  return (await Promise.all(files)).flat();
}

const UNREADABLE: MediaProbe = {
  container: 'unknown',
  durationSeconds: null,
  startSeconds: null,
  bitRate: null,
  streams: 0,
  video: [],
  audio: [],
  subtitles: [],
};
